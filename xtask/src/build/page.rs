//! The page scripts, each put together from its modules.
//!
//! Content scripts are no modules. Here the modules of a script are laid one after the other into one function, so that nothing
//! of them is global, without their imports, comments and indentation: every page parses them.

use std::{collections::HashSet, fs, path::Path};

use anyhow::{Context as _, Result, ensure};

/// Each script with its modules; whatever a module imports stands before it.
pub const SCRIPTS: [(&str, &[&str]); 2] = [
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
            ensure!(
                !line.contains(" // "),
                "{module}: a comment behind code, which would take the next line along; give it a line of its own: {line}"
            );
            text.push_str(&tight(&without_types(line.trim_start())));
            // No text runs over several lines. Behind anything else a line's end may be a statement's.
            if !text.ends_with([';', ',', '{', '(', '[']) {
                text.push('\n');
            }
        }
    }
    text.push_str("})();\n");
    Ok(text)
}

/// The lines of a module that are left: no comments (those on lines of their own, which is where they stand), no imports, no
/// `export`.
fn lines(source: &str) -> impl Iterator<Item = &str> {
    /// What a line may be in the middle of.
    enum Inside {
        Comment,
        Import,
    }
    let mut inside = None;
    source.lines().filter_map(move |line| {
        let code = line.trim_start();
        let ends = match inside {
            Some(Inside::Comment) => code.contains("*/"),
            Some(Inside::Import) => code.ends_with(';'),
            None if code.starts_with("/**") && code.trim_end().ends_with("*/") => return None,
            None if code.starts_with("/**") => {
                inside = Some(Inside::Comment);
                return None;
            }
            None if line.starts_with("import ") => {
                inside = (!code.ends_with(';')).then_some(Inside::Import);
                return None;
            }
            None if code.is_empty() || code.starts_with("//") => return None,
            None => return Some(line.strip_prefix("export ").unwrap_or(line)),
        };
        if ends {
            inside = None;
        }
        None
    })
}

/// The line without types in its midst: `/** @type {any} */ (x)`, `(/** @param… */ x)`.
fn without_types(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, annotation)) = rest.split_once("/** @")
        && let Some((_, after)) = annotation.split_once("*/")
    {
        text.push_str(before);
        rest = after.trim_start();
    }
    text + rest
}

/// The line without the spaces that only people need. Texts stay as they are, and so do lines with other texts than double-quoted
/// ones or with expressions to match; and spaces at `+` and `-`: two of them in a row mean something else.
fn tight(line: &str) -> String {
    const FREE: &[char] = &[
        '=', '<', '>', '&', '|', '?', ':', ',', ';', '{', '}', '(', ')', '[', ']',
    ];
    if line.contains(['\'', '`', '/', '\\']) {
        return line.to_owned();
    }
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(char) = chars.next() {
        quoted ^= char == '"';
        let free = !quoted
            && char == ' '
            && (text.ends_with(FREE) || chars.peek().is_some_and(|next| FREE.contains(next)));
        if !free {
            text.push(char);
        }
    }
    text
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
    fn what_only_people_and_modules_need_is_left_out() {
        let source = "// About\nimport {\n  a,\n} from \"./a.js\";\nimport b from \"./b.js\";\n\n/** One line. */\nexport const c = 1;\n/**\n * @param x\n */\nexport function d(x) {\n  // why\n  return x; /* kept */\n}\n";
        assert_eq!(
            lines(source).collect::<Vec<_>>(),
            ["const c = 1;", "function d(x) {", "  return x; /* kept */", "}"]
        );
    }

    #[test]
    fn spaces_go_where_they_mean_nothing() {
        assert_eq!(
            tight("if (a === b && !c) return { d, e: f - -1 };"),
            "if(a===b&&!c)return{d,e:f - -1};"
        );
        assert_eq!(tight(r#"f(a, "b = c", d);"#), r#"f(a,"b = c",d);"#);
        assert_eq!(tight(r#"f(a, "b \" c", d);"#), r#"f(a, "b \" c", d);"#);
    }

    #[test]
    fn types_are_left_out() {
        assert_eq!(
            without_types(
                "f((/** @type {A} */ a, /** @type {B} */ b) => /** @type {any} */ (a /* kept */ / b));"
            ),
            "f((a, b) => (a /* kept */ / b));"
        );
        assert_eq!(without_types(r#"a("/**");"#), r#"a("/**");"#);
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
        fs::write(directory.path().join("a.js"), "const x = 1;\n")?;
        fs::write(directory.path().join("b.js"), "function x() {}\n")?;
        let error = script(directory.path(), &["a.js", "b.js"]).expect_err("x twice");
        assert!(error.to_string().starts_with("b.js declares x"));
        assert_eq!(
            script(directory.path(), &["a.js"])?,
            "(() => {\n\"use strict\";\nconst x=1;})();\n"
        );
        Ok(())
    }
}
