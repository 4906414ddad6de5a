//! What events tell of the value before: the true one, or nothing.

use super::{Bench, NOW};
use crate::{
    time::{now_ms, pass},
    timing::journal::UNSEEN_MS,
};

const GAP: &str = r#"{"gap":{"reason":"a test","stores":[{"database":"d","store":"s"}]}}"#;
const DELETE: &str = r#"{"delete":{"store":"s","key":1}}"#;

impl Bench {
    fn last_event(&self) -> String {
        self.events().pop().expect("an event")
    }

    /// A commit of the store `t`.
    fn put_beside(&mut self, context: &str, at: i64, value: i64) {
        self.commit(
            context,
            at,
            at,
            &format!(r#"{{"put":{{"store":"t","key":1,"value":{value}}}}}"#),
        );
    }
}

#[test]
fn before_is_published_once_the_whole_store_was_read() {
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, r#"{"key":1,"value":1}"#);
    bench.put("a", 1000, 1010, 2);
    assert_eq!(bench.last_event(), "u 1→2");
    bench.commit("a", 1020, 1030, DELETE);
    bench.put("a", 1040, 1050, 3);
    assert_eq!(bench.last_event(), "c null→3");
}

#[test]
fn before_is_left_out_once_a_worker_was_found_to_write() {
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, r#"{"key":1,"value":1}"#);
    // A worker has written both, and keeps writing.
    bench.snapshot("reader", 1000, r#"{"key":1,"value":5},{"key":2,"value":5}"#);
    bench.put("a", 2000, 2010, 2);
    assert_eq!(bench.last_event(), "u 2");
    // Another record of the worker is deleted: there may be something to delete.
    bench.commit("a", 2020, 2030, r#"{"delete":{"store":"s","key":3}}"#);
    assert_eq!(bench.last_event(), "d null");
    bench.put("a", 2040, 2050, 3);
    assert_eq!(bench.last_event(), "u 3");
    let mut bench = bench.restart();
    bench.put("a", 2060, 2070, 4);
    assert_eq!(bench.last_event(), "u 4");
    // It is still at it; then it has ended.
    let at = now_ms() - NOW;
    pass(5000);
    bench.snapshot("reader", at + 1000, r#"{"key":1,"value":4},{"key":2,"value":6}"#);
    bench.put("a", at + 2000, at + 2000, 5);
    assert_eq!(bench.last_event(), "u 5");
    // The next comparison follows within seconds: that it finds nothing does not mean much.
    bench.snapshot("reader", at + 3000, r#"{"key":1,"value":5},{"key":2,"value":6}"#);
    bench.put("a", at + 4000, at + 4000, 6);
    assert_eq!(bench.last_event(), "u 6");
    pass(UNSEEN_MS);
    let at = at + UNSEEN_MS;
    bench.snapshot("reader", at + 3000, r#"{"key":1,"value":6},{"key":2,"value":6}"#);
    bench.put("a", at + 4000, at + 4000, 7);
    assert_eq!(bench.last_event(), "u 6→7");
    bench.commit(
        "a",
        at + 4010,
        at + 4010,
        r#"{"put":{"store":"s","key":9,"value":9}}"#,
    );
    assert_eq!(bench.last_event(), "c null→9");
}

#[test]
fn before_is_left_out_between_a_gap_and_the_next_known_value() {
    let mut bench = Bench::new();
    let now = now_ms() - NOW;
    bench.snapshot("reader", now - 9000, r#"{"key":1,"value":1}"#);
    bench.put_beside("a", now - 8000, 1);
    bench.deliver("a", GAP);
    pass(7000);
    // The gap names one store, but what was lost may concern another one as well.
    bench.put("a", now + 1000, now + 1000, 2);
    assert_eq!(bench.last_event(), "u 2");
    bench.put_beside("a", now + 1000, 2);
    assert_eq!(bench.last_event(), "u 2");
    // Written behind the loss: known.
    bench.put("a", now + 2000, now + 2000, 3);
    assert_eq!(bench.last_event(), "u 2→3");
    // What is read of it, too; one without a record is not known before that.
    bench.commit(
        "a",
        now + 2000,
        now + 2000,
        r#"{"put":{"store":"s","key":2,"value":2}}"#,
    );
    assert_eq!(bench.last_event(), "c 2");
    bench.snapshot("reader", now + 5000, r#"{"key":1,"value":3},{"key":2,"value":2}"#);
    bench.commit(
        "a",
        now + 6000,
        now + 6000,
        r#"{"put":{"store":"s","key":3,"value":2}}"#,
    );
    assert_eq!(bench.last_event(), "c null→2");
}

#[test]
fn read_begun_before_a_loss_tells_nothing_of_what_was_before() {
    let mut bench = Bench::new();
    let now = now_ms() - NOW;
    bench.put("a", now - 9000, now - 9000, 1);
    bench.deliver("a", r#"{"gap":{"reason":"a test","stores":[]}}"#);
    bench.snapshot("slow", now - 5000, r#"{"key":1,"value":1}"#);
    bench.commit(
        "a",
        now + 1000,
        now + 1000,
        r#"{"put":{"store":"s","key":2,"value":2}}"#,
    );
    assert_eq!(bench.last_event(), "c 2");
}

#[test]
fn before_is_left_out_after_a_restart_of_the_host() {
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, r#"{"key":1,"value":1}"#);
    let mut bench = bench.restart();
    let now = now_ms() - NOW;
    // What was committed in between may have gone with the browser.
    bench.put("a", now + 1000, now + 1010, 2);
    assert_eq!(bench.last_event(), "u 2");
    bench.put("a", now + 1020, now + 1030, 3);
    assert_eq!(bench.last_event(), "u 2→3");
}

#[test]
fn before_of_a_range_is_left_out_in_conflict() {
    let clear = r#"{"clear":{"store":"s"}}"#;
    let delete = r#"{"schema":{"store":"s","change":{"delete_store":{}}}}"#;
    let rename = r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}}"#;
    for operation in [clear, delete, rename] {
        // In conflict; behind a gap; and waiting to be read.
        let mut bench = Bench::new();
        bench.put("a", 1000, 1010, 1);
        bench.commit("b", 1100, 1110, operation);
        assert!(bench.events().contains(&"d null".to_owned()), "{operation}");

        let mut bench = Bench::new();
        bench.put("a", 1000, 1010, 1);
        bench.deliver("a", GAP);
        bench.commit("a", 2000, 2010, operation);
        assert!(bench.events().contains(&"d null".to_owned()), "{operation}");

        let mut bench = Bench::new();
        bench.put("a", 1000, 1010, 1);
        bench.put("b", 1100, 1110, 2);
        bench.commit("c", 9000, 9010, operation);
        assert!(bench.events().contains(&"d null".to_owned()), "{operation}");
    }
}

/// Another document is too busy to report what it has committed.
#[test]
fn before_is_left_out_where_a_commit_may_be_missing() {
    const CLEAR: &str = r#"{"clear":{"store":"s"}}"#;
    const RENAME: &str = r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}}"#;
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, r#"{"key":1,"value":1}"#);
    bench.may_overtake = true;
    bench.put("a", 1000, 1010, 2);
    assert_eq!(bench.last_event(), "u 2");
    // There may be something to delete.
    bench.commit("a", 1020, 1030, r#"{"delete":{"store":"s","key":2}}"#);
    assert_eq!(bench.last_event(), "d null");
    bench.commit("a", 1040, 1050, r#"{"put":{"store":"s","key":2,"value":2}}"#);
    assert_eq!(bench.last_event(), "c 2");
    // By its own word a record that is added was not there.
    bench.commit("a", 1060, 1070, r#"{"add":{"store":"s","key":3,"value":3}}"#);
    assert_eq!(bench.last_event(), "c null→3");
    for operation in [CLEAR, RENAME] {
        bench.put("a", 1080, 1090, 4);
        bench.commit("a", 1100, 1110, operation);
        assert!(bench.events().contains(&"d null".to_owned()), "{operation}");
    }
    // All has come.
    bench.may_overtake = false;
    bench.put("a", 1120, 1130, 5);
    bench.put("a", 1140, 1150, 6);
    assert_eq!(bench.last_event(), "u 5→6");
}

#[test]
fn before_of_a_late_creation_is_left_out() {
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, "");
    bench.put("b", 2000, 2010, 2);
    bench.put("a", 1000, 1010, 1);
    assert_eq!(bench.last_event(), "u 1 late");
    // By its own word a record that is added was not there.
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, "");
    bench.put("b", 2000, 2010, 2);
    bench.commit("a", 1000, 1010, r#"{"add":{"store":"s","key":1,"value":1}}"#);
    assert_eq!(bench.last_event(), "c null→1 late");
}

#[test]
fn before_is_left_out_after_a_move_from_an_unseen_writer() {
    let mut bench = Bench::new();
    bench.snapshot("reader", 0, r#"{"key":1,"value":1}"#);
    bench.snapshot("reader", 1000, r#"{"key":1,"value":5}"#);
    bench.commit(
        "a",
        2000,
        2010,
        r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}}"#,
    );
    bench.commit("a", 3000, 3010, r#"{"put":{"store":"t","key":1,"value":6}}"#);
    assert_eq!(bench.last_event(), "u 6");
}

#[test]
fn before_is_left_out_once_a_requery_was_given_up() {
    let mut bench = Bench::new();
    bench.snapshot("reader", -5000, r#"{"key":1,"value":1}"#);
    bench.put("a", 0, 10, 2);
    bench.put("b", 5, 15, 3);
    // No document answers.
    let begun = std::time::Instant::now();
    for hour in 1..8 {
        bench
            .journal
            .due_reads(begun + std::time::Duration::from_secs(3600 * hour));
    }
    bench.put("a", 5000, 5010, 4);
    assert_eq!(bench.last_event(), "u 4");
}
