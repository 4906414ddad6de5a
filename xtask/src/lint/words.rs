//! Words that plain English, or the glossary, replaces.
//!
//! Documents are read whole; of sources everything, also the code: a name is a word, too.

use super::{Finding, settings::Settings};
use crate::sources::{Language, Source, Sources};

const LANGUAGES: [Language; 6] = [
    Language::Rust,
    Language::JavaScript,
    Language::Lua,
    Language::Toml,
    Language::Markdown,
    Language::Page,
];

/// Files that name the words.
const EXEMPT: [&str; 3] = ["xtask/lint.toml", "docs/glossary.md", "xtask/src/lint/words.rs"];

pub(super) fn find(sources: &Sources, settings: &Settings) -> Vec<Finding> {
    let words: Vec<(String, &str)> = settings
        .words
        .iter()
        .map(|(word, instead)| (word.to_lowercase(), instead.as_str()))
        .collect();
    let files = sources.of(&LANGUAGES).filter(|source| {
        // Code of others, kept as it is.
        !EXEMPT.contains(&source.path.as_str()) && !source.path.contains("node_modules/")
    });
    files.flat_map(|source| find_in(source, &words)).collect()
}

fn find_in(source: &Source, words: &[(String, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let line = line.to_lowercase();
        for (word, instead) in words {
            for _ in 0..count(&line, word) {
                findings.push(Finding {
                    file: source.path.clone(),
                    line: index + 1,
                    message: format!("{word:?}: {instead}"),
                });
            }
        }
    }
    findings
}

/// How often a word stands in a line by itself.
fn count(line: &str, word: &str) -> usize {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    line.match_indices(word)
        .filter(|(at, _)| {
            !is_letter(line[..*at].chars().next_back()) && !is_letter(line[at + word.len()..].chars().next())
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_names_too_and_only_by_themselves() {
        let source = Source {
            path: "a.rs".to_owned(),
            language: Language::Rust,
            text: "fn plugh_it() {}\n// Once more, and plughed: Plugh.\nlet replugh = \"plughly\";"
                .to_owned(),
        };
        let found = find_in(&source, &[("plugh".to_owned(), "again")]);
        assert_eq!(
            found.iter().map(|finding| finding.line).collect::<Vec<_>>(),
            [1, 2]
        );
    }
}
