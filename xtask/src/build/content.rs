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

use anyhow::{Result, bail};
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
    /// What stacks call it, where the page sees them: error reporters pass over errors with an
    /// extension's file at the top.
    alias: Option<&'static str>,
}

/// All of them.
pub const SCRIPTS: [Script; 3] = [
    Script {
        name: "hook.js",
        entry: "main/hook.js",
        alias: Some("indexedDB"),
    },
    Script {
        name: "bridge.js",
        entry: "isolated/bridge.js",
        alias: None,
    },
    Script {
        name: "inspect.js",
        entry: "isolated/inspect.js",
        alias: None,
    },
];

impl Script {
    /// Its text for a browser.
    pub fn text(&self, directory: &Path, browser: &str) -> Result<String> {
        let text = bundle::bundle(directory, self.entry)?;
        // What has an alias runs in the page's own world.
        let Some(alias) = self.alias else {
            return minified(&text);
        };
        lint::check(&text)?;
        let mut script = minified(&text)?;
        if browser == "chromium" {
            script = padding::padded(&script)?;
        }
        script.push_str("\n//# sourceURL=");
        script.push_str(alias);
        Ok(script)
    }
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
