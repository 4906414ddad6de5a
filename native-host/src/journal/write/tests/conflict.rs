//! Commits of two documents that may have happened either way round, and what is read because of
//! them.

use std::time::{Duration, Instant};

use protocol::wire::host::FromHost;
use rusqlite::Connection;

use super::{Bench, LATER, NOW};
use crate::timing::journal::longest_unquiet;

impl Bench {
    /// The keys that the host wants to read again once the next question is due.
    fn next_questions(&mut self) -> Vec<String> {
        let due = self.journal.next_due().expect("a question");
        let asked = self.journal.due_reads(due).into_iter();
        asked
            .flat_map(|message| match message {
                FromHost::Read { keys, .. } => keys,
                other => panic!("{other:?}"),
            })
            .collect()
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
    assert!(!bench.pending_reads());
}

#[test]
fn commits_that_may_have_happened_either_way_round_are_read_again() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    // The later beginning is applied, but what was before is not guessed.
    assert_eq!(bench.events(), ["c 1", "u 2"]);
    assert!(bench.pending_reads());
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(2000, Some(1));
    assert_eq!(bench.events().last().expect("an event"), "r 2→1");
    assert!(!bench.pending_reads());
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
    assert!(!bench.pending_reads());
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
    assert!(bench.pending_reads());
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(3000, Some(3));
    assert!(!bench.pending_reads());
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
    assert!(!bench.pending_reads());
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
    // If no document answers for the records, the host asks for a snapshot.
    assert!(
        matches!(asked.last(), Some(FromHost::Snapshot { .. })),
        "{asked:?}"
    );
    // The next snapshot settles the records that no document answered for.
    assert!(bench.pending_reads());
    bench.snapshot("c", 9000, r#"{"key":1,"value":1}"#);
    assert!(!bench.pending_reads());
}

#[test]
fn record_is_asked_for_until_an_answer_decides() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    // Each answer was read while the first commit may still have been under way.
    for _ in 0..12 {
        assert_eq!(bench.next_questions(), ["1"]);
        bench.answer(1100, Some(1));
        assert!(bench.pending_reads());
    }
    assert_eq!(bench.next_questions(), ["1"]);
    bench.answer(2000, Some(1));
    assert_eq!(bench.value().as_deref(), Some("1"));
    assert!(!bench.pending_reads());
}

#[test]
fn undecided_record_is_settled_by_the_next_comparison() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    for _ in 0..6 {
        assert_eq!(bench.next_questions(), ["1"]);
        bench.answer(1100, Some(1));
    }
    bench.put("b", 3000, 3010, 3);
    // What the record held before is as uncertain as it was at first.
    assert_eq!(bench.events(), ["c 1", "u 2", "u 3"]);
    bench.snapshot("c", 9000, r#"{"key":1,"value":1}"#);
    assert_eq!(bench.value().as_deref(), Some("1"));
    assert!(!bench.pending_reads());
    assert_eq!(bench.journal.next_due(), None);
}

#[test]
fn answered_questions_are_put_ever_more_rarely() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        assert_eq!(bench.next_questions(), ["1"]);
        bench.answer(1100, Some(1));
        let due = bench.journal.next_due().expect("another question");
        pauses.push(due.saturating_duration_since(Instant::now()));
    }
    assert!(
        pauses[11] > 50 * pauses[0] && pauses[11] < LATER * 2,
        "{pauses:?}"
    );
}

#[test]
fn conflict_of_a_waiting_record_is_asked_about() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    for _ in 0..4 {
        assert_eq!(bench.next_questions(), ["1"]);
    }
    // No document has answered until then.
    bench.put("c", 700, 1200, 3);
    assert_eq!(bench.next_questions(), ["1"]);
    bench.answer(3000, Some(3));
    assert!(!bench.pending_reads());
}

#[test]
fn conflict_that_goes_on_is_asked_about_meanwhile() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    let first = bench.journal.next_due().expect("a question");
    let begun = Instant::now();
    while begun.elapsed() < longest_unquiet() {
        bench.put("a", 600, 1000, 3);
    }
    let due = bench.journal.next_due().expect("a question");
    assert!(due <= Instant::now(), "{:?}", due - first);
}

/// Key 1 is in conflict, and no document has answered for it.
fn give_up(bench: &mut Bench) {
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    for _ in 0..4 {
        assert_eq!(bench.next_questions(), ["1"]);
    }
}

#[test]
fn record_that_was_given_up_waits_for_a_whole_read() {
    let mut bench = Bench::new();
    give_up(&mut bench);
    let due = bench.journal.next_due().expect("a decision");
    bench.journal.due_reads(due);
    // A document is there now, and answers for another record of the store.
    for (context, began, committed) in [("a", 2000, 3000), ("b", 2500, 2600)] {
        bench.commit(
            context,
            began,
            committed,
            r#"{"put":{"store":"s","key":2,"value":1}}"#,
        );
    }
    let body = format!(
        r#"{{"records":{{"database":"d","version":1,"store":"s","began_at":{0},"read_at":{0},"present":[{{"key":2,"value":1}}],"absent":[]}}}}"#,
        NOW + 4000
    );
    bench.deliver("reader", &body);
    assert!(bench.pending_reads());
    assert!(bench.wants_all());
    bench.snapshot("c", 9000, r#"{"key":1,"value":1},{"key":2,"value":1}"#);
    assert_eq!(bench.value().as_deref(), Some("1"));
    assert!(!bench.pending_reads());
}

#[test]
fn conflict_is_given_up_only_on_disk() {
    let mut bench = Bench::new();
    bench.snapshot("c", -5000, r#"{"key":1,"value":0}"#);
    give_up(&mut bench);
    let other = Connection::open(bench.journal.path()).expect("the file");
    bench
        .journal
        .connection
        .busy_timeout(Duration::ZERO)
        .expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("a writer");
    let due = bench.journal.next_due().expect("a decision");
    bench.journal.due_reads(due);
    // It is tried again, and not at once.
    assert!(bench.journal.next_due() > Some(due));
    other.execute_batch("ROLLBACK").expect("ended");
    bench.put("d", 5000, 5010, 5);
    assert_eq!(bench.events().last().expect("an event"), "u 5");
    let due = bench.journal.next_due().expect("another attempt");
    bench.journal.due_reads(due);
    let is_complete = bench.reader.stores().expect("stores")[0].complete;
    assert!(bench.pending_reads() && !is_complete);
    assert_eq!(bench.reader.unread_stores().expect("a count"), 1);
    assert!(bench.wants_all());
}

/// A document's commits come one way, those of its worker another: neither is in order with the
/// other. Those of one worker are.
#[test]
fn worker_and_page_conflict_like_two_documents() {
    let mut bench = Bench::new();
    let put = |bench: &mut Bench, worker: Option<u32>, at: i64, value: i64| {
        let writer = worker.map_or_else(String::new, |id| {
            format!(r#""writer":{{"kind":"worker","url":"http://localhost/w.js","id":{id}}},"#)
        });
        let body = format!(
            r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},{writer}"operations":[{{"put":{{"store":"s","key":1,"value":{value}}}}}]}}}}"#,
            NOW + at
        );
        bench.deliver("a", &body);
    };
    put(&mut bench, Some(1), 10, 1);
    put(&mut bench, Some(1), 10, 2);
    assert_eq!(bench.events(), ["c 1", "u 1→2"]);
    assert!(!bench.pending_reads());
    // The page's write at 20 was reported ahead of its worker's write at 15.
    put(&mut bench, None, 20, 3);
    put(&mut bench, Some(1), 15, 4);
    assert_eq!(bench.events()[2..], ["u 3", "u 4 late"]);
    assert!(bench.pending_reads());
    bench.answer(2000, Some(3));
    assert!(!bench.pending_reads());
    // So is one worker with another.
    put(&mut bench, Some(2), 3000, 5);
    put(&mut bench, Some(1), 3001, 6);
    assert!(bench.pending_reads());
}
