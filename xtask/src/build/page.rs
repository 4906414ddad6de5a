//! The page scripts, each put together from its modules.
//!
//! Content scripts are no modules. Here the modules of a script are laid one after the other into one function, so that nothing
//! of them is global, without their imports, and made as small as a minifier can: every page parses them.

use std::{collections::HashSet, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use oxc::{
    allocator::Allocator,
    codegen::{Codegen, CodegenOptions},
    minifier::{Minifier, MinifierOptions},
    parser::Parser,
    span::SourceType,
};

/// Each script with its modules; whatever a module imports stands before it.
pub const SCRIPTS: [(&str, &[&str]); 3] = [
    (
        "hook.js",
        &[
            "pristine.js",
            "channel.js",
            "kinds.js",
            "encode.js",
            "builtins.js",
            "platform.js",
            "idb.js",
            "outlet.js",
            "buckets.js",
            "transactions.js",
            "writes.js",
            "upgrades.js",
            "replace.js",
            "hook.js",
        ],
    ),
    (
        "bridge.js",
        &[
            "pristine.js",
            "channel.js",
            "kinds.js",
            "encode.js",
            "builtins.js",
            "platform.js",
            "sha256.js",
            "blobs.js",
            "key.js",
            "reader.js",
            "bridge.js",
        ],
    ),
    (
        "peek.js",
        &[
            "pristine.js",
            "kinds.js",
            "encode.js",
            "builtins.js",
            "platform.js",
            "sha256.js",
            "blobs.js",
            "key.js",
            "reader.js",
            "look.js",
            "peek.js",
        ],
    ),
];

/// The text of a script.
pub fn script(directory: &Path, modules: &[&str]) -> Result<String> {
    let mut text = String::from("(() => {\n\"use strict\";\n");
    let mut names = HashSet::new();
    for module in modules {
        let path = directory.join(module);
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in lines(&source) {
            if let Some(name) = declared(line) {
                ensure!(
                    names.insert(name.to_owned()),
                    "{module} declares {name}, and so does a module before it; rename one of them"
                );
            }
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push_str("})();\n");
    minified(&text)
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

    #[test]
    fn one_name_in_two_modules_is_refused() -> Result<()> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("a.js"), "const x = 1;\nuse(x);\n")?;
        fs::write(directory.path().join("b.js"), "function x() {}\n")?;
        let error = script(directory.path(), &["a.js", "b.js"]).expect_err("x twice");
        assert!(error.to_string().starts_with("b.js declares x"));
        assert_eq!(script(directory.path(), &["a.js"])?, "use(1);");
        Ok(())
    }
}
