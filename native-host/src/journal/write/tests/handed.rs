//! What the sinks are handed without reading the file: the same, and never older than what they had
//! before.

use std::collections::BTreeMap;

use super::{Bench, Reader};

/// What a store holds, by key.
type Held = BTreeMap<String, String>;

/// A cache that is fed from a journal, and what it may hold.
struct Fed {
    reader: Reader,
    after: u64,
    cache: Held,
    /// What the store held after each commit, with the last event by then.
    history: Vec<(u64, Held)>,
    /// The first commit that a key of the cache may be from.
    floors: BTreeMap<String, usize>,
}

impl Fed {
    /// Sets a key to what it was after this event, or is now.
    fn set(&mut self, key: &str, number: u64, value: Option<&str>) {
        let floor = self.floors.entry(key.to_owned()).or_default();
        let found = (*floor..self.history.len()).find(|at| {
            let (last, held) = &self.history[*at];
            *last >= number && held.get(key).map(String::as_str) == value
        });
        *floor = found.unwrap_or_else(|| panic!("{key}: {value:?} of event {number} is too old"));
        match value {
            Some(value) => self.cache.insert(key.to_owned(), value.to_owned()),
            None => self.cache.remove(key),
        };
    }

    /// What the sink of Memcached does with the next events.
    fn step(&mut self, count: usize) {
        let changes = self
            .reader
            .changes(self.after, count, usize::MAX)
            .expect("changes");
        for record in &changes.records {
            self.set(&record.key, record.number, record.value.as_deref());
        }
        assert!(changes.records.iter().all(|record| record.number > self.after));
        self.after = changes.last;
    }

    /// What it does for a server that is empty, a few records at a time.
    fn fill(&mut self, mut between: impl FnMut(&mut Self)) {
        self.cache.clear();
        let mut last = None;
        loop {
            let records = self
                .reader
                .records(last.as_ref(), 2, usize::MAX)
                .expect("records");
            let Some((position, _)) = records.last() else {
                return;
            };
            last = Some(position.clone());
            for (_, record) in &records {
                self.set(&record.key, 0, record.value.as_deref());
            }
            between(self);
        }
    }
}

/// Does something to the store, after some milliseconds; each value is another.
fn write(bench: &mut Bench, fed: &mut Fed, dice: &mut fastrand::Rng) {
    let at = 1000 * i64::try_from(fed.history.len()).expect("few");
    let (mut held, key) = (
        fed.history.last().expect("one").1.clone(),
        dice.u32(0..6).to_string(),
    );
    match dice.u32(0..10) {
        0 => {
            bench.commit("a", at, at, r#"{"clear":{"store":"s"}}"#);
            held.clear();
        }
        1 | 2 => {
            bench.commit(
                "a",
                at,
                at,
                &format!(r#"{{"delete":{{"store":"s","key":{key}}}}}"#),
            );
            held.remove(&key);
        }
        3 => {
            bench.snapshot("a", at, &format!(r#"{{"key":{key},"value":{at}}}"#));
            held = BTreeMap::from([(key, at.to_string())]);
        }
        _ => {
            bench.commit(
                "a",
                at,
                at,
                &format!(r#"{{"put":{{"store":"s","key":{key},"value":{at}}}}}"#),
            );
            held.insert(key, at.to_string());
        }
    }
    fed.history.push((bench.journal.head(), held));
}

#[test]
fn what_is_handed_out_is_as_young_as_what_was_read() {
    for seed in 0..24 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut bench = Bench::new();
        let reader = Reader::beside(bench.journal.path(), bench.journal.recent()).expect("a reader");
        let mut fed = Fed {
            after: reader.tail().expect("a number"),
            reader,
            cache: Held::new(),
            history: vec![(bench.journal.head(), Held::new())],
            floors: BTreeMap::new(),
        };
        for _ in 0..80 {
            match dice.u32(0..20) {
                0 => bench.journal.recent().clear(),
                1 => fed.fill(|fed| {
                    if dice.bool() {
                        write(&mut bench, fed, &mut dice);
                    }
                }),
                2..8 => fed.step(dice.usize(1..5)),
                _ => write(&mut bench, &mut fed, &mut dice),
            }
        }
        while fed.after < bench.journal.head() {
            fed.step(3);
        }
        assert_eq!(fed.cache, fed.history.last().expect("one").1, "seed {seed}");
        let (own, handed) = (&bench.reader, &fed.reader);
        let texts = |reader: &Reader| -> Vec<(u64, i64, String)> {
            let entries = reader.events(handed.tail().expect("a number"), 10_000, usize::MAX);
            entries
                .expect("events")
                .into_iter()
                .map(|entry| (entry.number, entry.store, entry.event.into()))
                .collect()
        };
        assert_eq!(texts(own), texts(handed), "seed {seed}");
    }
}

#[test]
fn what_did_not_reach_the_disk_is_not_handed_out() {
    let mut bench = Bench::new();
    let recent = bench.journal.recent();
    let head = bench.journal.head();
    bench.put("a", 0, 0, 1);
    let put = r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":1,"operations":[{"put":{"store":"s","key":1,"value":2}}]}}"#;
    bench.deliver_if("a", put, false);
    let numbers = |after: u64| {
        let handed = recent.after(after, 100)?;
        Some(
            handed
                .iter()
                .filter_map(|one| Some(one.event()?.number))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(numbers(head), Some(vec![head + 1]));
    assert_eq!(numbers(head + 1), None);
    bench.put("a", 1000, 1000, 3);
    assert_eq!(numbers(head), Some(vec![head + 1, head + 2]));
    assert_eq!(numbers(head + 1), Some(vec![head + 2]));
    assert_eq!(numbers(head - 1), None);
}

#[test]
fn no_more_is_at_hand_than_there_is_room_for() {
    let mut bench = Bench::new();
    let recent = bench.journal.recent();
    let head = bench.journal.head();
    let value = format!("\"{}\"", "x".repeat(1 << 20));
    for at in 0..20 {
        let put = format!(r#"{{"put":{{"store":"s","key":{at},"value":{value}}}}}"#);
        bench.commit("a", at * 1000, at * 1000, &put);
    }
    assert!(recent.after(head, 100).is_none());
    let reader = Reader::beside(bench.journal.path(), recent.clone()).expect("a reader");
    let numbers = |after: u64| -> Vec<u64> {
        let entries = reader.events(after, 100, usize::MAX).expect("events");
        entries.iter().map(|entry| entry.number).collect()
    };
    // From the file, and from what is at hand.
    assert_eq!(numbers(head), (head + 1..=head + 20).collect::<Vec<_>>());
    assert_eq!(recent.after(head + 15, 100).map(|handed| handed.len()), Some(5));
    assert_eq!(numbers(head + 15), (head + 16..=head + 20).collect::<Vec<_>>());
    // One that has no room at all.
    let value = format!("\"{}\"", "x".repeat(9 << 20));
    bench.commit(
        "a",
        50_000,
        50_000,
        &format!(r#"{{"put":{{"store":"s","key":1,"value":{value}}}}}"#),
    );
    assert!(recent.after(head + 20, 100).is_none());
    assert_eq!(numbers(head + 20), [head + 21]);
}

#[test]
fn large_records_come_a_few_at_a_time() {
    let mut bench = Bench::new();
    let after = bench.journal.head();
    let large = "x".repeat(1024 * 1024);
    for key in 0..9 {
        bench.commit(
            "a",
            key,
            key,
            &format!(r#"{{"put":{{"store":"s","key":{key},"value":"{large}"}}}}"#),
        );
    }
    bench.commit("a", 10, 10, r#"{"delete":{"store":"s","key":3}}"#);
    let mut keys = BTreeMap::new();
    let mut last = after;
    while last < bench.journal.head() {
        let changes = bench.reader.changes(last, 100, 3 * large.len()).expect("changes");
        assert!(changes.last > last);
        let values = changes.records.iter().filter_map(|record| record.value.as_ref());
        let bytes: usize = values.map(|value| value.len()).sum();
        assert!(bytes <= 3 * large.len(), "{bytes}");
        last = changes.last;
        for record in changes.records {
            keys.insert(record.key.to_string(), record.value.is_some());
        }
    }
    assert_eq!(keys.len(), 9);
    assert_eq!(keys.get("3"), Some(&false));
    // One at least, however large.
    let changes = bench.reader.changes(after, 100, 1).expect("changes");
    assert_eq!((changes.records.len(), changes.last), (1, after + 1));
}

#[test]
fn changes_show_no_record_in_the_middle_of_a_transaction() {
    for at_hand in [true, false] {
        let mut bench = Bench::new();
        let recent = bench.journal.recent();
        let reader = if at_hand {
            Reader::beside(bench.journal.path(), recent)
        } else {
            Reader::open(bench.journal.path())
        };
        let reader = reader.expect("a reader");
        let puts = |value: u32| -> Vec<String> {
            (0..700)
                .map(|key| format!(r#"{{"put":{{"store":"s","key":{key},"value":{value}}}}}"#))
                .collect()
        };
        bench.commit("a", 0, 10, &puts(1).join(","));
        let first = bench.journal.head();
        bench.commit(
            "a",
            20,
            30,
            &format!(r#"{{"clear":{{"store":"s"}}}},{}"#, puts(2).join(",")),
        );
        let mut after = first;
        while after < bench.journal.head() {
            let changes = reader.changes(after, 512, usize::MAX).expect("changes");
            assert!(
                changes
                    .records
                    .iter()
                    .all(|record| record.value.as_deref() == Some("2"))
            );
            after = changes.last;
        }
    }
}
