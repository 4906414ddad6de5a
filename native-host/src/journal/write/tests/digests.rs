//! Stretches that are compared by their digests: one that is alike has the effect of its snapshot,
//! one that differs has none.

use std::collections::BTreeMap;

use fastrand::Rng;
use protocol::{body::MAX_STRETCH_RECORDS, digest::RecordsDigest};
use rusqlite::{Connection, types::Value as Cell};
use serde_json::Value;

use super::{Bench, NOW, Outcome};
use crate::time::now_ms;

/// What a store holds, by number.
type Records = BTreeMap<u8, i64>;

/// A stretch as it was read: the keys up to this one, or to the end, and when.
type Read = (Option<u8>, i64, i64);

fn digest_of(records: &Records, after: Option<u8>, until: Option<u8>) -> (u64, String) {
    let mut digest = RecordsDigest::default();
    for (key, value) in within(records, after, until) {
        digest.add(&key.to_string(), &value.to_string());
    }
    (digest.records(), digest.finish())
}

fn within(records: &Records, after: Option<u8>, until: Option<u8>) -> impl Iterator<Item = (u8, i64)> {
    let is_in =
        move |key: u8| after.is_none_or(|after| key > after) && until.is_none_or(|until| key <= until);
    records
        .iter()
        .map(|(key, value)| (*key, *value))
        .filter(move |(key, _)| is_in(*key))
}

fn bound(name: &str, key: Option<u8>) -> String {
    key.map_or_else(String::new, |key| format!(r#""{name}":{key},"#))
}

/// Stretches of a store that holds these records, behind a key.
fn digests_body(records: &Records, mut after: Option<u8>, reads: &[Read]) -> String {
    let head = bound("after", after);
    let stretches: Vec<String> = reads
        .iter()
        .map(|(until, began_at, read_at)| {
            let (count, digest) = digest_of(records, after, *until);
            after = *until;
            format!(
                r#"{{{}"began_at":{began_at},"read_at":{read_at},"records":{count},"digest":"{digest}"}}"#,
                bound("until", *until)
            )
        })
        .collect();
    format!(
        r#"{{"digests":{{"database":"d","version":1,"store":"s",{head}"stretches":[{}]}}}}"#,
        stretches.join(",")
    )
}

fn snapshot_body(records: &Records, after: Option<u8>, (until, began_at, read_at): Read) -> String {
    let records: Vec<String> = within(records, after, until)
        .map(|(key, value)| format!(r#"{{"key":{key},"value":{value}}}"#))
        .collect();
    format!(
        r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":{began_at},"read_at":{read_at},{}{}"records":[{}]}}}}"#,
        bound("after", after),
        bound("until", until),
        records.join(",")
    )
}

fn matched(outcome: &Outcome) -> u32 {
    outcome.matched.iter().map(|matched| matched.stretches).sum()
}

impl Bench {
    /// Reads a store of these records by stretches; how many are alike.
    fn compare(&mut self, records: &Records, reads: &[Read]) -> u32 {
        let outcome = self.deliver("reader", &digests_body(records, None, reads));
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        matched(&outcome)
    }

    /// The same, and sends the stretches that differ, as the bridge does.
    fn read_by_digests(&mut self, context: &str, records: &Records, reads: &[Read]) {
        let mut after = None;
        let mut left = reads;
        while !left.is_empty() {
            let outcome = self.deliver(context, &digests_body(records, after, left));
            let alike = matched(&outcome) as usize;
            after = left[..alike].last().map_or(after, |read| read.0);
            left = &left[alike..];
            let Some((first, rest)) = left.split_first() else {
                break;
            };
            self.deliver(context, &snapshot_body(records, after, *first));
            after = first.0;
            left = rest;
        }
    }

    fn read_by_snapshots(&mut self, context: &str, records: &Records, reads: &[Read]) {
        let mut after = None;
        for read in reads {
            self.deliver(context, &snapshot_body(records, after, *read));
            after = read.0;
        }
    }

    /// What the mirror has.
    fn mirrored(&self) -> Records {
        let connection = Connection::open(self.journal.path()).expect("open");
        let mut rows = connection
            .prepare("SELECT key, value FROM record WHERE value IS NOT NULL")
            .expect("a query");
        rows.query_map([], |row| {
            let key = protocol::key::Key::from_bytes(&row.get::<_, Vec<u8>>(0)?).expect("a key");
            let value: String = row.get(1)?;
            Ok((
                key.to_string().parse().expect("small"),
                value.parse().expect("a number"),
            ))
        })
        .expect("rows")
        .collect::<rusqlite::Result<_>>()
        .expect("rows")
    }

    /// All that is kept of stores, records and readings, and the events. Times of this machine's
    /// clock are left out, and by which delivery a transaction came.
    fn dump(&self) -> Vec<String> {
        let connection = Connection::open(self.journal.path()).expect("open");
        let mut dump = Vec::new();
        for table in ["store", "record", "read_mark", "resync", "store_list", "journal"] {
            let mut rows = connection
                .prepare(&format!("SELECT * FROM {table}"))
                .expect("a table");
            let columns = rows.column_count();
            let lines = rows.query_map([], |row| {
                let cells = (0..columns).map(|index| {
                    Ok(match row.get::<_, Cell>(index)? {
                        Cell::Integer(time) if time > NOW + 1_000_000_000 => "now".to_owned(),
                        Cell::Text(event) if table == "journal" && index == columns - 1 => {
                            normalize_event(&event)
                        }
                        cell => format!("{cell:?}"),
                    })
                });
                Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
            });
            for line in lines.expect("rows") {
                dump.push(format!("{table}: {}", line.expect("a row")));
            }
        }
        dump
    }
}

fn normalize_event(event: &str) -> String {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    event["ts_ms"] = Value::Null;
    event["source"]["sequence"] = Value::Null;
    if let Some(transaction) = event.get_mut("transaction") {
        transaction["id"] = Value::Null;
    }
    event.to_string()
}

fn holding(records: &[(u8, i64)]) -> (Bench, Records) {
    let mut bench = Bench::new();
    for (key, value) in records {
        let put = format!(r#"{{"put":{{"store":"s","key":{key},"value":{value}}}}}"#);
        bench.commit("writer", -9000, -9000, &put);
    }
    (bench, records.iter().copied().collect())
}

const WHOLE: Read = (None, NOW, NOW + 10);

#[test]
fn store_is_known_as_whole_once_all_stretches_are_alike() {
    let (mut bench, records) = holding(&[(1, 10), (2, 20), (5, 50)]);
    let events = bench.events();
    let reads = [
        (Some(1), NOW, NOW + 1),
        (Some(3), NOW + 2, NOW + 3),
        (None, NOW + 4, NOW + 5),
    ];
    assert_eq!(bench.compare(&records, &reads), 3);
    assert_eq!(bench.events(), events);
    bench.commit(
        "writer",
        9000,
        9000,
        r#"{"put":{"store":"s","key":7,"value":70}}"#,
    );
    assert_eq!(bench.events().last().expect("an event"), "c null→70");
}

#[test]
fn stretches_count_up_to_the_first_that_differs() {
    let (mut bench, mut records) = holding(&[(1, 10), (2, 20), (5, 50)]);
    records.insert(2, 21);
    let reads = [(Some(1), NOW, NOW), (Some(3), NOW, NOW), (None, NOW, NOW)];
    assert_eq!(bench.compare(&records, &reads), 1);
    // The mirror lacks one, or has one more, or has it under another key.
    for (change, alike) in [(Some((7, 70)), 2), (None, 2), (Some((6, 50)), 2)] {
        let (mut bench, mut records) = holding(&[(1, 10), (2, 20), (5, 50)]);
        match change {
            Some((key, value)) => {
                if value == 50 {
                    records.remove(&5);
                }
                records.insert(key, value);
            }
            None => drop(records.remove(&5)),
        }
        assert_eq!(bench.compare(&records, &reads), alike, "{change:?}");
    }
}

#[test]
fn nothing_is_written_for_a_stretch_that_differs() {
    let (mut bench, mut records) = holding(&[(1, 10), (2, 20)]);
    records.remove(&1);
    let before = bench.dump();
    assert_eq!(bench.compare(&records, &[WHOLE]), 0);
    assert_eq!(bench.dump(), before);
    // Of a store that is not known nothing is alike, unless it is empty.
    let mut bench = Bench::new();
    assert_eq!(bench.compare(&records, &[WHOLE]), 0);
    assert_eq!(bench.dump(), [""; 0]);
    assert_eq!(bench.compare(&Records::new(), &[WHOLE]), 1);
    assert!(bench.dump().iter().any(|line| line.starts_with("store:")));
}

#[test]
fn conflict_ends_by_a_stretch_that_is_alike() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    assert!(bench.pending_reads());
    let records = Records::from([(1, 2)]);
    // Begun before the writes were over.
    assert_eq!(bench.compare(&records, &[(None, NOW + 900, NOW + 2000)]), 1);
    assert!(bench.pending_reads());
    assert_eq!(bench.compare(&records, &[(None, NOW + 1300, NOW + 2000)]), 1);
    assert!(!bench.pending_reads());
    assert_eq!(bench.questions(), [""; 0]);
}

#[test]
fn before_is_published_once_new_rules_read_the_same_digest() {
    let mut bench = Bench::new();
    bench.put("writer", -9000, -9000, 1);
    bench.journal.redacted_by("some").expect("noted");
    assert_eq!(
        bench.compare(&Records::from([(1, 1)]), &[(None, NOW - 5000, NOW - 5000)]),
        1
    );
    bench.put("writer", 1000, 1000, 2);
    assert_eq!(bench.events()[1..], ["u 1→2"]);
}

#[test]
fn answer_is_given_once() {
    let (mut bench, records) = holding(&[(1, 10)]);
    let body = digests_body(&records, None, &[WHOLE]);
    let outcome = bench.deliver("reader", &body);
    assert_eq!(outcome.matched.len(), 1);
    assert_eq!(
        (&*outcome.matched[0].context, outcome.matched[0].sequence),
        ("reader", 1)
    );
    // It was lost, and the delivery comes again: the document tells the records.
    bench.sequences.insert("reader".to_owned(), 0);
    let outcome = bench.deliver("reader", &body);
    assert_eq!(outcome.matched, []);
    assert_eq!(outcome.acknowledged.get("reader"), Some(&1));
}

#[test]
fn stretches_that_do_not_follow_each_other_are_refused() {
    let (mut bench, records) = holding(&[(1, 10)]);
    let reads =
        |untils: &[Option<u8>]| -> Vec<Read> { untils.iter().map(|until| (*until, NOW, NOW)).collect() };
    for untils in [
        &[Some(3), Some(3)][..],
        &[Some(3), Some(2)],
        &[None, Some(9)],
        &[None, None],
        &[Some(1); 65],
    ] {
        let outcome = bench.deliver("reader", &digests_body(&records, None, &reads(untils)));
        assert_eq!(outcome.errors.len(), 1, "{untils:?}");
        assert_eq!(outcome.matched, [], "{untils:?}");
    }
    let many: Vec<Option<u8>> = (1..=63).map(Some).chain([None]).collect();
    assert_eq!(bench.compare(&records, &reads(&many)), 64);
    assert_eq!(bench.compare(&records, &[]), 0);
}

#[test]
fn stretch_of_more_records_than_are_compared_differs() {
    let (mut bench, records) = holding(&[(1, 10)]);
    let (_, digest) = digest_of(&records, None, None);
    for (count, alike) in [(1, 1), (2, 0), (MAX_STRETCH_RECORDS + 1, 0), (u64::MAX, 0)] {
        let body = format!(
            r#"{{"digests":{{"database":"d","version":1,"store":"s","stretches":[{{"began_at":{NOW},"read_at":{NOW},"records":{count},"digest":"{digest}"}}]}}}}"#
        );
        assert_eq!(matched(&bench.deliver("reader", &body)), alike, "{count}");
    }
}

/// What happens between two readings.
fn happen(bench: &mut Bench, rng: &mut Rng, at: i64) {
    let context = ["a", "b", "reader"][rng.usize(..3)];
    let began = at + rng.i64(-300..300);
    let committed = began + rng.i64(0..300);
    let key = rng.u8(1..8);
    let value = rng.i64(0..4);
    match rng.u8(0..12) {
        0..6 => {
            let put = format!(r#"{{"put":{{"store":"s","key":{key},"value":{value}}}}}"#);
            bench.commit(context, began, committed, &put);
        }
        6..9 => {
            let delete = format!(r#"{{"delete":{{"store":"s","key":{key}}}}}"#);
            bench.commit(context, began, committed, &delete);
        }
        9 => bench.commit(context, began, committed, r#"{"clear":{"store":"s"}}"#),
        10 => drop(bench.deliver(context, r#"{"gap":{"reason":"a test","stores":[]}}"#)),
        _ => {
            // As if the record's event had been stripped, and the rules had changed since.
            let connection = Connection::open(bench.journal.path()).expect("open");
            let generation = rng.i64(-1..1);
            connection
                .execute("UPDATE record SET redaction = ?1", [generation])
                .expect("updated");
        }
    }
}

/// Two journals to which the same happens. Of one the stores are read by digests.
#[test]
fn digests_and_snapshots_leave_the_same_journal() {
    for seed in 0..8 {
        let mut rngs = [Rng::with_seed(seed), Rng::with_seed(seed)];
        let mut benches = [Bench::new(), Bench::new()];
        for bench in &mut benches {
            // Old tombstones go whenever the number of events passes a certain multiple: neither
            // journal may do so here, for they begin at different numbers.
            bench.journal.state.head = bench.journal.state.head.next_multiple_of(1 << 20);
        }
        let mut at = 0;
        for round in 0..8 {
            for (bench, rng) in benches.iter_mut().zip(&mut rngs) {
                for _ in 0..rng.u8(0..4) {
                    happen(bench, rng, at);
                }
            }
            at += rngs[0].i64(0..2000);
            rngs[1].i64(0..2000);
            let mut records = benches[0].mirrored();
            let rng = &mut rngs[0];
            let context = ["a", "reader", "other"][rng.usize(..3)];
            if rng.bool() {
                records.insert(rng.u8(1..8), rng.i64(0..4));
            }
            if rng.u8(0..4) == 0 {
                records.remove(&rng.u8(1..8));
            }
            let mut reads: Vec<Read> = Vec::new();
            for key in 1..8 {
                if rng.u8(0..3) == 0 {
                    reads.push((Some(key), NOW + at, NOW + at + rng.i64(0..50)));
                    at += rng.i64(0..300);
                }
            }
            reads.push((None, NOW + at, NOW + at + rng.i64(0..50)));
            rngs[1] = rngs[0].clone();
            let [by_snapshots, by_digests] = &mut benches;
            by_snapshots.read_by_snapshots(context, &records, &reads);
            by_digests.read_by_digests(context, &records, &reads);
            assert_eq!(
                by_digests.dump(),
                by_snapshots.dump(),
                "seed {seed}, round {round}, {records:?} read by {context} as {reads:?}"
            );
            assert_eq!(by_digests.questions_or_all(), by_snapshots.questions_or_all());
        }
    }
    assert!(
        now_ms() > NOW + 1_000_000_000,
        "times of this machine are recognized"
    );
}

impl Bench {
    /// What the host asks for.
    fn questions_or_all(&mut self) -> Vec<String> {
        let due = self.journal.due_reads(std::time::Instant::now() + super::LATER);
        due.iter().map(|question| format!("{question:?}")).collect()
    }
}
