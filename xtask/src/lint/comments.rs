//! Comments stay within 100 columns: an eye loses the line beyond.

use super::Finding;
use crate::sources::{Language, Source, Sources};

/// The last column of a comment.
const WIDTH: usize = 100;

pub(super) fn find(sources: &Sources) -> Vec<Finding> {
    sources
        .of(&[
            Language::Rust,
            Language::JavaScript,
            Language::Lua,
            Language::Toml,
        ])
        .flat_map(find_in)
        .collect()
}

fn find_in(source: &Source) -> impl Iterator<Item = Finding> {
    source.text.lines().enumerate().filter_map(|(index, line)| {
        let width = line.chars().count();
        let is_long = width > WIDTH && is_comment(source.language, line) && !is_unbreakable(line);
        is_long.then(|| Finding {
            file: source.path.clone(),
            line: index + 1,
            message: format!("the comment ends in column {width}"),
        })
    })
}

fn is_comment(language: Language, line: &str) -> bool {
    let starts: &[&str] = match language {
        Language::Rust | Language::JavaScript => &["//", "/*", "* "],
        Language::Lua => &["--"],
        Language::Toml => &["#"],
        Language::Markdown | Language::Page => &[],
    };
    let line = line.trim_start();
    starts.iter().any(|start| line.starts_with(start))
}

/// Links and tables of documentation comments cannot be wrapped.
fn is_unbreakable(line: &str) -> bool {
    let text = line
        .trim_start()
        .trim_start_matches(['/', '!', '*', '#', '-', ' ']);
    text.starts_with('|') || text.split(' ').any(|word| word.chars().count() > WIDTH / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> Vec<usize> {
        let source = Source {
            path: "a.rs".to_owned(),
            language: Language::Rust,
            text: text.to_owned(),
        };
        find_in(&source).map(|finding| finding.line).collect()
    }

    #[test]
    fn only_long_comments_are_found() {
        let long = "word ".repeat(21);
        assert_eq!(
            lines_of(&format!(
                "// {long}\n    /// {long}\nlet x = \"{long}\";\n// short\n"
            )),
            [1, 2]
        );
    }

    #[test]
    fn tables_and_long_links_are_left_alone() {
        let long = "word ".repeat(21);
        assert!(lines_of(&format!("//! | {long} |\n// <{}>\n", "x".repeat(110))).is_empty());
    }
}
