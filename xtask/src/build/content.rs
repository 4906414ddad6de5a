//! The page scripts, each put together from its modules in `extension/content` and made as small as
//! a minifier can: every page parses them.
//!
//! - [`bundle`]: one script out of an entry and what it imports.
//! - [`lint`]: what a script in the page's own world must not do.
//! - [`padding`]: what makes its functions look native in Chromium.

mod bundle;
mod lint;
mod padding;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use oxc::{
    allocator::Allocator,
    codegen::{Codegen, CodegenOptions},
    minifier::{Minifier, MinifierOptions},
    parser::Parser,
    span::SourceType,
};

/// A script that runs in pages.
pub struct Script {
    /// The name of its file.
    pub name: &'static str,
    /// The module that it is made of, with those that this one imports.
    entry: &'static str,
    /// Where it runs.
    world: World,
}

/// Where a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum World {
    /// With the page's own scripts.
    Main,
    /// With the document, apart from the page's scripts.
    Isolated,
    /// In front of a worker's own script, as an expression.
    Worker,
}

/// What stacks call a script where the page sees them: error reporters pass over errors with an
/// extension's file at the top.
const ALIAS: &str = "indexedDB";

/// The modules that a worker has in the place of others.
const INSTEAD: [(&str, &str); 1] = [("main/channel_end.js", "worker/channel_end.js")];

/// What stands around a worker's script until it is minified: an expression alone would be removed.
const HOLDER: &str = "self.hook=";

/// What a worker's hook does that has ended early, for `reason`: `true` if there is another one
/// (`worker/once.js`). Nothing may be thrown into the worker's script.
const WORKER_FAILURE: &str = r"
if (reason !== true && tellsFailure === true) {
  try {
    const channel = new BroadcastChannel(channelName);
    channel.postMessage({ missed: location.href });
    channel.close();
  } catch {}
}
return reason === true;
";

/// All of them.
pub const SCRIPTS: [Script; 4] = [
    Script {
        name: "hook.js",
        entry: "main/hook.js",
        world: World::Main,
    },
    Script {
        name: "worker_hook.js",
        entry: "worker/hook.js",
        world: World::Worker,
    },
    Script {
        name: "bridge.js",
        entry: "isolated/bridge.js",
        world: World::Isolated,
    },
    Script {
        name: "inspect.js",
        entry: "isolated/inspect.js",
        world: World::Isolated,
    },
];

impl Script {
    /// Its text for a browser.
    pub fn text(&self, directory: &Path, browser: &str) -> Result<String> {
        let instead: &[_] = match self.world {
            World::Worker => &INSTEAD,
            World::Main | World::Isolated => &[],
        };
        let text = bundle::bundle(directory, self.entry, instead)?;
        match self.world {
            World::Isolated => minified(&format!("(() => {{\n\"use strict\";\n{text}}})();\n")),
            World::Main => {
                let text = format!("(() => {{\n\"use strict\";\n{text}}})();\n");
                lint::check(&text)?;
                let mut script = minified(&text)?;
                if browser == "chromium" {
                    script = padding::padded(&script)?;
                }
                script.push_str("\n//# sourceURL=");
                script.push_str(ALIAS);
                Ok(script)
            }
            World::Worker => {
                let text = format!(
                    "{HOLDER}function (channelName, isOldInDefault, tellsFailure) {{\n\"use strict\";\n\
                     try {{\n{text}return true;\n}} catch (reason) {{\n{WORKER_FAILURE}}}\n}};\n"
                );
                lint::check(&text)?;
                expression(&minified(&text)?)
            }
        }
    }
}

/// A worker's script as one expression that the worker's own lines can follow in its line.
fn expression(script: &str) -> Result<String> {
    let held = script.trim_end().trim_end_matches(';');
    let function = held
        .strip_prefix(HOLDER)
        .context("the worker's hook is not one function any more")?;
    ensure!(!function.contains('\n'), "the worker's hook has a line break");
    Ok(format!("({function})"))
}

/// The same program in fewer letters.
fn minified(text: &str) -> Result<String> {
    let allocator = Allocator::default();
    let mut parsed = Parser::new(&allocator, text, SourceType::default().with_script(true)).parse();
    if let Some(error) = parsed.errors.first() {
        bail!("the page scripts do not parse: {error}");
    }
    let minified = Minifier::new(MinifierOptions::default()).minify(&allocator, &mut parsed.program);
    Ok(Codegen::new()
        .with_options(CodegenOptions::minify())
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings)
        .build(&parsed.program)
        .code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_that_does_not_parse_is_named() {
        let error = minified("(() => {").expect_err("half a function");
        assert!(
            error.to_string().starts_with("the page scripts do not parse"),
            "{error}"
        );
    }
}
