//! What a read finds gone, within what one delivery may do.

use super::{Bench, NOW};
use crate::time::now_ms;

const RECORDS: u64 = 5000;
/// How much work a delivery may cause here: that of about a thousand records.
const WORK: u64 = 300_000;

/// Stores of so many records, and deliveries that may do little.
fn bench(stores: &[&str]) -> Bench {
    let mut bench = Bench::new();
    for store in stores {
        let puts: Vec<String> = (0..RECORDS)
            .map(|key| format!(r#"{{"put":{{"store":"{store}","key":{key},"value":1}}}}"#))
            .collect();
        bench.commit("a", 0, 0, &puts.join(","));
    }
    bench.journal.state.delivery_work = WORK;
    bench
}

impl Bench {
    fn head(&self) -> u64 {
        self.reader.head().expect("a head")
    }

    fn records(&self) -> u64 {
        self.query("SELECT count(*) FROM record WHERE value IS NOT NULL")
    }

    /// How many events say that some are missing.
    fn gaps(&self) -> u64 {
        self.query("SELECT count(*) FROM journal WHERE event LIKE '{\"op\":\"g\"%'")
    }

    /// The list of the stores that are there, as read at a time.
    fn store_list(&mut self, at: i64, stores: &str) {
        let body = format!(
            r#"{{"store_list":{{"began_at":{0},"read_at":{0},"databases":[{{"name":"d","version":1,"stores":[{stores}]}}]}}}}"#,
            NOW + at
        );
        self.deliver("b", &body);
    }

    /// Delivers until nothing is left; each delivery does some of it, and no more than it may.
    fn empty(&mut self, mut deliver: impl FnMut(&mut Self, i64)) {
        for turn in 1.. {
            let (head, records) = (self.head(), self.records());
            deliver(self, turn * 1_000_000);
            let rows = self.head() - head;
            assert!(rows <= WORK / 192 + 2, "{rows} rows");
            assert!(self.records() < records, "it does not come further");
            if self.records() == 0 {
                return;
            }
            assert!(self.wants_all(), "nothing asks for the rest");
        }
    }
}

#[test]
fn empty_store_is_found_gone_in_steps() {
    let mut bench = bench(&["s"]);
    bench.empty(|bench, at| bench.snapshot("b", at, ""));
    assert!(bench.gaps() > 0);
    // The next read finds all as it is.
    bench.snapshot("b", now_ms() + 1000 - NOW, "");
    assert!(!bench.pending_reads());
}

#[test]
fn empty_store_is_found_gone_in_steps_when_keys_are_redacted() {
    let mut bench = bench(&["s"]);
    bench.empty(|bench, at| {
        bench.unordered("b", at, "", "", &[]);
    });
    assert!(bench.gaps() > 0);
}

#[test]
fn stores_that_are_gone_are_found_gone_in_steps() {
    let mut bench = bench(&["s", "t", "u"]);
    bench.empty(|bench, at| {
        // The first list that leaves nothing of an origin waits for another one.
        bench.store_list(at - 500_000, "");
        bench.store_list(at, "");
    });
    assert!(bench.gaps() > 0);
}

#[test]
fn stale_read_of_nothing_goes_through_a_bounded_number_of_records() {
    let mut bench = bench(&["s"]);
    let (head, records) = (bench.head(), bench.records());
    bench.snapshot("b", -1_000_000, "");
    assert_eq!(bench.records(), records);
    // The gap.
    assert_eq!(bench.head() - head, 1);
    assert!(bench.wants_all());
}

#[test]
fn large_store_of_which_nothing_is_gone_is_read_to_its_end() {
    let keys: Vec<String> = (0..RECORDS / 5).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut bench = bench(&[]);
    bench.journal.state.delivery_work = 1000;
    let head = bench.head();
    bench.unordered("b", now_ms() + 1000 - NOW, "", "", &keys);
    assert_eq!(bench.head() - head, RECORDS / 5, "only what was read is new");
    let head = bench.head();
    bench.unordered("b", now_ms() + 2000 - NOW, "", "", &keys);
    assert_eq!((bench.head() - head, bench.gaps()), (0, 0));
    assert!(!bench.pending_reads());
}
