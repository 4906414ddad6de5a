//! What a small delivery costs in a store of many deleted records, and what it may not forget.

use super::{Bench, NOW};

/// More than a range leaves in the mirror (`MANY_TOMBSTONES`).
const MANY: usize = 4000;
/// Few enough that those in conflict keep their rows.
const FEW: usize = 200;
/// How many rows a delivery about nothing may change.
const ROWS: u64 = 16;

const CLEAR: &str = r#"{"clear":{"store":"s"}}"#;
const HALF: &str = r#"{"delete_range":{"store":"s","range":{"lower":0}}}"#;

impl Bench {
    /// A store that was read completely, with so many records deleted at a time.
    fn with_tombstones(count: usize, at: i64) -> Self {
        let mut bench = Self::new();
        bench.snapshot("a", at - 10_000, "");
        let deletes: Vec<String> = (0..count)
            .map(|key| format!(r#"{{"delete":{{"store":"s","key":{key}}}}}"#))
            .collect();
        bench.commit("a", at, at, &deletes.join(","));
        assert_eq!(bench.tombstones(), count);
        bench
    }

    fn tombstones(&self) -> usize {
        let count = "SELECT count(*) FROM record WHERE value IS NULL";
        let count = self.journal.connection.query_row(count, [], |row| row.get(0));
        count.expect("a number")
    }

    /// Commits, and returns how many rows that changed.
    fn rows_of_commit(&mut self, context: &str, at: i64, operations: &str) -> u64 {
        let before = self.journal.connection.total_changes();
        self.commit(context, at, at, operations);
        self.journal.connection.total_changes() - before
    }

    /// Deletes the database, and returns how many rows that changed.
    fn rows_of_deletion(&mut self, context: &str, at: i64) -> u64 {
        let before = self.journal.connection.total_changes();
        let at = NOW + at;
        let body = format!(r#"{{"deletion":{{"database":"d","began_at":{at},"deleted_at":{at}}}}}"#);
        self.deliver(context, &body);
        self.journal.connection.total_changes() - before
    }
}

#[test]
fn clear_changes_no_tombstone_twice() {
    for operation in [CLEAR, HALF] {
        let mut bench = Bench::with_tombstones(MANY, 0);
        bench.rows_of_commit("a", 1000, operation);
        for time in 2..6 {
            let rows = bench.rows_of_commit("a", 1000 * time, operation);
            assert!(rows <= ROWS, "{rows} by {operation}");
        }
        let rows = bench.rows_of_commit("a", 10_000, &[operation; 50].join(","));
        assert!(rows <= 50 * ROWS, "{rows} by {operation}");
    }
}

#[test]
fn clear_in_conflict_changes_no_tombstone_twice() {
    for count in [FEW, MANY] {
        let mut bench = Bench::with_tombstones(count, 0);
        bench.rows_of_commit("b", 100, CLEAR);
        let rows = bench.rows_of_commit("b", 100, CLEAR);
        assert!(rows <= ROWS, "{rows} of {count}");
        assert_eq!(bench.tombstones(), if count == FEW { FEW } else { 0 });
    }
}

#[test]
fn late_clears_count_the_tombstones_they_go_through() {
    let mut bench = Bench::with_tombstones(MANY, 70_000);
    bench.commit("b", -1000, -1000, CLEAR);
    let work = bench.journal.attempted();
    assert!(work >= 64 * MANY as u64, "{work}");
    // The store's stamp stands for them from now on.
    bench.commit("b", -1000, -1000, CLEAR);
    let work = bench.journal.attempted();
    assert!(work < 10_000, "{work}");
}

#[test]
fn late_clears_past_the_bound_are_left_out() {
    let mut bench = Bench::with_tombstones(FEW, 0);
    bench.snapshot("reader", 60_000, "");
    bench.journal.state.delivery_work = 10 * 64 * FEW as u64;
    bench.commit("b", -1000, -1000, &[CLEAR; 50].join(","));
    let gaps = bench
        .events()
        .iter()
        .filter(|event| event.starts_with("g "))
        .count();
    assert_eq!(gaps, 1);
    assert!(bench.wants_all());
}

#[test]
fn reads_of_a_range_keep_few_tombstones() {
    let mut bench = Bench::with_tombstones(MANY, 0);
    bench.snapshot("reader", 60_000, "");
    assert_eq!(bench.tombstones(), 0);
    // What comes late meets the stamp of the store.
    bench.put("b", -100, -100, 1);
    assert_eq!(bench.value(), None);
    assert_eq!(bench.questions(), ["1"]);
}

#[test]
fn late_put_meets_the_clear_that_dropped_its_tombstone() {
    for count in [FEW, MANY] {
        let mut bench = Bench::with_tombstones(count, 0);
        bench.commit("a", 5000, 5000, CLEAR);
        assert_eq!(bench.tombstones(), 0);
        // Between the deletion of the record and the clear.
        bench.put("b", 2000, 2000, 1);
        assert_eq!(bench.value(), None);
        assert_eq!(bench.events().last().map(String::as_str), Some("c 1 late"));
        assert_eq!(bench.questions(), ["1"]);
        bench.answer(60_000, None);
        bench.put("b", 70_000, 70_000, 2);
        assert_eq!(bench.events().last().map(String::as_str), Some("c null→2"));
    }
}

#[test]
fn document_goes_on_unasked_after_its_clear() {
    let mut bench = Bench::with_tombstones(MANY, 0);
    bench.commit("a", 10, 10, CLEAR);
    bench.put("a", 20, 20, 1);
    assert_eq!(bench.events().last().map(String::as_str), Some("c null→1"));
    assert!(!bench.pending_reads());
}

#[test]
fn clear_in_conflict_leaves_no_document_unchecked() {
    for count in [FEW, MANY] {
        let mut bench = Bench::with_tombstones(count, 0);
        bench.commit("b", 100, 100, CLEAR);
        // The deletion by the other document may be the younger one.
        bench.put("b", 200, 200, 1);
        assert_eq!(bench.questions(), ["1"], "of {count}");
    }
}

#[test]
fn late_clear_leaves_no_younger_deletion_forgotten() {
    let mut bench = Bench::with_tombstones(MANY, 70_000);
    bench.commit("b", -1000, -1000, CLEAR);
    bench.put("b", -500, -500, 1);
    assert_eq!(bench.value(), None);
    assert_eq!(bench.questions(), ["1"]);
}

#[test]
fn database_that_is_deleted_again_changes_few_rows() {
    const STORES: usize = 500;
    let mut bench = Bench::new();
    let puts: Vec<String> = (0..STORES)
        .map(|store| format!(r#"{{"put":{{"store":"s{store}","key":1,"value":1}}}}"#))
        .collect();
    bench.commit("a", 0, 0, &puts.join(","));
    let rows = bench.rows_of_deletion("a", 1000);
    assert!(rows >= STORES as u64, "{rows}");
    for time in 2..5 {
        let rows = bench.rows_of_deletion("a", 1000 * time);
        assert!(rows <= ROWS, "{rows}");
    }
}

#[test]
fn late_deletion_changes_few_rows_the_second_time() {
    const STORES: usize = 500;
    let mut bench = Bench::new();
    let clears: Vec<String> = (0..STORES)
        .map(|store| format!(r#"{{"clear":{{"store":"s{store}"}}}}"#))
        .collect();
    bench.commit("a", 10_000, 10_000, &clears.join(","));
    let rows = bench.rows_of_deletion("b", 1000);
    assert!(rows >= STORES as u64, "{rows}");
    let rows = bench.rows_of_deletion("b", 1000);
    assert!(rows <= ROWS, "{rows}");
    assert!(bench.wants_all());
}

#[test]
fn store_list_keeps_few_tombstones() {
    let mut bench = Bench::with_tombstones(MANY, 0);
    bench.commit("a", 0, 0, r#"{"clear":{"store":"t"}}"#);
    let body = format!(
        r#"{{"store_list":{{"began_at":{0},"read_at":{0},"databases":[{{"name":"d","version":1,"stores":["s"]}}]}}}}"#,
        NOW + 1000
    );
    bench.deliver("a", &body);
    assert_eq!(bench.tombstones(), 0);
    bench.put("b", -100, -100, 1);
    assert_eq!(bench.value(), None);
    assert_eq!(bench.questions(), ["1"]);
}

#[test]
fn late_put_meets_the_second_deletion_of_its_database() {
    let mut bench = Bench::new();
    bench.put("a", 0, 0, 1);
    bench.rows_of_deletion("a", 1000);
    bench.rows_of_deletion("a", 20_000);
    // By a document that had created the database again in between.
    bench.put("b", 10_000, 10_000, 2);
    assert_eq!(bench.value(), None);
    assert_eq!(bench.events().last().map(String::as_str), Some("c 2 late"));
    assert!(bench.wants_all());
    // What comes after it is as it was.
    bench.answer(60_000, None);
    bench.put("b", 70_000, 70_000, 3);
    assert_eq!(bench.value().as_deref(), Some("3"));
}

#[test]
fn database_comes_again_unasked_after_its_deletion() {
    let mut bench = Bench::new();
    bench.put("a", 0, 0, 1);
    bench.rows_of_deletion("a", 1000);
    bench.rows_of_deletion("a", 1010);
    bench.put("a", 1020, 1030, 2);
    assert_eq!(bench.value().as_deref(), Some("2"));
    assert_eq!(bench.events().last().map(String::as_str), Some("c null→2"));
    assert!(!bench.pending_reads() && !bench.wants_all());
}

#[test]
fn file_does_not_keep_the_space_of_values_that_are_gone() {
    const LIVE: i64 = 200;
    let put = |key: i64, value: &str| format!(r#"{{"put":{{"store":"s","key":{key},"value":{value}}}}}"#);
    let long = format!("\"{}\"", "x".repeat(1900));
    let delete = |key: i64| format!(r#"{{"delete":{{"store":"s","key":{key}}}}}"#);
    // How the records of a turn go, or become short.
    let ways: [&dyn Fn(i64) -> Vec<String>; 3] = [
        &|from| (from..from + LIVE).map(delete).collect(),
        &|from| (from..from + LIVE).map(|key| put(key, "1")).collect(),
        &|from| {
            let range = format!(r#"{{"lower":{from},"upper":{}}}"#, from + LIVE);
            vec![format!(r#"{{"delete_range":{{"store":"s","range":{range}}}}}"#)]
        },
    ];
    for (number, way) in ways.iter().enumerate() {
        let mut bench = Bench::new();
        let mut pages = Vec::new();
        for turn in 0..20 {
            let from = turn * LIVE;
            let puts: Vec<String> = (from..from + LIVE).map(|key| put(key, &long)).collect();
            bench.commit("a", 2 * turn * 1000, 2 * turn * 1000, &puts.join(","));
            let at = (2 * turn + 1) * 1000;
            bench.commit("a", at, at, &way(from).join(","));
            pages.push(bench.query("SELECT count(*) FROM dbstat WHERE name = 'record'"));
        }
        // All values together take a thousand pages.
        assert!(pages.iter().all(|pages| *pages < 150), "way {number}: {pages:?}");
    }
}
