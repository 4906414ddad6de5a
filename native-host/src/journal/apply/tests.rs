//! What two tabs do at once, decided on a real file.

mod aside;
mod before;
mod emptied;
mod forget;
mod handed;
mod late;
mod lost;
mod upgrades;
mod volume;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use protocol::{
    commit::Body,
    message::{Delivery, FromHost, Page},
};
use serde_json::Value;
use tempfile::TempDir;

use super::super::{Author, Journal, Outcome, read::Reader};

const NOW: i64 = 1_700_000_000_000;
/// Later than every question is due.
const LATER: Duration = Duration::from_secs(60);

struct Bench {
    journal: Journal,
    reader: Reader,
    /// How many deliveries there were, by context.
    sequences: HashMap<String, u64>,
    _directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let author = Author {
            browser: "chromium/156".to_owned(),
            profile: "p".to_owned(),
        };
        let journal = Journal::open(directory.path(), author).expect("a journal");
        let reader = Reader::open(journal.path()).expect("a reader");
        Self {
            journal,
            reader,
            sequences: HashMap::new(),
            _directory: directory,
        }
    }

    /// As if the host had been killed and started again.
    fn restart(self) -> Self {
        let Self {
            journal,
            sequences,
            _directory: directory,
            ..
        } = self;
        let author = journal.state.author.clone();
        drop(journal);
        let journal = Journal::open(directory.path(), author).expect("a journal");
        let reader = Reader::open(journal.path()).expect("a reader");
        Self {
            journal,
            reader,
            sequences,
            _directory: directory,
        }
    }

    fn deliver(&mut self, context: &str, body: &str) -> Outcome {
        self.deliver_if(context, body, true).expect("committed")
    }

    /// Delivers, and brings it to the disk if the disk takes it.
    fn deliver_if(&mut self, context: &str, body: &str, commit: bool) -> Option<Outcome> {
        let sequence = self.sequences.entry(context.to_owned()).or_default();
        *sequence += u64::from(commit);
        let body: Body<'_> = serde_json::from_str(body).expect("a body");
        let delivery = Delivery {
            context: context.into(),
            sequence: *sequence + u64::from(!commit),
            page: Page {
                origin: "http://localhost".into(),
                tab: 1,
                frame: 0,
            },
            body,
        };
        let mut batch = self.journal.begin().expect("begun");
        batch.apply(&delivery).expect("applied");
        commit.then(|| batch.commit().expect("committed"))
    }

    /// A transaction from `began` to `committed`, in milliseconds after [`NOW`].
    fn commit(&mut self, context: &str, began: i64, committed: i64, operations: &str) {
        let body = format!(
            r#"{{"commit":{{"database":"d","version":1,"began_at":{},"committed_at":{},"operations":[{operations}]}}}}"#,
            NOW + began,
            NOW + committed,
        );
        self.deliver(context, &body);
    }

    fn put(&mut self, context: &str, began: i64, committed: i64, value: i64) {
        let operation = format!(r#"{{"put":{{"store":"s","key":1,"value":{value}}}}}"#);
        self.commit(context, began, committed, &operation);
    }

    /// The whole store as read at a time, in milliseconds after [`NOW`].
    fn snapshot(&mut self, context: &str, at: i64, records: &str) {
        let body = format!(
            r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":{0},"read_at":{0},"records":[{records}]}}}}"#,
            NOW + at
        );
        self.deliver(context, &body);
    }

    /// Stretches of a store whose keys are redacted, as read at a time: which one comes before, which is the last key, the keys.
    fn unordered(&mut self, context: &str, at: i64, after: &str, until: &str, keys: &[&str]) -> Outcome {
        let bound = |name: &str, key: &str| match key {
            "" => String::new(),
            key => format!(r#""{name}":"{key}","#),
        };
        let records: Vec<String> = keys
            .iter()
            .map(|key| format!(r#"{{"key":"{key}","value":1}}"#))
            .collect();
        let body = format!(
            r#"{{"snapshot":{{"unordered":true,"database":"d","version":1,"store":"s","began_at":{0},"read_at":{0},{1}{2}"records":[{3}]}}}}"#,
            NOW + at,
            bound("after", after),
            bound("until", until),
            records.join(",")
        );
        self.deliver(context, &body)
    }

    /// Key 1 read again at a time, in milliseconds after [`NOW`].
    fn answer(&mut self, at: i64, value: Option<i64>) {
        self.answer_if(at, value, true);
    }

    fn answer_if(&mut self, at: i64, value: Option<i64>, commit: bool) {
        let present = value.map_or_else(String::new, |value| format!(r#"{{"key":1,"value":{value}}}"#));
        let absent = if value.is_some() { "" } else { "1" };
        let body = format!(
            r#"{{"records":{{"database":"d","version":1,"store":"s","began_at":{0},"read_at":{0},"present":[{present}],"absent":[{absent}]}}}}"#,
            NOW + at
        );
        self.deliver_if("reader", &body, commit);
    }

    /// The keys that the host wants to read again.
    fn questions(&mut self) -> Vec<String> {
        let due = self.journal.due_reads(Instant::now() + LATER);
        due.into_iter()
            .flat_map(|message| match message {
                FromHost::Read { keys, .. } => keys,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// Ops with the values after, and those before where they are known.
    fn events(&self) -> Vec<String> {
        let entries = self.reader.events(0, 1000, usize::MAX).expect("events");
        let events = entries.iter().map(|entry| {
            let event: Value = serde_json::from_str(&entry.event).expect("JSON");
            let before = event
                .get("before")
                .map_or_else(String::new, |before| format!("{before}→"));
            let late = if event["source"]["late"] == true {
                " late"
            } else {
                ""
            };
            format!(
                "{} {before}{}{late}",
                event["op"].as_str().expect("an op"),
                event["after"]
            )
        });
        events.collect()
    }

    /// Whether the host wants the origin's stores to be read.
    fn wants_all(&mut self) -> bool {
        let due = self.journal.due_reads(Instant::now() + LATER);
        due.iter().any(|asked| matches!(asked, FromHost::Snapshot { .. }))
    }

    fn doubtful(&self) -> bool {
        self.reader
            .stores()
            .expect("stores")
            .iter()
            .any(|store| store.doubtful)
    }

    fn value(&self) -> Option<String> {
        let key = protocol::key::Key::Number(1.0);
        self.reader.record(1, &key).expect("read")
    }
}

#[test]
fn commits_apart_are_in_no_doubt() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.put("b", 261, 270, 2);
    bench.put("b", 270, 271, 3);
    assert_eq!(bench.events(), ["c 1", "u 1→2", "u 2→3"]);
    assert_eq!(bench.questions(), [""; 0]);
    assert!(!bench.doubtful());
}

#[test]
fn commits_that_may_have_happened_either_way_round_are_read_again() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    // The later beginning is applied, but what was before is not guessed.
    assert_eq!(bench.events(), ["c 1", "u 2"]);
    assert!(bench.doubtful());
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(2000, Some(1));
    assert_eq!(bench.events().last().expect("an event"), "r 2→1");
    assert!(!bench.doubtful());
    assert_eq!(bench.questions(), [""; 0]);
}

#[test]
fn an_answer_that_agrees_settles_without_an_event() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(2000, Some(2));
    assert_eq!(bench.events().len(), 2);
    assert!(!bench.doubtful());
}

#[test]
fn an_answer_that_may_be_older_than_a_write_decides_nothing() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    assert_eq!(bench.questions(), ["1"]);
    bench.put("b", 2000, 2010, 3);
    bench.answer(2100, Some(2));
    assert_eq!(bench.value().as_deref(), Some("3"));
    assert!(bench.doubtful());
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(3000, Some(3));
    assert!(!bench.doubtful());
}

#[test]
fn a_late_put_does_not_pass_a_delete_of_another_tab_unnoticed() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.commit("b", 1000, 1010, r#"{"delete":{"store":"s","key":1}}"#);
    bench.put("a", 900, 950, 2);
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(2000, None);
    assert_eq!(bench.events(), ["c 1", "d 1→null", "c 2 late"]);
    assert_eq!(bench.value(), None);
}

#[test]
fn a_late_put_does_not_pass_a_clear_of_another_tab_unnoticed() {
    let mut bench = Bench::new();
    bench.commit("b", 1000, 1010, r#"{"clear":{"store":"s"}}"#);
    bench.put("a", 900, 950, 2);
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(2000, None);
    assert_eq!(bench.events(), ["t null", "c 2 late"]);
}

#[test]
fn a_snapshot_does_not_undo_what_may_be_younger() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.put("a", 1000, 1010, 2);
    bench.snapshot("b", 1100, r#"{"key":1,"value":1}"#);
    assert_eq!(bench.value().as_deref(), Some("2"));
    assert_eq!(bench.questions(), ["1"]);
    bench.snapshot("b", 2000, r#"{"key":1,"value":5},{"key":2,"value":6}"#);
    assert_eq!(bench.events()[2..], ["r 2→5", "r null→6"]);
    assert!(!bench.doubtful());
}

#[test]
fn a_commit_that_a_snapshot_may_have_seen_is_read_again() {
    let mut bench = Bench::new();
    bench.snapshot("b", 1000, r#"{"key":1,"value":7}"#);
    bench.put("a", 950, 990, 6);
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(2000, Some(7));
    assert_eq!(bench.events(), ["r 7", "u 6 late"]);
}

#[test]
fn questions_that_are_never_answered_end() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    let mut now = Instant::now();
    let mut asked = Vec::new();
    while let Some(due) = bench.journal.next_due() {
        now = now.max(due);
        asked.extend(bench.journal.due_reads(now));
        assert!(asked.len() < 10);
    }
    let records = asked
        .iter()
        .filter(|asked| matches!(asked, FromHost::Read { .. }));
    assert!(records.count() > 1);
    // Where nobody answers for the records, somebody may read it all.
    assert!(
        matches!(asked.last(), Some(FromHost::Snapshot { .. })),
        "{asked:?}"
    );
    // The next snapshot settles what nobody answered.
    assert!(bench.doubtful());
    bench.snapshot("c", 9000, r#"{"key":1,"value":1}"#);
    assert!(!bench.doubtful());
}

#[test]
fn a_transaction_that_was_not_committed_never_happened() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    let head = bench.journal.head();
    let body: Body<'_> = serde_json::from_str(
        r#"{"commit":{"database":"new","version":1,"began_at":1,"committed_at":2,"operations":[{"clear":{"store":"new"}}]}}"#,
    )
    .expect("a body");
    let delivery = Delivery {
        context: "a".into(),
        sequence: 2,
        page: Page {
            origin: "http://localhost".into(),
            tab: 1,
            frame: 0,
        },
        body,
    };
    let mut batch = bench.journal.begin().expect("begun");
    batch.apply(&delivery).expect("applied");
    drop(batch);
    let mut batch = bench.journal.begin().expect("begun");
    batch.apply(&delivery).expect("applied");
    let outcome = batch.commit().expect("committed");
    assert_eq!(outcome.acknowledged.get("a"), Some(&2));
    assert_eq!(bench.journal.head(), head + 1);
    assert_eq!(bench.reader.stores().expect("stores").len(), 2);
}

#[test]
fn records_go_and_move_with_their_stores() {
    let mut bench = Bench::new();
    let create =
        r#"{"schema":{"store":"s","change":{"create_store":{"key_path":null,"auto_increment":false}}}}"#;
    let put = r#"{"put":{"store":"s","key":1,"value":10}}"#;
    bench.commit("a", 0, 1, &format!("{create},{put}"));
    bench.commit("a", 2, 3, r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}},{"put":{"store":"t","key":1,"value":11}}"#);
    bench.commit(
        "a",
        4,
        5,
        r#"{"schema":{"store":"t","change":{"delete_store":{}}}}"#,
    );
    assert_eq!(
        bench.events(),
        [
            "s null",
            "c null→10", // the new store is empty: that nothing was there is known
            "s null",
            "d 10→null",
            "c null→10",
            "u 10→11",
            "s null",
            "d 11→null",
        ]
    );
}

#[test]
fn a_deleted_database_takes_its_records_along() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    let deletion = format!(
        r#"{{"deletion":{{"database":"d","began_at":{},"deleted_at":{}}}}}"#,
        NOW + 2,
        NOW + 3
    );
    bench.deliver("a", &deletion);
    assert_eq!(bench.events(), ["c 10", "s null", "d 10→null"]);
    assert_eq!(bench.value(), None);
    // Made anew under the same name: nothing is left of the old one, and that is known.
    bench.put("a", 4, 5, 20);
    assert_eq!(bench.events()[3], "c null→20");
}

#[test]
fn only_what_was_looked_for_is_missed() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    let mut inventory = |at: i64, rest: &str| {
        let at = NOW + at;
        let body = format!(r#"{{"inventory":{{"began_at":{at},"read_at":{at},{rest}}}}}"#);
        bench.deliver("a", &body);
        bench.value()
    };
    // There, but stuck; then another bucket's, before the buckets are known to be all; then gone.
    let stuck = r#""databases":[{"name":"d","version":0,"stores":null}]"#;
    assert_eq!(inventory(1000, stuck).as_deref(), Some("10"));
    assert_eq!(
        inventory(2000, r#""bucket":"drafts","databases":[]"#).as_deref(),
        Some("10")
    );
    let gone = r#""buckets":[],"databases":[]"#;
    assert_eq!(inventory(3000, gone).as_deref(), Some("10"));
    assert_eq!(inventory(4000, gone), None);
}

#[test]
fn a_bucket_that_is_gone_takes_its_records_along() {
    let mut bench = Bench::new();
    let body = format!(
        r#"{{"commit":{{"bucket":"drafts","database":"d","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{{"put":{{"store":"s","key":1,"value":10}}}}]}}}}"#
    );
    bench.deliver("a", &body);
    for (at, buckets, held) in [
        (1000, r#"["drafts"]"#, true),
        (2000, "[]", true),
        (3000, "[]", false),
    ] {
        let at = NOW + at;
        let body = format!(
            r#"{{"inventory":{{"began_at":{at},"read_at":{at},"buckets":{buckets},"databases":[]}}}}"#
        );
        bench.deliver("a", &body);
        assert_eq!(bench.value().is_some(), held);
    }
}

#[test]
fn too_many_doubts_are_settled_by_reading_everything() {
    let mut bench = Bench::new();
    let puts: Vec<String> = (0..20_000)
        .map(|key| format!(r#"{{"put":{{"store":"s","key":{key},"value":1}}}}"#))
        .collect();
    bench.commit("a", 0, 10, &puts.join(","));
    bench.commit("b", 5, 15, &puts.join(","));
    let due = bench.journal.due_reads(Instant::now() + LATER);
    assert!(
        matches!(&due[..], [FromHost::Snapshot { origin }] if origin == "http://localhost"),
        "{} questions",
        due.len()
    );
    assert_eq!(bench.journal.next_due(), None);
    assert!(bench.doubtful());
    let records: Vec<String> = (0..20_000)
        .map(|key| format!(r#"{{"key":{key},"value":1}}"#))
        .collect();
    bench.snapshot("reader", 5000, &records.join(","));
    assert!(!bench.doubtful());
}

#[test]
fn a_page_with_more_stores_than_are_remembered_loses_nothing() {
    let mut bench = Bench::new();
    let put = |store: usize| format!(r#"{{"put":{{"store":"s{store}","key":1,"value":{store}}}}}"#);
    let puts: Vec<String> = (0..5000).map(put).collect();
    bench.commit("a", 0, 10, &puts.join(","));
    // Begins by forgetting.
    bench.commit("a", 20, 30, &put(7));
    let stores = bench.reader.stores().expect("stores");
    assert_eq!(stores.len(), 5000);
    assert!(stores.iter().all(|store| store.records == 1));
}

#[test]
fn what_an_unordered_read_lacks_is_gone_when_it_has_come_to_its_end() {
    let mut bench = Bench::new();
    let put = |key: &str| format!(r#"{{"put":{{"store":"s","key":"{key}","value":1}}}}"#);
    for key in ["a", "m", "z"] {
        bench.commit("writer", -9000, -9000, &put(key));
    }
    let known = bench.events().len();
    // By their order, `z` would lie behind the first stretch and `a` before it.
    bench.unordered("reader", 0, "", "m", &["z", "m"]);
    assert_eq!(bench.events().len(), known);
    let outcome = bench.unordered("reader", 10, "m", "", &["b"]);
    assert_eq!(bench.events()[known..], ["r 1", "d 1→null"]);
    assert!(outcome.snapshots.is_empty());

    // Written while it was read: nobody knows whether its place was passed before.
    bench.unordered("reader", 5000, "", "m", &["z", "m"]);
    bench.commit("writer", 5300, 5300, &put("c"));
    bench.unordered("reader", 6000, "m", "", &["b"]);
    assert_eq!(bench.events()[known + 2..], ["c null→1"]);
    assert_eq!(bench.questions(), ["\"c\""]);
}

#[test]
fn an_unordered_read_of_which_a_stretch_is_missing_deletes_nothing_and_is_wanted_again() {
    let mut bench = Bench::new();
    bench.commit(
        "writer",
        -9000,
        -9000,
        r#"{"put":{"store":"s","key":"a","value":1}}"#,
    );
    for (after, broken) in [("x", true), ("m", false)] {
        bench.unordered("reader", 0, "", "m", &["m"]);
        let outcome = bench.unordered("reader", 10, after, "", &["b"]);
        assert_eq!(outcome.snapshots.contains("http://localhost"), broken);
        assert_eq!(bench.events().iter().any(|event| event.starts_with('d')), !broken);
    }
}

#[test]
fn a_deletion_of_unknown_records_has_the_store_read_again() {
    let mut bench = Bench::new();
    bench.put("writer", -9000, -9000, 1);
    bench.snapshot("reader", -5000, r#"{"key":1,"value":1}"#);
    let known = bench.events().len();
    let body = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{{"delete_unknown":{{"store":"s"}}}}]}}}}"#
    );
    bench.deliver("writer", &body);
    assert!(bench.wants_all());
    assert_eq!(bench.events().len(), known, "nothing is known yet");
    bench.snapshot("reader", 5000, "");
    assert_eq!(bench.events()[known..], ["d 1→null"]);
}

#[test]
fn when_the_rules_change_what_they_may_forbid_is_not_told_again() {
    let mut bench = Bench::new();
    let now = crate::time::now_ms() - NOW;
    assert!(bench.journal.redacted_by("").expect("noted").is_empty());
    bench.put("writer", now - 9000, now - 9000, 1);
    bench.put("writer", now - 8000, now - 8000, 2);
    let origins = bench.journal.redacted_by("some").expect("noted");
    assert!(origins.contains("http://localhost"));
    assert!(bench.journal.redacted_by("some").expect("noted").is_empty());
    let known = bench.events().len();
    bench.put("writer", now + 1000, now + 1000, 3);
    bench.put("writer", now + 2000, now + 2000, 4);
    assert_eq!(bench.events()[known..], ["u 3", "u 3→4"]);
}

#[test]
fn before_of_old_rules_is_not_told_when_a_clock_was_ahead() {
    let mut bench = Bench::new();
    let now = crate::time::now_ms() - NOW;
    let hour = 60 * 60 * 1000;
    // Written by a page whose clock was an hour ahead, and set right before the rule came.
    bench.put("writer", now + hour, now + hour, 1);
    bench.journal.redacted_by("some").expect("noted");
    bench.put("writer", now + 1000, now + 1000, 2);
    assert_eq!(bench.events()[1..], ["u 2"]);
    bench.put("writer", now + 2000, now + 2000, 3);
    assert_eq!(bench.events()[2..], ["u 2→3"]);
    // The same for deletions, for stores that are renamed, and in the next life of the host.
    for (name, operation) in [
        ("d", r#"{"delete":{"store":"s","key":1}}"#),
        ("d", r#"{"clear":{"store":"s"}}"#),
        (
            "d",
            r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}}"#,
        ),
    ] {
        let mut bench = Bench::new();
        bench.put("writer", now + hour, now + hour, 1);
        bench.journal.redacted_by("some").expect("noted");
        let mut bench = bench.restart();
        bench.commit("writer", now + 1000, now + 1000, operation);
        let events = bench.events();
        assert!(
            events.contains(&format!("{name} null")),
            "{events:?} after {operation}"
        );
        assert!(!events[1..].iter().any(|event| event.contains('1')), "{events:?}");
    }
}

#[test]
fn before_is_told_again_once_new_rules_have_read_the_same_value() {
    let mut bench = Bench::new();
    bench.put("writer", -9000, -9000, 1);
    bench.journal.redacted_by("some").expect("noted");
    bench.snapshot("reader", -5000, r#"{"key":1,"value":1}"#);
    bench.put("writer", 1000, 1000, 2);
    assert_eq!(bench.events()[1..], ["u 1→2"]);
}

#[test]
fn what_new_rules_may_forbid_is_not_told_by_a_new_name_either() {
    let mut bench = Bench::new();
    let now = crate::time::now_ms() - NOW;
    bench.put("writer", now - 9000, now - 9000, 3);
    bench.journal.redacted_by("some").expect("noted");
    // As in the next life of the host.
    let Journal {
        state, connection, ..
    } = &mut bench.journal;
    state.reload(connection).expect("read");
    let rename = r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}}"#;
    bench.commit("writer", now + 50, now + 50, rename);
    assert_eq!(bench.events()[1..], ["s null", "d null"]);
    assert_eq!(bench.reader.stores().expect("stores").len(), 2);
}
