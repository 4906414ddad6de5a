//! The page scripts, each put together from its modules.
//!
//! Content scripts are no modules. Here the modules of a script are laid one after the other into
//! one function, so that nothing of them is global, without their imports, and made as small as a
//! minifier can: every page parses them.
//!
//! - [`lint`]: what a script in the page's own world must not do.
//! - [`padding`]: what makes its functions look native in Chromium.

mod lint;
mod padding;

use std::{collections::HashSet, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use oxc::{
    allocator::Allocator,
    codegen::{Codegen, CodegenOptions},
    minifier::{Minifier, MinifierOptions},
    parser::Parser,
    span::SourceType,
};

/// A script and the modules that it is put together from; what a module imports stands before it.
pub struct Script {
    /// The name of its file.
    pub name: &'static str,
    /// What runs when the script does.
    pub modules: &'static [&'static str],
    /// What stacks call it, where the page sees them: error reporters pass over errors with an
    /// extension's file at the top.
    pub alias: Option<&'static str>,
    /// What runs when one of `modules` first asks for it by `import()`, together; hardly any
    /// document does.
    pub later: &'static [&'static str],
}

/// All of them.
pub const SCRIPTS: [Script; 3] = [
    Script {
        name: "hook.js",
        modules: &[
            "pristine.js",
            "unnamed.js",
            "channel.js",
            "kinds.js",
            "encode.js",
            "builtins.js",
            "platform.js",
            "idb.js",
            "outlet.js",
            "stacks.js",
            "shapes.js",
            "replace.js",
            "taken.js",
            "buckets.js",
            "connections.js",
            "transactions.js",
            "writes.js",
            "upgrades.js",
            "hook.js",
        ],
        alias: Some("indexedDB"),
        later: &[],
    },
    Script {
        name: "bridge.js",
        modules: &[
            "pristine.js",
            "unnamed.js",
            "channel.js",
            "time.js",
            "place.js",
            "bridge.js",
        ],
        alias: None,
        later: &[
            "kinds.js",
            "encode.js",
            "builtins.js",
            "platform.js",
            "sha256.js",
            "blobs.js",
            "key.js",
            "pace.js",
            "reader.js",
            "survey.js",
        ],
    },
    Script {
        name: "peek.js",
        modules: &[
            "pristine.js",
            "channel.js",
            "time.js",
            "kinds.js",
            "encode.js",
            "builtins.js",
            "platform.js",
            "sha256.js",
            "blobs.js",
            "key.js",
            "pace.js",
            "reader.js",
            "look.js",
            "peek.js",
        ],
        alias: None,
        later: &[],
    },
];

impl Script {
    /// Its text for a browser.
    pub fn text(&self, directory: &Path, browser: &str) -> Result<String> {
        let text = self.joined(directory)?;
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

    /// Its modules in one function.
    fn joined(&self, directory: &Path) -> Result<String> {
        let read = |module: &str| {
            let path = directory.join(module);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let mut names = HashSet::new();
        let mut seen = HashSet::new();
        let mut text = String::from("(() => {\n\"use strict\";\n");
        let mut wanted = Vec::new();
        for module in self.modules {
            let source = read(module)?;
            stands_before(module, &source, &seen)?;
            seen.insert(*module);
            names.extend(join(&mut text, module, &source, &names)?);
            wanted.extend(imported(&source).map(str::to_owned));
        }
        for module in &wanted {
            let call = format!("import(\"./{module}\")");
            text = text.replace(&call, "later()");
        }
        if !wanted.is_empty() {
            let mut exports = Vec::new();
            text.push_str("let loaded;\nfunction later() {\nreturn loaded ??= (() => {\n");
            for module in self.later {
                let source = read(module)?;
                stands_before(module, &source, &seen)?;
                seen.insert(*module);
                names.extend(join(&mut text, module, &source, &names)?);
                if wanted.iter().any(|name| name == module) {
                    exports.extend(exported(&source).map(str::to_owned));
                }
            }
            text.push_str("return { ");
            text.push_str(&exports.join(", "));
            text.push_str(" };\n})();\n}\n");
        }
        text.push_str("})();\n");
        Ok(text)
    }
}

/// Everything that a module imports must be there before it.
fn stands_before(module: &str, source: &str, seen: &HashSet<&str>) -> Result<()> {
    for rest in source.split(" from \"./").skip(1) {
        let name = rest.split('"').next().unwrap_or_default();
        ensure!(
            seen.contains(name),
            "{module} imports {name}, which does not stand before it in the script's list of modules"
        );
    }
    Ok(())
}

/// Appends what a module says; the names that it declares.
fn join(text: &mut String, module: &str, source: &str, known: &HashSet<String>) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for line in lines(source) {
        if let Some(name) = declared(line) {
            ensure!(
                !known.contains(name) && names.insert(name.to_owned()),
                "{module} declares {name}, and so does a module before it; rename one of them"
            );
        }
        text.push_str(line);
        text.push('\n');
    }
    Ok(names)
}

/// The modules that a module asks for when it needs them.
fn imported(source: &str) -> impl Iterator<Item = &str> {
    source
        .split("await import(\"./")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

/// The names that a module exports.
fn exported(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .filter_map(|line| line.strip_prefix("export ").and_then(declared))
}

/// The lines of a module without imports and without `export`.
fn lines(source: &str) -> impl Iterator<Item = &str> {
    let mut importing = false;
    source.lines().filter_map(move |line| {
        if importing || line.starts_with("import ") {
            importing = !line.ends_with(';');
            return None;
        }
        Some(line.strip_prefix("export ").unwrap_or(line))
    })
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
        .build(&parsed.program)
        .code)
}

/// The name that a line at a module's top level declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line);
    let rest = ["const ", "let ", "function* ", "function "]
        .iter()
        .find_map(|keyword| rest.strip_prefix(keyword))?;
    let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '$'))?;
    (end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_joins_modules_is_left_out() {
        let source = "// About\nimport {\n  a,\n} from \"./a.js\";\nimport b from \"./b.js\";\nexport const c = 1;\nexport function d(x) {\n  return x;\n}\n";
        assert_eq!(
            lines(source).collect::<Vec<_>>(),
            ["// About", "const c = 1;", "function d(x) {", "  return x;", "}"]
        );
    }

    #[test]
    fn what_does_not_parse_is_named() {
        let error = minified("(() => {").expect_err("half a function");
        assert!(
            error.to_string().starts_with("the page scripts do not parse"),
            "{error}"
        );
    }

    #[test]
    fn names_are_found_at_the_top_level_only() {
        assert_eq!(declared("const a = 1;"), Some("a"));
        assert_eq!(declared("async function* b() {"), Some("b"));
        assert_eq!(declared("async function b() {"), Some("b"));
        assert_eq!(declared("  const a = 1;"), None);
        assert_eq!(declared("const { a } = b;"), None);
    }

    /// Puts together a script of these modules.
    fn together(
        sources: &[(&'static str, &str)],
        modules: &'static [&'static str],
        later: &'static [&'static str],
    ) -> Result<String> {
        let directory = tempfile::tempdir()?;
        for (name, source) in sources {
            fs::write(directory.path().join(name), source)?;
        }
        let name = "test.js";
        Script {
            name,
            modules,
            alias: None,
            later,
        }
        .text(directory.path(), "firefox")
    }

    #[test]
    fn one_name_in_two_modules_is_refused() -> Result<()> {
        let sources = [("a.js", "const x = 1;\nuse(x);\n"), ("b.js", "function x() {}\n")];
        let error = together(&sources, &["a.js", "b.js"], &[]).expect_err("x twice");
        assert!(error.to_string().starts_with("b.js declares x"));
        assert_eq!(together(&sources, &["a.js"], &[])?, "use(1);");
        Ok(())
    }

    #[test]
    fn what_is_imported_later_runs_when_it_is_asked_for() -> Result<()> {
        let sources = [
            (
                "a.js",
                "async function f() {\n  const { x } = await import(\"./c.js\");\n  x();\n}\nf();\n",
            ),
            ("b.js", "export function y() {}\n"),
            (
                "c.js",
                "import { y } from \"./b.js\";\nexport function x() {\n  y(made);\n}\nconst made = make();\n",
            ),
        ];
        let text = together(&sources, &["a.js"], &["b.js", "c.js"])?;
        let loader = text.find("??=").context("it is made once")?;
        assert!(text.find("make()").context("it is there")? > loader, "{text}");
        assert!(!text.contains("import("), "{text}");
        Ok(())
    }
}
