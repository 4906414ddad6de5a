//! What a delivery about many stores costs grows with their number, not with its square.

use super::{Bench, NOW};
use crate::time::now_ms;

const STORES: usize = 1000;

/// How many rows a delivery may change for each of its stores: its row, its stamps, an event, a
/// record.
const ROWS: u64 = 16;

impl Bench {
    /// Delivers, and returns how many rows that changed.
    fn rows_changed(&mut self, context: &str, body: &str) -> u64 {
        let before = self.journal.connection.total_changes();
        self.deliver(context, body);
        self.journal.connection.total_changes() - before
    }

    fn check_rows_changed(&mut self, context: &str, body: &str) {
        let losses = self.losses();
        let rows = self.rows_changed(context, body);
        assert!(rows >= STORES as u64, "{rows}: it concerns the stores");
        assert!(rows <= ROWS * STORES as u64, "{rows}");
        assert!(self.wants_all(), "something was lost");
        // Each loss goes through all stores that are remembered.
        let losses = self.losses() - losses;
        assert!((1..=2).contains(&losses), "{losses} losses were noted");
    }

    /// How many losses of the origin were noted.
    fn losses(&self) -> u64 {
        self.query("SELECT coalesce(sum(number), 0) FROM loss")
    }
}

fn join(what: impl Fn(usize) -> String) -> String {
    let all: Vec<String> = (0..STORES).map(what).collect();
    all.join(",")
}

fn store_list(at: i64, stores: &str) -> String {
    format!(
        r#"{{"store_list":{{"began_at":{0},"read_at":{0},"databases":[{{"name":"d","version":2,"stores":[{stores}]}}]}}}}"#,
        NOW + at
    )
}

fn puts() -> String {
    let puts = join(|store| format!(r#"{{"put":{{"store":"s{store}","key":1,"value":1}}}}"#));
    format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{puts}]}}}}"#,
        NOW + 10_000
    )
}

#[test]
fn store_list_that_may_be_older_changes_few_rows() {
    let mut bench = Bench::new();
    bench.deliver("a", &store_list(0, r#""s""#));
    let stores = join(|store| format!(r#""s{store}""#));
    bench.check_rows_changed("b", &store_list(-10, &stores));
}

#[test]
fn commit_behind_an_upgrade_changes_few_rows() {
    let mut bench = Bench::new();
    let stores = join(|store| format!(r#""s{store}""#));
    bench.deliver("a", &store_list(0, &stores));
    bench.check_rows_changed("b", &puts());
}

#[test]
fn commit_of_stores_that_may_be_gone_changes_few_rows() {
    let mut bench = Bench::new();
    bench.deliver("a", &store_list(10_000, r#""s""#));
    bench.check_rows_changed("b", &puts());
}

#[test]
fn deletion_in_conflict_changes_few_rows() {
    let mut bench = Bench::new();
    bench.deliver("a", &puts());
    let body = format!(
        r#"{{"deletion":{{"database":"d","began_at":{0},"deleted_at":{0}}}}}"#,
        NOW + 10_000
    );
    bench.check_rows_changed("b", &body);
}

#[test]
fn upgrade_in_conflict_changes_few_rows() {
    let mut bench = Bench::new();
    bench.deliver("a", &puts());
    let changes =
        join(|store| format!(r#"{{"schema":{{"store":"s{store}","change":{{"delete_store":{{}}}}}}}}"#));
    let body = format!(
        r#"{{"commit":{{"database":"d","version":2,"began_at":{0},"committed_at":{0},"operations":[{changes}]}}}}"#,
        NOW + 10_000
    );
    bench.check_rows_changed("b", &body);
}

#[test]
fn small_delivery_about_a_loss_changes_few_rows() {
    let mut bench = Bench::new();
    bench.deliver("a", &puts());
    bench.snapshot("a", 60_000, "");
    let rows = bench.rows_changed("a", r#"{"gap":{"reason":"r","stores":[]}}"#);
    assert!(rows <= ROWS, "{rows}");
    assert!(bench.wants_all());
    assert!(
        bench
            .reader
            .stores()
            .expect("stores")
            .iter()
            .all(|store| !store.complete)
    );
}

#[test]
fn store_that_is_met_after_a_loss_knows_of_it() {
    let now = now_ms() - NOW;
    let losses = [r#"{"gap":{"reason":"r","stores":[]}}"#; 2];
    for (losses, expected) in [(&losses[..0], "u 1→2"), (&losses[..1], "u 2"), (&losses, "u 2")] {
        let mut bench = Bench::new();
        // Times to come would all be bounded by the arrival, and may be one millisecond.
        bench.put("a", now - 3000, now - 3000, 1);
        bench.snapshot("a", now - 2000, r#"{"key":1,"value":1}"#);
        for loss in losses {
            bench.deliver("b", loss);
            // What is remembered is thrown away, and stores are read from the file.
            bench.journal.tidy().expect("tidied");
        }
        assert_eq!(
            bench.reader.stores().expect("stores")[0].complete,
            losses.is_empty()
        );
        bench.put("a", now - 1000, now - 1000, 2);
        assert_eq!(bench.events().last().map(String::as_str), Some(expected));
        // Until it is read once more.
        bench.snapshot("a", now + 60_000, r#"{"key":1,"value":2}"#);
        bench.journal.tidy().expect("tidied");
        bench.put("a", now + 61_000, now + 61_000, 3);
        assert!(bench.reader.stores().expect("stores")[0].complete);
    }
}
