//! The argument of `docs/delivery.md` rests on tests; this one holds that they exist.

use std::{collections::BTreeSet, fs, path::Path};

/// The names of the functions in the Rust files of a directory and those below.
fn functions(directory: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names.extend(functions(&path));
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(path).expect("text");
        let declared = text.lines().filter_map(|line| line.strip_prefix("fn "));
        names.extend(declared.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
    }
    names
}

#[test]
fn every_test_that_the_argument_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let mut known = functions(&root.join("native-host/tests/host"));
    known.extend(functions(&root.join("tests/tests")));
    let text = fs::read_to_string(root.join("docs/delivery.md")).expect("text");
    let mut steps = 0;
    for paragraph in text
        .split("\n\n")
        .filter(|text| text.starts_with("*Attacked by*"))
    {
        steps += 1;
        // What stands between backticks is a file or a test.
        for name in paragraph.split('`').skip(1).step_by(2) {
            if name.contains(['/', '.']) {
                continue;
            }
            assert!(known.contains(name), "there is no test {name:?}");
        }
    }
    assert_eq!(steps, text.matches("\n## ").count() - 1, "each step has one");
}
