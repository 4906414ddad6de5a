//! What one delivery may write.

use std::fs;

use super::{
    super::super::{Limits, log},
    Bench,
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
    // Nothing is lost in silence: gaps say how many events are missing, and the page is asked for what was not moved.
    let gaps = bench
        .events()
        .iter()
        .filter(|event| event.starts_with("g "))
        .count();
    assert!((1..=2).contains(&gaps), "{gaps}");
    assert!(bench.wants_all());
    assert_eq!(
        bench.journal.state.room.shed,
        bench.reader.room().expect("books").1
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
