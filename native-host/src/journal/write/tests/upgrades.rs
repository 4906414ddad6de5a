//! Upgrades and deleted databases that one tab reports after another tab's newer writes.

use super::{Bench, NOW};

const CREATE: &str =
    r#"{"schema":{"store":"s","change":{"create_store":{"key_path":null,"auto_increment":false}}}}"#;
const DELETE: &str = r#"{"schema":{"store":"s","change":{"delete_store":{}}}}"#;
const RENAME: &str = r#"{"schema":{"store":"r","change":{"rename_store":{"to":"s"}}}}"#;

fn put(store: &str, key: i64, value: i64) -> String {
    format!(r#"{{"put":{{"store":"{store}","key":{key},"value":{value}}}}}"#)
}

impl Bench {
    /// A commit of the database's second version.
    fn commit_upgraded(&mut self, context: &str, began: i64, committed: i64, operations: &str) {
        let body = format!(
            r#"{{"commit":{{"database":"d","version":2,"began_at":{},"committed_at":{},"operations":[{operations}]}}}}"#,
            NOW + began,
            NOW + committed,
        );
        self.deliver(context, &body);
    }

    fn delete_database(&mut self, context: &str, began: i64, deleted: i64) {
        let body = format!(
            r#"{{"deletion":{{"database":"d","began_at":{},"deleted_at":{}}}}}"#,
            NOW + began,
            NOW + deleted,
        );
        self.deliver(context, &body);
    }

    /// What the mirror holds of a store, by key.
    fn held(&self, store: &str) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.journal.path()).expect("a database");
        let mut rows = connection
            .prepare(
                "SELECT value FROM record JOIN store ON store.id = record.store
                 WHERE name = ?1 AND value IS NOT NULL ORDER BY key",
            )
            .expect("a statement");
        let values = rows.query_map([store], |row| row.get(0)).expect("rows");
        values.collect::<Result<_, _>>().expect("texts")
    }
}

#[test]
fn late_upgrade_keeps_records_that_others_wrote_since() {
    for reshape in [CREATE.to_owned(), DELETE.to_owned(), format!("{DELETE},{CREATE}")] {
        // Reported at once, and by a tab that was busy.
        for reported in [1010, 9000] {
            let mut bench = Bench::new();
            bench.commit("old", -9000, -8990, &put("s", 2, 20));
            bench.commit_upgraded("b", 2000, 2010, &put("s", 1, 1));
            let upgrade = format!("{reshape},{},{}", put("s", 1, 7), put("s", 3, 30));
            bench.commit_upgraded("a", 1000, reported, &upgrade);
            // What was there before is gone; what the upgrade wrote is there, unless it is older.
            assert_eq!(bench.held("s"), ["1", "30"], "{reshape} reported at {reported}");
            assert!(bench.wants_all());
            let events = bench.events();
            assert!(events.contains(&"s null late".to_owned()), "{events:?}");
            assert!(
                !events
                    .iter()
                    .any(|event| event.starts_with("d 1→") || event == "d 1"),
                "{events:?}"
            );
            assert!(events.contains(&"d 20→null".to_owned()) || events.contains(&"d null".to_owned()));
            assert!(
                events
                    .iter()
                    .any(|event| event.starts_with('c') && event.ends_with("7 late") || event == "u 7 late"),
                "{events:?}"
            );
        }
    }
}

#[test]
fn upgrade_reported_in_time_empties_its_stores() {
    let mut bench = Bench::new();
    bench.put("b", 0, 10, 1);
    bench.commit_upgraded("a", 1000, 1010, &format!("{DELETE},{CREATE},{}", put("s", 2, 2)));
    assert_eq!(bench.held("s"), ["2"]);
    assert_eq!(
        bench.events(),
        ["c 1", "s null", "d 1→null", "s null", "c null→2"]
    );
    assert!(!bench.wants_all());
}

#[test]
fn late_deletion_of_a_database_keeps_what_its_successor_holds() {
    for deleted in [1010, 9000] {
        let mut bench = Bench::new();
        bench.commit("old", -9000, -8990, &put("s", 2, 20));
        bench.commit("old", -9000, -8990, &put("t", 1, 10));
        bench.commit("b", 2000, 2010, &put("s", 1, 1));
        bench.delete_database("a", 1000, deleted);
        assert_eq!(bench.held("s"), ["1"], "reported at {deleted}");
        assert_eq!(bench.held("t"), [""; 0]);
        assert!(bench.wants_all());
    }
}

#[test]
fn late_rename_takes_along_only_what_is_older() {
    let mut bench = Bench::new();
    let old = [put("r", 1, 1), put("r", 2, 2), put("r", 3, 3), put("r", 4, 4)].join(",");
    bench.commit("old", -9000, -8990, &old);
    // By another tab, under the new name: one is written, one deleted. And another store has the
    // old name.
    bench.commit_upgraded("b", 2000, 2010, &put("s", 1, 10));
    bench.commit_upgraded("b", 2020, 2030, r#"{"delete":{"store":"s","key":2}}"#);
    bench.commit_upgraded("b", 2040, 2050, &put("r", 4, 40));
    bench.commit_upgraded("a", 1000, 1010, RENAME);
    assert_eq!(bench.held("s"), ["10", "3"]);
    assert_eq!(bench.held("r"), ["40"]);
    assert!(bench.wants_all());
}

#[test]
fn late_clear_of_many_records_leaves_the_newer_half() {
    let clear = r#"{"clear":{"store":"s"}}"#;
    let range = r#"{"delete_range":{"store":"s","range":{"lower":0,"upper":1000}}}"#;
    for deletion in [clear, range] {
        let mut bench = Bench::new();
        let puts = |keys: std::ops::Range<i64>, value: i64| {
            let puts: Vec<String> = keys.map(|key| put("s", key, value)).collect();
            puts.join(",")
        };
        bench.commit("b", 0, 10, &puts(0..500, 1));
        bench.commit("b", 2000, 2010, &puts(250..500, 2));
        // It writes some of them again behind the deletion: those that were left, and those that
        // went.
        bench.commit("a", 1000, 1010, &format!("{deletion},{}", puts(240..260, 3)));
        let held = bench.held("s");
        assert_eq!(held.len(), 260);
        assert_eq!(held.iter().filter(|value| *value == "3").count(), 10);
        assert_eq!(held.iter().filter(|value| *value == "2").count(), 250);
    }
}

#[test]
fn late_upgrade_does_not_bring_back_what_was_deleted_since() {
    let mut bench = Bench::new();
    bench.commit_upgraded("b", 2000, 2010, r#"{"clear":{"store":"s"}}"#);
    bench.commit_upgraded("a", 1000, 1010, &format!("{CREATE},{}", put("s", 1, 1)));
    assert_eq!(bench.held("s"), [""; 0]);
    assert!(bench.wants_all());
    // A whole-store read passed behind it.
    let mut bench = Bench::new();
    bench.snapshot("b", 3000, r#"{"key":2,"value":2}"#);
    bench.commit("a", 1000, 1010, &format!("{CREATE},{}", put("s", 1, 1)));
    assert_eq!(bench.held("s"), ["2"]);
    assert!(bench.wants_all());
}
