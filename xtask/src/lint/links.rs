//! Links and anchors of the documents lead somewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    path::Path,
};

use super::Finding;
use crate::sources::{Language, Source, Sources};

pub(super) fn find(sources: &Sources) -> Vec<Finding> {
    let documents: BTreeMap<&str, BTreeSet<String>> = sources
        .of(&[Language::Markdown])
        .map(|source| (source.path.as_str(), anchors(&source.text)))
        .collect();
    let files: BTreeSet<&str> = sources.0.iter().map(|source| source.path.as_str()).collect();
    sources
        .of(&[Language::Markdown])
        .flat_map(|source| find_in(source, &documents, &files))
        .collect()
}

fn find_in(
    source: &Source,
    documents: &BTreeMap<&str, BTreeSet<String>>,
    files: &BTreeSet<&str>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrong = |line: usize, message: String| {
        findings.push(Finding {
            file: source.path.clone(),
            line,
            message,
        });
    };
    for (line, target) in targets(&source.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() {
            source.path.clone()
        } else {
            resolve(&source.path, path)
        };
        // Pictures and licences are not among the files that are read.
        let is_document = Path::new(&path).extension() == Some(OsStr::new("md"));
        if is_document && !files.contains(path.as_str()) {
            wrong(line, format!("{target} does not exist"));
        } else if !anchor.is_empty()
            && documents
                .get(path.as_str())
                .is_some_and(|anchors| !anchors.contains(anchor))
        {
            wrong(line, format!("{path} has no heading for #{anchor}"));
        }
    }
    findings
}

/// The targets of `[text](target)`, with their lines.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().flat_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let line = if in_code { "" } else { line };
        line.split("](").skip(1).filter_map(move |rest| {
            let target = rest.split([')', ' ']).next()?;
            Some((index + 1, target))
        })
    })
}

/// A link of a document, relative to the top of the tree.
fn resolve(document: &str, link: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What the headings of a document are called in links: lower case, spaces as hyphens, no marks.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let heading = line.trim_start_matches('#');
        if in_code || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let anchor: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        // A second heading of the same text gets a number.
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            language: Language::Markdown,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let sources = Sources(vec![
            document(
                "README.md",
                "[a](docs/a.md#the-first--last) [b](docs/b.md)\n[c](#none)\n",
            ),
            document(
                "docs/a.md",
                "# The first & last\n```\n# no heading\n```\n[up](../README.md)",
            ),
        ]);
        let found: Vec<String> = find(&sources)
            .into_iter()
            .map(|finding| finding.message)
            .collect();
        assert_eq!(
            found,
            ["docs/b.md does not exist", "README.md has no heading for #none"]
        );
    }
}
