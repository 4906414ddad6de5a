//! What is forgotten: deleted records, and stores that are gone. What comes late all the same
//! changes nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;

use super::{Bench, NOW};
use crate::{journal::Limits, time::now_ms};

const MINUTE: i64 = 60_000;
/// How many thousand steps of SQLite a store list may take beside ten thousand deleted stores: a
/// scan of their rows takes 100, reading each one again ten times as many.
const STEPS: u64 = 300;
const DELETE: &str = r#"{"delete":{"store":"s","key":1}}"#;

impl Bench {
    fn count(&self, table: &str) -> usize {
        let connection = Connection::open(self.journal.path()).expect("a database");
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .expect("a number")
    }

    /// A store list that names no database.
    fn list_nothing(&mut self, at: i64) {
        let at = NOW + at;
        let body =
            format!(r#"{{"store_list":{{"buckets":[],"began_at":{at},"read_at":{at},"databases":[]}}}}"#);
        self.deliver("reader", &body);
    }

    /// How many thousand steps SQLite takes for it.
    fn count_steps(&mut self, work: impl FnOnce(&mut Self)) -> u64 {
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let connection = &mut self.journal.connection;
        connection
            .progress_handler(
                1000,
                Some(move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    false
                }),
            )
            .expect("set");
        work(self);
        let connection = &mut self.journal.connection;
        connection.progress_handler(0, None::<fn() -> bool>).expect("set");
        steps.load(Ordering::Relaxed)
    }

    /// No event is kept that was passed on.
    fn keep_nothing(&mut self) {
        let limits = Limits {
            keep_bytes: 0,
            keep: Duration::ZERO,
            max_bytes: None,
        };
        self.journal.limit(limits, "");
        while self.journal.tidy().expect("tidied") {}
    }
}

#[test]
fn late_put_brings_no_deleted_record_back_after_a_restart() {
    for restarts in [true, false] {
        for deletion in [
            DELETE,
            r#"{"delete_range":{"store":"s","range":{"lower":0,"upper":6}}}"#,
        ] {
            let mut bench = Bench::new();
            let now = now_ms() - NOW;
            bench.put("b", now - 120 * MINUTE, now - 120 * MINUTE, 1);
            bench.commit("b", now - 90 * MINUTE, now - 90 * MINUTE, deletion);
            if restarts {
                bench = bench.restart();
            } else {
                bench.journal.tidy().expect("tidied");
            }
            // Nothing is kept of each record.
            assert_eq!(bench.count("record"), 0);
            // By a tab that was frozen all the time.
            bench.put("a", now - 95 * MINUTE, now - 95 * MINUTE, 2);
            assert_eq!(bench.value(), None);
            assert_eq!(bench.events().last().map(String::as_str), Some("c 2 late"));
            assert_eq!(bench.questions(), ["1"]);
            bench.answer(now + 1000, None);
            assert!(!bench.pending_reads());
        }
    }
}

#[test]
fn late_put_of_another_record_is_read_after_a_restart() {
    let mut bench = Bench::new();
    let now = now_ms() - NOW;
    bench.put("b", now - 120 * MINUTE, now - 120 * MINUTE, 1);
    bench.commit("b", now - 90 * MINUTE, now - 90 * MINUTE, DELETE);
    let mut bench = bench.restart();
    // It was never deleted; that is known no longer.
    bench.commit(
        "a",
        now - 95 * MINUTE,
        now - 95 * MINUTE,
        r#"{"put":{"store":"s","key":2,"value":2}}"#,
    );
    assert_eq!(bench.questions(), ["2"]);
    // What is written since is not late.
    bench.put("c", now - 80 * MINUTE, now - 80 * MINUTE, 3);
    assert_eq!(bench.value().as_deref(), Some("3"));
    assert_eq!(bench.questions(), [""; 0]);
}

#[test]
fn stores_that_are_gone_are_forgotten_and_cost_no_load() {
    let mut bench = Bench::new();
    let put = |store: usize| format!(r#"{{"put":{{"store":"s{store}","key":1,"value":{store}}}}}"#);
    let puts: Vec<String> = (0..10_000).map(put).collect();
    let now = now_ms() - NOW;
    let long_ago = now - 120 * MINUTE;
    bench.commit("a", long_ago, long_ago, &puts.join(","));
    let body = format!(
        r#"{{"deletion":{{"database":"d","began_at":{0},"deleted_at":{0}}}}}"#,
        NOW + long_ago + 1000
    );
    bench.deliver("a", &body);
    bench.list_nothing(long_ago + 2000);
    assert_eq!(bench.reader.stores().expect("stores").len(), 0);
    let steps = bench.count_steps(|bench| bench.list_nothing(long_ago + 3000));
    assert!(steps < STEPS, "{steps} thousand steps of SQLite");
    // As long as an event is about them, a sink may need their names.
    bench.journal.tidy().expect("tidied");
    assert_eq!(bench.count("store"), 10_000);
    bench.keep_nothing();
    assert_eq!(bench.count("record"), 0);
    // The last one keeps its id from being given out twice.
    assert_eq!(bench.count("store"), 1);
    assert_eq!(bench.count("read_mark"), 1);
    // What comes late of one of them brings nothing back.
    let body = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{1}]}}}}"#,
        NOW + long_ago + 500,
        put(7)
    );
    bench.deliver("b", &body);
    assert_eq!(bench.reader.stores().expect("stores").len(), 1);
    assert_eq!(bench.reader.stores().expect("stores")[0].records, 0);
    assert!(bench.wants_all());
}

#[test]
fn store_that_comes_again_is_as_one_that_is_new() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.deliver(
        "a",
        &format!(
            r#"{{"deletion":{{"database":"d","began_at":{0},"deleted_at":{0}}}}}"#,
            NOW + 1000
        ),
    );
    bench.list_nothing(2000);
    assert_eq!(bench.reader.stores().expect("stores").len(), 0);
    bench.put("a", 3000, 3010, 2);
    assert_eq!(bench.value().as_deref(), Some("2"));
    assert!(!bench.pending_reads() && !bench.wants_all());
    // So it is read, if it comes so.
    bench.deliver(
        "a",
        &format!(
            r#"{{"deletion":{{"database":"d","began_at":{0},"deleted_at":{0}}}}}"#,
            NOW + 4000
        ),
    );
    bench.list_nothing(5000);
    bench.snapshot("reader", 6000, r#"{"key":1,"value":3}"#);
    assert_eq!(bench.value().as_deref(), Some("3"));
    assert_eq!(bench.reader.stores().expect("stores").len(), 1);
}

#[test]
fn store_that_waits_to_be_read_is_not_forgotten() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    bench.list_nothing(1100);
    bench.list_nothing(1200);
    // Its record is in doubt.
    assert!(bench.pending_reads());
    assert_eq!(bench.reader.stores().expect("stores").len(), 1);
}

const KIB: u64 = 1024;

/// A journal of at most a mebibyte, of which a quarter is for deleted records.
fn bench_of_a_mebibyte() -> Bench {
    let mut bench = Bench::new();
    let limits = Limits {
        max_bytes: Some(1024 * KIB),
        ..Limits::default()
    };
    bench.journal.limit(limits, "");
    bench
}

impl Bench {
    /// What the rows of deleted records take, in the table and in its index.
    fn tombstone_bytes(&self) -> u64 {
        let connection = Connection::open(self.journal.path()).expect("a database");
        connection
            .query_row(
                "SELECT coalesce(sum(2 * octet_length(key) + 64), 0) FROM record WHERE value IS NULL",
                [],
                |row| row.get(0),
            )
            .expect("a number")
    }
}

fn long_key(number: i64) -> String {
    format!("\"{number} {}\"", "k".repeat(10_000))
}

fn put_of(key: &str) -> String {
    format!(r#"{{"put":{{"store":"s","key":{key},"value":1}}}}"#)
}

fn delete_of(key: &str) -> String {
    format!(r#"{{"delete":{{"store":"s","key":{key}}}}}"#)
}

/// Makes a deleted record of a number.
type Way<'w> = &'w dyn Fn(&mut Bench, i64);

#[test]
fn deleted_records_take_a_bounded_room() {
    let now = now_ms() - NOW - 10 * MINUTE;
    let delete_unknown = |bench: &mut Bench, number: i64| {
        bench.commit("a", now + number, now + number, &delete_of(&long_key(number)));
    };
    let delete_known = |bench: &mut Bench, number: i64| {
        let key = long_key(number);
        let operations = [put_of(&key), delete_of(&key)].join(",");
        bench.commit("a", now + number, now + number, &operations);
    };
    let delete_range = |bench: &mut Bench, number: i64| {
        let key = long_key(number);
        let range = format!(r#"{{"delete_range":{{"store":"s","range":{{"lower":{key},"upper":{key}}}}}}}"#);
        let operations = [put_of(&key), range];
        bench.commit("a", now + number, now + number, &operations.join(","));
    };
    let put_late = |bench: &mut Bench, number: i64| {
        bench.commit("b", now + 5000, now + 5000, r#"{"clear":{"store":"s"}}"#);
        bench.commit("a", now + number, now + number, &put_of(&long_key(number)));
    };
    let read_absent = |bench: &mut Bench, number: i64| {
        let key = long_key(number);
        for (present, absent) in [
            (format!(r#"{{"key":{key},"value":1}}"#), String::new()),
            (String::new(), key),
        ] {
            let at = NOW + now + 2000 * number + i64::from(present.is_empty()) * 1000;
            bench.deliver(
                "a",
                &format!(
                    r#"{{"records":{{"database":"d","version":1,"store":"s","began_at":{at},"read_at":{at},"present":[{present}],"absent":[{absent}]}}}}"#
                ),
            );
        }
    };
    let ways: [(&str, Way<'_>); 5] = [
        ("delete of what never was", &delete_unknown),
        ("delete of what was", &delete_known),
        ("deleted range", &delete_range),
        ("late put", &put_late),
        ("absent as it was read", &read_absent),
    ];
    for (name, way) in ways {
        let mut bench = bench_of_a_mebibyte();
        for number in 0..60 {
            way(&mut bench, number);
            let bytes = bench.tombstone_bytes();
            assert!(bytes <= 256 * KIB, "{name}: {bytes} after {number}");
        }
        assert!(
            bench.tombstone_bytes() > 64 * KIB,
            "{name}: the youngest are still there"
        );
    }
}

#[test]
fn late_put_brings_no_record_back_that_was_forgotten_for_its_size() {
    let mut bench = bench_of_a_mebibyte();
    let now = now_ms() - NOW - 10 * MINUTE;
    bench.put("b", now, now, 1);
    bench.commit("b", now + 2000, now + 2000, DELETE);
    for number in 0..100 {
        let at = now + 3000 + number;
        bench.commit("b", at, at, &delete_of(&long_key(number)));
    }
    let forgotten = "SELECT count(*) FROM record WHERE octet_length(key) < 100";
    assert_eq!(
        bench
            .journal
            .connection
            .query_row(forgotten, [], |row| row.get::<_, u64>(0)),
        Ok(0)
    );
    // By a document that was busy all the time.
    bench.put("a", now + 1000, now + 1000, 2);
    assert_eq!(bench.value(), None);
    assert_eq!(bench.events().last().map(String::as_str), Some("c 2 late"));
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(now + 5000, None);
    assert!(!bench.pending_reads());
    // What is written since is as it was.
    bench.put("b", now + 6000, now + 6000, 3);
    assert_eq!(bench.value().as_deref(), Some("3"));
    assert_eq!(bench.questions(), [""; 0]);
}
