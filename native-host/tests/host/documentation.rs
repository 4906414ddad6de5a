//! The arguments of `docs/delivery.md` and `docs/security.md` rest on tests; this one holds that
//! they exist.

use std::{collections::BTreeSet, fs, path::Path};

/// The names of the tests in the Rust files of a directory and those below.
fn tests(directory: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names.extend(tests(&path));
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(path).expect("text");
        names.extend(tests_of(&text).map(str::to_owned));
    }
    names
}

/// The names of the tests in the text of a Rust file: functions below `#[test]`, and those that run
/// in both browsers.
fn tests_of(text: &str) -> impl Iterator<Item = &str> {
    let below = text.split("#[test]").skip(1).filter_map(|rest| {
        let mut declared = rest.lines().map(str::trim_start);
        declared
            .find(|line| !line.is_empty() && !line.starts_with(['#', '/']))?
            .strip_prefix("fn ")?
            .split('(')
            .next()
    });
    let listed = text
        .split("in_both_browsers!(")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .flat_map(|names| names.split(',').map(str::trim));
    below.chain(listed)
}

#[test]
fn only_tests_are_counted_as_tests() {
    let text = "fn helper() {}\n#[test]\n// Why.\n#[ignore]\nfn one() {}\nfn two() {}\n
        proptest! {\n    #[test]\n    fn three(x in any()) {}\n}\nlab::in_both_browsers!(\n    four,\n    five,\n);";
    let found: BTreeSet<&str> = tests_of(text).filter(|name| !name.is_empty()).collect();
    assert_eq!(found, BTreeSet::from(["five", "four", "one", "three"]));
}

#[test]
fn every_test_that_the_argument_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let mut known = tests(&root.join("native-host/tests/host"));
    known.extend(tests(&root.join("native-host/src/journal/write/tests")));
    known.extend(tests(&root.join("protocol/src")));
    known.extend(tests(&root.join("extension/src/background/relay/tests")));
    known.extend(tests(&root.join("tests/tests")));
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("text");
    let text = read("docs/delivery.md");
    let mut named = 0;
    for (text, begin) in [(&text, "*Attacked by*"), (&read("docs/security.md"), "*Held by*")] {
        for paragraph in text.split("\n\n").filter(|text| text.starts_with(begin)) {
            // What stands between backticks is a file, a command line or a test.
            for name in paragraph.split('`').skip(1).step_by(2) {
                if name.contains('/') {
                    assert!(root.join(name).exists(), "there is no file {name:?}");
                } else if !name.contains(['.', ' ']) {
                    assert!(known.contains(name), "there is no test {name:?}");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 50, "{named} tests are named");
    let steps: Vec<&str> = text.split("\n## ").skip(1).collect();
    let (_not_promised, steps) = steps.split_last().expect("steps");
    for step in steps {
        assert!(step.contains("\n*Attacked by*"), "each step is attacked: {step}");
    }
}

/// What a heading is called in links: as GitHub does it.
fn anchor(heading: &str) -> String {
    let kept = |char: &char| char.is_alphanumeric() || [' ', '-', '_'].contains(char);
    let lower = heading.to_lowercase();
    lower
        .chars()
        .filter(kept)
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let mut files: Vec<_> = fs::read_dir(root.join("docs"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.push(root.join("README.md"));
    files.push(root.join("SECURITY.md"));
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            if path.contains("://") || path.contains(' ') {
                continue;
            }
            let target = if path.is_empty() {
                file.clone()
            } else {
                file.parent().expect("a directory").join(path)
            };
            assert!(target.exists(), "{}: {link}", file.display());
            if heading.is_empty() || target.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&target).expect("text");
            let headings = text.lines().filter(|line| line.starts_with('#'));
            let found = headings
                .map(|line| anchor(line.trim_start_matches('#').trim()))
                .any(|known| known == heading);
            assert!(found, "{}: {link}", file.display());
        }
    }
}

#[test]
fn every_table_of_the_journal_has_a_bound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("text");
    let schema = read("native-host/src/journal/schema.sql");
    let made: BTreeSet<&str> = schema
        .split("CREATE TABLE ")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    let text = read("docs/delivery.md");
    let (_, list) = text
        .split_once("| table | a row for | what bounds it |\n|---|---|---|\n")
        .expect("the list of tables");
    let listed: BTreeSet<&str> = list
        .lines()
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(made.len() > 10, "{made:?}");
    assert_eq!(listed, made);
}
