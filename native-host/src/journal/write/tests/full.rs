//! A journal whose sinks are away: what it takes is bounded, and comes right once they are back.

use protocol::wire::host::ErrorCode;

use super::{
    super::super::{
        Limits,
        progress::{Progress, condition::Notice},
    },
    Bench, NOW,
};

const MIB: u64 = 1024 * 1024;

/// A journal of at most a mebibyte of events, which one sink has yet to pass on.
fn bench() -> (Bench, Progress) {
    bench_of(MIB)
}

fn bench_of(most: u64) -> (Bench, Progress) {
    let mut bench = Bench::new();
    let sink = Progress::open(bench.journal.path(), bench.journal.turn(), "carrier").expect("a sink");
    let limits = Limits {
        max_bytes: Some(most),
        ..Limits::default()
    };
    bench.journal.limit(limits, "carrier");
    (bench, sink)
}

impl Bench {
    /// What the texts and keys of all events take.
    fn event_bytes(&self) -> u64 {
        self.query("SELECT sum(octet_length(event) + coalesce(octet_length(key), 0)) FROM journal")
    }

    /// How many events are gone, as the gaps say, which stand for one themselves.
    fn missing(&self) -> u64 {
        self.query(
            "SELECT coalesce(sum(event ->> '$.gap' - 1), 0) FROM journal WHERE event LIKE '{\"op\":\"g\"%'",
        )
    }

    /// How many events have neither a text nor a gap of their own.
    fn stripped(&self) -> u64 {
        self.query("SELECT count(*) FROM journal WHERE event = ''")
    }

    /// Whether tables and indexes agree.
    fn journal_is_sound(&self) {
        let problems =
            self.query("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
        assert_eq!(problems, 0);
    }

    /// The sink passes everything on, until there is nothing more to do.
    fn catch_up(&mut self, sink: &Progress) {
        for _ in 0..100 {
            let head = self.reader.head().expect("a head");
            sink.save(head, &[]).expect("saved");
            let more = self.journal.tidy().expect("tidied");
            if !more && !self.journal.has_backfill_pending() && self.reader.head().expect("a head") == head {
                return;
            }
        }
        panic!("it does not come to rest");
    }
}

fn long(length: usize, number: i64) -> String {
    format!("\"{number} {}\"", "x".repeat(length))
}

#[test]
fn events_about_whole_stores_lose_their_text_too() {
    let range = |number| {
        format!(
            r#"{{"delete_range":{{"store":"s","range":{{"lower":{},"upper":{},"lower_open":false,"upper_open":false}}}}}}"#,
            long(100_000, number),
            long(200_000, number)
        )
    };
    let key_path = |number| {
        format!(
            r#"{{"schema":{{"store":"s","change":{{"create_index":{{"index":"i","key_path":{},"unique":false,"multi_entry":false}}}}}}}}"#,
            long(300_000, number)
        )
    };
    let operations: [&dyn Fn(i64) -> String; 2] = [&range, &key_path];
    for operation in operations {
        let (mut bench, sink) = bench();
        for number in 0..30 {
            bench.commit("a", number * 1000, number * 1000, &operation(number));
        }
        assert!(bench.event_bytes() <= MIB, "{}", bench.event_bytes());
        assert!(bench.stripped() > 10, "{}", bench.stripped());
        assert_eq!(bench.missing(), bench.stripped());
        bench.commit("a", 50_000, 50_000, r#"{"put":{"store":"s","key":1,"value":1}}"#);
        bench.catch_up(&sink);
        assert_eq!(bench.events().last().map(String::as_str), Some("c 1"));
    }
}

#[test]
fn journal_full_of_keys_becomes_empty_once_the_sinks_are_back() {
    let (mut bench, sink) = bench();
    for number in 0..30 {
        let put = format!(
            r#"{{"put":{{"store":"s","key":{},"value":1}}}}"#,
            long(60_000, number)
        );
        bench.commit("a", number * 1000, number * 1000, &put);
    }
    assert!(bench.event_bytes() > MIB, "{}", bench.event_bytes());
    bench.catch_up(&sink);
    assert!(bench.event_bytes() <= MIB, "{}", bench.event_bytes());
    // Those that the sink had not had follow.
    let events = bench.events();
    assert!(events.iter().any(|event| event == "r 1"), "{events:?}");
}

#[test]
fn journal_full_of_keys_takes_no_more_until_the_sinks_are_back() {
    let (mut bench, sink) = bench();
    let put = |key: &str, number: i64| {
        format!(
            r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{{"put":{{"store":"s","key":{key},"value":1}}}}]}}}}"#,
            NOW + number * 1000
        )
    };
    let mut errors = Vec::new();
    for number in 0..100 {
        errors.extend(bench.deliver("a", &put(&long(60_000, number), number)).errors);
    }
    // The bound twice, and a delivery.
    let bytes = bench.event_bytes();
    assert!(bytes < 2 * MIB + 200_000, "{bytes}");
    assert!(errors.len() > 10, "{errors:?}");
    let error = &errors[0];
    assert!(
        error.code == ErrorCode::DeliveriesMissing && error.message.contains("journal.max_mib"),
        "{error:?}"
    );
    assert!(!bench.wants_all(), "nothing could be kept of what is read");
    bench.catch_up(&sink);
    assert!(bench.event_bytes() <= MIB, "{}", bench.event_bytes());
    assert!(bench.wants_all());
    bench.deliver("a", &put("1", 200));
    assert_eq!(bench.events().last().map(String::as_str), Some("c 1"));
}

#[test]
fn rows_without_a_text_count() {
    let (mut bench, _sink) = bench_of(MIB / 8);
    let clears = vec![r#"{"clear":{"store":"s"}}"#; 2000].join(",");
    for number in 0..30 {
        bench.commit("a", number * 1000, number * 1000, &clears);
    }
    let rows = bench.query("SELECT count(*) FROM journal");
    assert!(rows < 30_000, "{rows}");
}

/// Lets a sink fall behind while 2,000 records are written, whose keys alone fill the journal and
/// `long` of which have values of this length. Then the sink stays `lag` events behind the head.
/// What is backfilled has to reach it with its text.
fn check_backfill_reaches_the_sink(lag: u64, long_values: i64, length: usize) {
    let (mut bench, sink) = bench();
    for commit in 0..40 {
        let puts: Vec<String> = (commit * 50..commit * 50 + 50)
            .map(|number| {
                let value = if number < long_values { length } else { 1 };
                format!(
                    r#"{{"put":{{"store":"s","key":{},"value":{}}}}}"#,
                    long(700, number),
                    long(value, number)
                )
            })
            .collect();
        bench.commit("a", commit * 1000, commit * 1000, &puts.join(","));
    }
    assert!(bench.event_bytes() > MIB, "{}", bench.event_bytes());
    let last_written = bench.reader.head().expect("a head");
    for _ in 0..100 {
        let passed_on = bench.reader.head().expect("a head") - lag;
        sink.save(passed_on, &[]).expect("saved");
        bench.journal.tidy().expect("tidied");
        let lost = bench.query(&format!(
            "SELECT count(*) FROM journal WHERE number > max({passed_on}, {last_written})
                AND (event = '' OR event LIKE '{{\"op\":\"g\"%')"
        ));
        assert_eq!(lost, 0, "events were stripped before the sink saw them");
    }
    bench.catch_up(&sink);
    assert!(bench.event_bytes() <= MIB, "{}", bench.event_bytes());
}

#[test]
fn backfill_of_a_full_journal_reaches_a_sink_that_lags() {
    for lag in [1, 900] {
        check_backfill_reaches_the_sink(lag, 0, 0);
    }
}

#[test]
fn backfill_of_long_values_reaches_the_sink() {
    check_backfill_reaches_the_sink(1, 20, 350_000);
}

#[test]
fn sink_that_stops_amid_a_backfill_lets_the_journal_grow_no_further() {
    let (mut bench, sink) = bench();
    let put = |number: i64, length: usize| {
        format!(
            r#"{{"put":{{"store":"s","key":{number},"value":{}}}}}"#,
            long(length, number)
        )
    };
    for number in 0..40 {
        bench.commit("a", number * 1000, number * 1000, &put(number, 100_000));
    }
    sink.save(bench.reader.head().expect("a head"), &[])
        .expect("saved");
    bench.journal.tidy().expect("tidied");
    for number in 40..100 {
        bench.commit("a", number * 1000, number * 1000, &put(number, 100_000));
        let bytes = bench.event_bytes();
        assert!(bytes < MIB + MIB / 2 + 200_000, "{bytes}");
    }
    bench.catch_up(&sink);
}

#[test]
fn overfull_journal_takes_no_more_after_a_restart() {
    let (mut bench, sink) = bench();
    let put = |number: i64| {
        format!(
            r#"{{"put":{{"store":"s","key":{},"value":1}}}}"#,
            long(60_000, number)
        )
    };
    let mut number = 0;
    while !bench.journal.state.was_overfull {
        bench.commit("a", number * 1000, number * 1000, &put(number));
        number += 1;
        assert!(number < 100, "it is never full");
    }
    let rows = bench.query("SELECT count(*) FROM journal");
    // A failed transaction makes the writer read its state again, and so does a restart.
    bench.deliver_if("a", r#"{"gap":{"reason":"r","stores":[]}}"#, false);
    bench.commit("a", number * 1000, number * 1000, &put(number));
    assert_eq!(bench.query("SELECT count(*) FROM journal"), rows);
    let limits = bench.journal.state.limits;
    let mut bench = bench.restart();
    bench.journal.limit(limits, "carrier");
    bench.commit("a", number * 1000, number * 1000, &put(number + 1));
    assert_eq!(bench.query("SELECT count(*) FROM journal"), rows);
    drop(sink);
    let sink = Progress::open(bench.journal.path(), bench.journal.turn(), "carrier").expect("a sink");
    bench.catch_up(&sink);
    bench.commit(
        "a",
        300_000,
        300_000,
        r#"{"put":{"store":"s","key":1,"value":1}}"#,
    );
    assert_eq!(bench.events().last().map(String::as_str), Some("c 1"));
}

#[test]
fn lowered_bound_gives_up_no_delivery_while_values_can_be_stripped() {
    let (mut bench, _sink) = bench_of(4 * MIB);
    let put = |number: i64| {
        format!(
            r#"{{"put":{{"store":"s","key":{number},"value":{}}}}}"#,
            long(100_000, number)
        )
    };
    for number in 0..30 {
        bench.commit("a", number * 1000, number * 1000, &put(number));
    }
    let limits = Limits {
        max_bytes: Some(MIB),
        ..Limits::default()
    };
    let mut bench = bench.restart();
    bench.journal.limit(limits, "carrier");
    bench.commit("a", 60_000, 60_000, &put(60));
    assert_eq!(bench.query("SELECT count(*) FROM journal"), 31);
    assert!(bench.event_bytes() <= MIB, "{}", bench.event_bytes());
}

#[test]
fn file_does_not_grow_with_texts_that_were_stripped() {
    // Several rows share a page of the file, and all of a page's rows lose their texts.
    for length in [1600, 300] {
        let (mut bench, _sink) = bench();
        let mut pages = Vec::new();
        for turn in 0..10 {
            for commit in 0..5 {
                let puts: Vec<String> = (0..200)
                    .map(|key| {
                        format!(
                            r#"{{"put":{{"store":"s","key":{key},"value":{}}}}}"#,
                            long(length, key)
                        )
                    })
                    .collect();
                let at = (turn * 5 + commit) * 1000;
                bench.commit("a", at, at, &puts.join(","));
            }
            while bench.journal.tidy().expect("tidied") {}
            pages.push(
                bench.query(
                    "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count",
                ),
            );
        }
        // Rows and mirror take their room, and the texts that are kept.
        let bytes = pages[9] * 8192;
        assert!(bytes < 4 * MIB, "{length}: {pages:?}");
        bench.journal_is_sound();
    }
}

#[test]
fn notices_are_short_and_few() {
    let (mut bench, sink) = bench();
    let puts: Vec<String> = (0..2000)
        .map(|key| format!(r#"{{"put":{{"store":"s","key":{key},"value":1}}}}"#))
        .collect();
    bench.commit("a", 0, 0, &puts.join(","));
    let head = bench.reader.head().expect("a head");
    let notices: Vec<Notice> = (head - 1999..=head)
        .map(|number| Notice {
            number,
            text: format!("{number}: {}", "é".repeat(10_000)),
        })
        .collect();
    sink.save(head - 2000, &notices).expect("saved");
    bench.commit("a", 1000, 1000, r#"{"put":{"store":"s","key":1,"value":2}}"#);
    bench.journal.tidy().expect("tidied");
    assert_eq!(bench.query("SELECT max(octet_length(text)) > 256 FROM notice"), 0);
    assert_eq!(bench.query("SELECT count(*) FROM notice"), 1000);
    assert_eq!(bench.query("SELECT max(number) FROM notice"), head);
}
