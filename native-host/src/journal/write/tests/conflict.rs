//! Commits of two documents that may have happened either way round, and what is read because of
//! them.

use std::time::Instant;

use protocol::message::FromHost;

use super::Bench;

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
