//! What one delivery may write.

use std::fs;

use super::{
    super::super::{Limits, progress::Progress, side_files::log},
    Bench, NOW,
};

/// So many bytes of events each delivery may write here.
const BOUND: u64 = 64 * 1024;

fn bench() -> Bench {
    let mut bench = Bench::new();
    for number in 1..=10 {
        let value = format!("\"{number} {}\"", "x".repeat(4000));
        bench.commit(
            "a",
            0,
            0,
            &format!(r#"{{"put":{{"store":"s","key":{number},"value":{value}}}}}"#),
        );
    }
    bench.journal.state.delivery_bytes = BOUND;
    bench
}

fn rename(from: &str, to: &str) -> String {
    format!(r#"{{"schema":{{"store":"{from}","change":{{"rename_store":{{"to":"{to}"}}}}}}}}"#)
}

#[test]
fn renames_write_no_more_than_a_delivery_may() {
    let mut bench = bench();
    let before = bench.reader.head().expect("a head");
    let renames: Vec<String> = (0..100)
        .map(|turn| {
            if turn % 2 == 0 {
                rename("s", "t")
            } else {
                rename("t", "s")
            }
        })
        .collect();
    bench.commit("a", 10_000, 10_000, &renames.join(","));
    let written: usize = bench
        .reader
        .events(before, usize::MAX >> 1, usize::MAX)
        .expect("events")
        .iter()
        .map(|entry| entry.event.len())
        .sum();
    assert!(written as u64 <= BOUND + 16 * 1024, "{written} bytes");
    // Nothing is lost in silence: gaps say how many events are missing, and the page is asked for
    // what was not moved.
    let gaps = bench
        .events()
        .iter()
        .filter(|event| event.starts_with("g "))
        .count();
    assert!((1..=2).contains(&gaps), "{gaps}");
    assert!(bench.wants_all());
    assert_eq!(
        bench.journal.state.usage.stripped,
        bench.reader.usage().expect("books").1
    );
}

#[test]
fn a_clear_past_the_bound_leaves_rows_and_a_gap() {
    for number in [5, 1] {
        let mut bench = bench();
        bench.journal.state.delivery_bytes = number * 5000;
        bench.commit(
            "a",
            10_000,
            10_000,
            r#"{"clear":{"store":"s"}},{"clear":{"store":"s"}}"#,
        );
        let events = bench.events();
        let deleted = events.iter().filter(|event| event.starts_with("d ")).count();
        assert!(deleted < 9, "{events:?}");
        assert_eq!(
            events.iter().filter(|event| event.starts_with("g ")).count(),
            1,
            "{events:?}"
        );
        // A reader that follows keys learns of all ten.
        let changes = bench.reader.changes(0, 1000, usize::MAX).expect("changes");
        assert_eq!(changes.records.len(), 10);
        assert!(changes.records.iter().all(|record| record.value.is_none()));
        // The next delivery has room of its own.
        bench.commit("a", 20_000, 20_000, r#"{"put":{"store":"s","key":1,"value":1}}"#);
        assert_eq!(bench.events().last().map(String::as_str), Some("c null→1"));
    }
}

#[test]
fn renames_write_no_more_rows_than_a_delivery_may() {
    let mut bench = bench();
    bench.journal.state.delivery_work = 30_000;
    let before = bench.reader.head().expect("a head");
    let renames: Vec<String> = (0..500)
        .map(|turn| {
            if turn % 2 == 0 {
                rename("s", "t")
            } else {
                rename("t", "s")
            }
        })
        .collect();
    bench.commit("a", 10_000, 10_000, &renames.join(","));
    // One row for each rename, and a few stretches: without a bound on rows there are 10,500.
    let rows = bench.reader.head().expect("a head") - before;
    assert!(rows < 700, "{rows}");
    assert!(bench.wants_all());
    let gaps = bench
        .events()
        .iter()
        .filter(|event| event.starts_with("g "))
        .count();
    assert!((1..=2).contains(&gaps), "{gaps}");
}

#[test]
fn long_keys_count_as_what_a_delivery_writes() {
    let mut bench = Bench::new();
    let keys: Vec<String> = (0..10)
        .map(|key| format!("\"{key} {}\"", "k".repeat(4000)))
        .collect();
    for key in &keys {
        bench.commit(
            "a",
            0,
            0,
            &format!(r#"{{"put":{{"store":"s","key":{key},"value":1}}}}"#),
        );
    }
    bench.journal.state.delivery_bytes = BOUND;
    bench.journal.state.delivery_work = 4 * BOUND;
    let before = bench.journal.state.usage.bytes;
    let clears = [r#"{"clear":{"store":"s"}}"#; 3].join(",");
    let renames: Vec<String> = (0..100)
        .map(|_| [rename("s", "t"), rename("t", "s")].join(","))
        .collect();
    bench.commit("a", 10_000, 10_000, &renames.join(","));
    let written: u64 = bench
        .journal
        .connection
        .query_row(
            "SELECT sum(octet_length(event) + coalesce(octet_length(key), 0)) FROM journal",
            [],
            |row| row.get(0),
        )
        .expect("a sum");
    assert!(written - before < 8 * BOUND, "{written}");
    bench.commit("a", 20_000, 20_000, &clears);
    assert!(bench.wants_all());
}

#[test]
fn record_is_published_late_once_in_a_commit() {
    let mut bench = bench();
    let known = bench.events().len();
    let clears = [r#"{"clear":{"store":"s"}}"#; 50].join(",");
    bench.commit("b", -600_000, -600_000, &clears);
    let events = bench.events();
    let deleted = events[known..]
        .iter()
        .filter(|event| event.starts_with("d "))
        .count();
    assert_eq!(deleted, 10, "{events:?}");
}

#[test]
fn a_read_tells_what_was_owed_when_the_rules_changed() {
    let mut bench = Bench::new();
    let _carrier = Progress::open(bench.journal.path(), bench.journal.turn(), "carrier").expect("a sink");
    bench.journal.limit(Limits::default(), "carrier");
    bench.journal.state.delivery_bytes = 1;
    let put = |key: i64| format!(r#"{{"put":{{"store":"s","key":{key},"value":"secret"}}}}"#);
    bench.commit("a", 0, 0, &[put(1), put(2), put(3)].join(","));
    assert!(bench.journal.has_backfill_pending());
    let texts = |bench: &Bench| -> Vec<String> {
        let entries = bench.reader.events(0, 100, usize::MAX).expect("events");
        entries.iter().map(|entry| entry.event.to_string()).collect()
    };
    let before = texts(&bench)
        .iter()
        .filter(|text| text.contains("secret"))
        .count();
    bench.journal.redacted_by("some").expect("noted");
    let head = bench.reader.head().expect("a head");
    bench
        .journal
        .connection
        .execute("UPDATE sink SET number = ?1", [head])
        .expect("passed on");
    while bench.journal.tidy().expect("tidied") {}
    assert!(!bench.journal.has_backfill_pending());
    let after = texts(&bench)
        .iter()
        .filter(|text| text.contains("secret"))
        .count();
    assert_eq!(after, before, "{:?}", texts(&bench));
    // The read finds the mirror's values. The present rules allow publishing them, and the stream
    // lacks them.
    bench.journal.state.delivery_bytes = BOUND;
    bench.snapshot(
        "a",
        20_000,
        r#"{"key":1,"value":"secret"},{"key":2,"value":"secret"},{"key":3,"value":"masked"}"#,
    );
    let events = bench.events();
    let published: Vec<&String> = events.iter().filter(|event| event.starts_with("r ")).collect();
    assert_eq!(published, ["r \"secret\"", "r \"masked\""], "{events:?}");
}

#[test]
fn records_with_too_long_keys_are_left_out_and_named() {
    let mut bench = Bench::new();
    let long = "k".repeat(1024 * 1024);
    let put = |key: &str| format!(r#"{{"put":{{"store":"s","key":"{key}","value":1}}}}"#);
    let commit = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{1},{2},{3}]}}}}"#,
        super::NOW,
        put("a"),
        put(&long),
        put("b")
    );
    let outcome = bench.deliver("a", &commit);
    let [error] = &outcome.errors[..] else {
        panic!("{:?}", outcome.errors)
    };
    assert!(
        error
            .message
            .contains("1 records of a page of http://localhost were left out"),
        "{error:?}"
    );
    assert_eq!(bench.events().len(), 2);
    let snapshot = format!(
        r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":{0},"read_at":{0},"records":[{{"key":"a","value":1}},{{"key":"b","value":1}},{{"key":"{long}","value":1}}]}}}}"#,
        super::NOW + 60_000
    );
    let outcome = bench.deliver("a", &snapshot);
    assert_eq!(outcome.errors.len(), 1);
    assert_eq!(bench.events().len(), 2);
}

/// Engines write out what a page gives as references, so the record may be here.
#[test]
fn deletion_with_a_key_that_cannot_be_had_is_read_again() {
    let bytes = "AAAA".repeat(1000);
    let buffer = format!(r#"{{"$bytes":{{"type":"ArrayBuffer","base64":"{bytes}"}}}}"#);
    let written_out = format!("[{buffer},{buffer},{buffer},{buffer}]");
    let referring =
        format!(r#"[{{"$id":{{"id":1,"value":{buffer}}}}},{{"$ref":1}},{{"$ref":1}},{{"$ref":1}}]"#);
    let long = "A".repeat(2_000_000);
    let view = format!(
        r#"{{"$bytes":{{"type":"Uint8Array","offset":0,"length":1,"buffer":{{"$bytes":{{"type":"ArrayBuffer","base64":"{long}"}}}}}}}}"#
    );
    for key in [referring, view] {
        let mut bench = Bench::new();
        let put = format!(r#"{{"put":{{"store":"s","key":{written_out},"value":1}}}}"#);
        bench.commit("a", 0, 0, &put);
        bench.snapshot("a", 500, &format!(r#"{{"key":{written_out},"value":1}}"#));
        let delete = format!(r#"{{"delete":{{"store":"s","key":{key}}}}}"#);
        bench.commit("a", 1000, 1000, &delete);
        assert!(bench.wants_all());
    }
}

/// The bytes of names in the rows of stores.
fn names_of_stores(bench: &Bench) -> u64 {
    bench
        .journal
        .connection
        .query_row(
            "SELECT sum(octet_length(origin) + octet_length(database) + octet_length(name)) FROM store",
            [],
            |row| row.get(0),
        )
        .expect("a sum")
}

/// A small delivery about many stores, whose names are short in it and long in their rows.
fn check_names(bench: &mut Bench, body: &str) {
    bench.journal.state.delivery_bytes = BOUND;
    bench.deliver("a", body);
    let written = names_of_stores(bench);
    assert!((BOUND / 4..2 * BOUND).contains(&written), "{written}");
    let connection = &bench.journal.connection;
    let missing = connection.query_row("SELECT count(*) FROM resync", [], |row| row.get::<_, u64>(0));
    assert_eq!(missing, Ok(1));
}

/// `count` of something about the stores `s0`, `s1`….
fn of_stores(count: usize, what: impl Fn(usize) -> String) -> String {
    let all: Vec<String> = (0..count).map(what).collect();
    all.join(",")
}

fn commit_in_long_database(operations: &str) -> String {
    format!(
        r#"{{"commit":{{"database":"{}","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{operations}]}}}}"#,
        "d".repeat(1000)
    )
}

#[test]
fn names_of_stores_count_as_what_a_commit_writes() {
    let mut bench = Bench::new();
    let puts = of_stores(2000, |store| {
        format!(r#"{{"put":{{"store":"s{store}","key":1,"value":1}}}}"#)
    });
    check_names(&mut bench, &commit_in_long_database(&puts));
}

#[test]
fn names_of_stores_count_as_what_an_upgrade_writes() {
    let mut bench = Bench::new();
    let renames = of_stores(2000, |store| {
        rename(&format!("s{store}"), &format!("s{}", store + 1))
    });
    check_names(&mut bench, &commit_in_long_database(&renames));
}

#[test]
fn names_of_stores_count_as_what_a_gap_writes() {
    let mut bench = Bench::new();
    let stores = of_stores(2000, |store| {
        format!(r#"{{"database":"{}","store":"s{store}"}}"#, "d".repeat(1000))
    });
    check_names(
        &mut bench,
        &format!(r#"{{"gap":{{"reason":"r","stores":[{stores}]}}}}"#),
    );
}

#[test]
fn names_of_stores_count_as_what_a_store_list_writes() {
    let mut bench = Bench::new();
    bench.deliver("a", r#"{"gap":{"reason":"r","stores":[]}}"#);
    assert!(bench.wants_all());
    let stores = of_stores(2000, |store| format!(r#""s{store}""#));
    let at = i64::MAX / 1_000_000;
    check_names(
        &mut bench,
        &format!(
            r#"{{"store_list":{{"began_at":{at},"read_at":{at},"databases":[{{"name":"{}","version":1,"stores":[{stores}]}}]}}}}"#,
            "d".repeat(1000)
        ),
    );
}

#[test]
fn rows_of_stores_count_where_the_disk_is_full() {
    let mut bench = Bench::new();
    let stores = of_stores(2000, |store| {
        format!(r#"{{"database":"{}","store":"s{store}"}}"#, "d".repeat(1000))
    });
    bench.deliver("a", &format!(r#"{{"gap":{{"reason":"r","stores":[{stores}]}}}}"#));
    let (attempted, written) = (bench.journal.attempted(), names_of_stores(&bench));
    assert!(written > 1_000_000, "{written}");
    assert!(attempted >= written, "{attempted} of {written}");
}

#[test]
fn the_log_becomes_small_again() {
    let mut bench = Bench::new();
    bench.journal.limit(
        Limits {
            max_bytes: None,
            ..Limits::default()
        },
        "",
    );
    let value = "x".repeat(1024 * 1024);
    let puts: Vec<String> = (0..40)
        .map(|key| format!(r#"{{"put":{{"store":"s","key":{key},"value":"{value}"}}}}"#))
        .collect();
    bench.commit("a", 0, 0, &puts.join(","));
    let log = log::path(bench.journal.path());
    let length = || fs::metadata(&log).expect("a log").len();
    assert!(length() > 2 * log::LIMIT, "{}", length());
    bench.journal.tidy().expect("tidied");
    assert!(length() <= log::LIMIT, "{}", length());
}

#[test]
fn short_text_of_a_huge_key_writes_little() {
    let mut bench = bench();
    let buffer = format!(
        r#"{{"$bytes":{{"type":"ArrayBuffer","base64":"{}"}}}}"#,
        "AAAA".repeat(10_000)
    );
    let key = format!(
        r#"[{{"$id":{{"id":1,"value":{buffer}}}}}{}]"#,
        r#",{"$ref":1}"#.repeat(1000)
    );
    let commit = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{{"put":{{"store":"s","key":{key},"value":1}}}}]}}}}"#,
        NOW + 10_000
    );
    let outcome = bench.deliver("a", &commit);
    assert!(
        outcome.errors[0].message.contains("1 records of a page"),
        "{:?}",
        outcome.errors
    );
    let bytes = fs::metadata(bench.journal.path()).expect("a file").len();
    assert!(bytes < 4 * 1024 * 1024, "{bytes}");
    // The bounds of a range are no key of a record: its store is read again.
    bench.commit(
        "a",
        20_000,
        20_000,
        &format!(
            r#"{{"delete_range":{{"store":"s","range":{{"lower":{key},"lower_open":false,"upper_open":false}}}}}}"#
        ),
    );
    assert!(bench.wants_all());
}
