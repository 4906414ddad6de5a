//! What two tabs do at once, decided on a real file.

mod aside;
mod before;
mod conflict;
mod digests;
mod emptied;
mod forget;
mod full;
mod gone;
mod handed;
mod late;
mod linear;
mod lost;
mod rules;
mod stores;
mod tables;
mod tombstones;
mod unordered;
mod upgrades;
mod volume;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use protocol::{
    body::Body,
    wire::host::{Delivery, FromHost, Page},
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
    /// Whether another document may have committed before what is delivered, and not have sent it.
    may_overtake: bool,
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
            may_overtake: false,
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
            may_overtake: false,
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
            may_overtake: self.may_overtake,
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

    /// Stretches of a store whose keys are redacted, as read at a time: which one comes before,
    /// which is the last key, the keys.
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

    /// The number that a query of the file returns.
    fn query(&self, sql: &str) -> u64 {
        let connection = &self.journal.connection;
        connection.query_row(sql, [], |row| row.get(0)).expect("a number")
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

    fn pending_reads(&self) -> bool {
        self.reader
            .stores()
            .expect("stores")
            .iter()
            .any(|store| store.pending_reads)
    }

    fn value(&self) -> Option<String> {
        let key = protocol::key::Key::Number(1.0);
        self.reader.record(1, &key).expect("read")
    }
}
