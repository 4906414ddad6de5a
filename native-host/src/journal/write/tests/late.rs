//! Late reports of a document, behind reports of other documents about the same records: none is
//! accepted unchecked.

use super::{Bench, NOW};
use crate::time::{now_ms, pass};

const DELETE: &str = r#"{"delete":{"store":"s","key":1}}"#;
const CLEAR: &str = r#"{"clear":{"store":"s"}}"#;
const RANGE: &str = r#"{"delete_range":{"store":"s","range":{"lower":5,"upper":6}}}"#;

impl Bench {
    /// A store list of the default bucket; whether the host wants all to be read because of it.
    fn deliver_store_list(&mut self, context: &str, at: i64, databases: &str) -> bool {
        let at = NOW + at;
        let body = format!(
            r#"{{"store_list":{{"buckets":[],"began_at":{at},"read_at":{at},"databases":[{databases}]}}}}"#
        );
        self.deliver(context, &body);
        self.wants_all()
    }

    /// A stretch of the store, with the key after which it begins and its last one.
    fn stretch(&mut self, context: &str, at: i64, bounds: &str, records: &str) {
        let body = format!(
            r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":{0},"read_at":{0},{bounds}"records":[{records}]}}}}"#,
            NOW + at
        );
        self.deliver(context, &body);
    }

    /// A commit that was reported late has caused a requery of key 1, which is absent.
    fn settles_as_absent(&mut self) {
        assert!(self.pending_reads());
        assert_eq!(self.questions(), ["1"]);
        self.answer(9000, None);
        assert_eq!(self.value(), None);
        assert!(!self.pending_reads());
    }
}

#[test]
fn a_late_delete_does_not_make_another_tab_s_delete_its_own() {
    let mut bench = Bench::new();
    bench.commit("b", 2000, 2010, DELETE);
    bench.commit("a", 900, 910, DELETE);
    bench.put("a", 920, 930, 2);
    bench.settles_as_absent();
}

#[test]
fn a_late_clear_does_not_make_another_tab_s_clear_its_own() {
    for late in [CLEAR, RANGE] {
        let mut bench = Bench::new();
        bench.commit("b", 2000, 2010, CLEAR);
        bench.commit("a", 900, 910, late);
        bench.put("a", 920, 930, 2);
        bench.settles_as_absent();
    }
}

#[test]
fn a_late_clear_does_not_make_another_tab_s_delete_its_own() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.commit("b", 2000, 2010, DELETE);
    bench.commit("a", 900, 910, CLEAR);
    bench.put("a", 920, 930, 2);
    bench.settles_as_absent();
}

#[test]
fn stamp_in_conflict_has_no_owner_until_a_later_write() {
    let mut bench = Bench::new();
    bench.commit("b", 2000, 2010, DELETE);
    bench.commit("a", 1900, 1910, DELETE);
    bench.put("a", 3000, 3010, 3);
    bench.put("a", 3010, 3020, 4);
    assert!(!bench.pending_reads());
    assert_eq!(bench.events(), ["d null", "d null late", "c null→3", "u 3→4"]);
}

#[test]
fn commit_behind_a_read_without_change_is_requeried() {
    // The delete behind the put was lost, and the read has made up for it.
    let mut bench = Bench::new();
    bench.snapshot("b", 2000, "");
    bench.put("a", 900, 910, 2);
    bench.settles_as_absent();

    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.snapshot("b", 2000, r#"{"key":1,"value":1}"#);
    bench.put("a", 900, 910, 2);
    assert_eq!(bench.questions(), ["1"]);
    bench.answer(9000, Some(1));
    assert_eq!(bench.value().as_deref(), Some("1"));
    assert!(!bench.pending_reads());
}

#[test]
fn no_later_host_forgets_a_read() {
    let mut bench = Bench::new();
    bench.snapshot("b", 2000, "");
    bench.snapshot("c", 9000, "");
    let mut bench = bench.restart();
    bench.put("a", 1900, 1910, 2);
    assert_eq!(bench.questions(), ["1"]);
}

#[test]
fn delete_behind_a_read_is_requeried() {
    for delete in [DELETE, CLEAR] {
        let mut bench = Bench::new();
        bench.put("a", 0, 10, 1);
        bench.snapshot("b", 2000, r#"{"key":1,"value":1}"#);
        bench.commit("a", 900, 910, delete);
        assert_eq!(bench.questions(), ["1"]);
        bench.answer(9000, Some(1));
        assert_eq!(bench.value().as_deref(), Some("1"));
    }
}

#[test]
fn a_document_s_own_commits_behind_its_own_read_are_in_no_doubt() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    bench.snapshot("a", 2000, r#"{"key":1,"value":1}"#);
    bench.put("a", 2001, 2010, 2);
    assert!(!bench.pending_reads());
    // Begun before it, it may be what was read.
    bench.snapshot("a", 3000, r#"{"key":1,"value":2}"#);
    bench.put("a", 2990, 3010, 3);
    assert_eq!(bench.questions(), ["1"]);
}

#[test]
fn an_answer_counts_like_a_write() {
    for present in [None, Some(2)] {
        let mut bench = Bench::new();
        bench.put("a", 0, 1000, 1);
        if present.is_some() {
            bench.put("b", 500, 600, 2);
        } else {
            bench.commit("b", 500, 600, DELETE);
        }
        bench.answer(5000, present);
        assert!(!bench.pending_reads());
        // Past all that was written, and before what was read.
        bench.put("b", 3000, 3010, 3);
        assert_eq!(bench.questions(), ["1"]);
        bench.answer(9000, present);
        assert_eq!(bench.value(), present.map(|value| value.to_string()));
    }
}

#[test]
fn an_older_read_does_not_undo_a_younger_one() {
    let mut bench = Bench::new();
    bench.snapshot("b", 3000, "");
    bench.snapshot("a", 1000, r#"{"key":1,"value":1}"#);
    assert_eq!(bench.value(), None);
    assert_eq!(bench.questions(), ["1"]);

    for by_snapshot in [true, false] {
        let mut bench = Bench::new();
        bench.put("a", 0, 10, 1);
        bench.snapshot("b", 3000, r#"{"key":1,"value":1}"#);
        if by_snapshot {
            bench.snapshot("a", 1000, r#"{"key":1,"value":5}"#);
        } else {
            bench.answer(1000, None);
        }
        assert_eq!(bench.value().as_deref(), Some("1"));
        assert_eq!(bench.questions(), ["1"]);
    }
}

#[test]
fn two_that_read_a_store_at_once_do_not_doubt_what_only_one_has_reached() {
    let mut bench = Bench::new();
    bench.stretch("a", 1000, r#""until":5,"#, r#"{"key":1,"value":1}"#);
    bench.stretch("b", 1001, r#""until":5,"#, r#"{"key":1,"value":1}"#);
    bench.stretch("b", 1003, r#""after":5,"#, r#"{"key":7,"value":7}"#);
    bench.stretch("a", 1004, r#""after":5,"#, r#"{"key":7,"value":7}"#);
    assert_eq!(bench.events(), ["r 1", "r 7"]);
    assert!(!bench.pending_reads());
}

#[test]
fn store_reported_after_its_database_was_deleted_is_read() {
    let deletion = format!(
        r#"{{"deletion":{{"database":"d","began_at":{0},"deleted_at":{0}}}}}"#,
        NOW + 2000
    );
    let put = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{{"put":{{"store":"s","key":1,"value":1}}}}]}}}}"#,
        NOW + 900
    );
    // A deletion or a store list reports that the database is gone.
    for by_store_list in [false, true] {
        let mut bench = Bench::new();
        if by_store_list {
            assert!(!bench.deliver_store_list("b", 2000, ""));
        } else {
            bench.deliver("b", &deletion);
        }
        bench.deliver("a", &put);
        assert!(bench.wants_all());
        assert_eq!(bench.events(), ["c 1 late"]);
        assert_eq!(bench.value(), None);
        bench.deliver_store_list("b", 9000, "");
        bench.deliver_store_list("b", 9500, "");
        assert_eq!(bench.value(), None);
    }
}

#[test]
fn stores_that_are_new_are_not_looked_for() {
    let mut bench = Bench::new();
    let stores = r#"{"name":"d","version":1,"stores":["s"]}"#;
    assert!(!bench.deliver_store_list("a", 1000, stores));
    assert!(!bench.deliver_store_list("b", 1010, stores));
    bench.snapshot("a", 1020, r#"{"key":1,"value":1}"#);
    bench.snapshot("b", 1030, r#"{"key":1,"value":1}"#);
    let put = format!(
        r#"{{"commit":{{"database":"e","version":1,"began_at":{0},"committed_at":{0},"operations":[{{"put":{{"store":"s","key":1,"value":1}}}}]}}}}"#,
        NOW + 2000
    );
    bench.deliver("a", &put);
    assert!(!bench.wants_all());
    assert!(!bench.pending_reads());
}

#[test]
fn a_store_read_before_it_went_is_looked_for() {
    let mut bench = Bench::new();
    assert!(!bench.deliver_store_list("b", 3000, ""));
    let stores = r#"{"name":"d","version":1,"stores":["s"]}"#;
    assert!(bench.deliver_store_list("a", 1000, stores));
    bench.snapshot("a", 1020, r#"{"key":1,"value":1}"#);
    bench.deliver_store_list("b", 9000, "");
    bench.deliver_store_list("b", 9500, "");
    assert_eq!(bench.value(), None);
}

#[test]
fn late_commit_is_reported_and_changes_nothing() {
    let put = r#"{"put":{"store":"s","key":1,"value":2}},{"put":{"store":"s","key":1,"value":3}}"#;
    // Before the younger one; around it, in a tab that was busy when it completed; in a draw.
    for (began, committed) in [(900, 910), (900, 2500), (2000, 2010)] {
        let mut bench = Bench::new();
        bench.put("b", 2000, 2010, 1);
        bench.commit("a", began, committed, put);
        assert_eq!(bench.value().as_deref(), Some("1"), "{began}..{committed}");
        assert_eq!(bench.events()[..2], ["c 1", "u 2 late"]);
        assert_eq!(bench.questions(), ["1"]);
        bench.answer(9000, Some(3));
        assert_eq!(bench.value().as_deref(), Some("3"));
        assert_eq!(bench.events().last().map(String::as_str), Some("r 1→3"));
        assert!(!bench.pending_reads());
    }
}

#[test]
fn commit_that_is_most_likely_younger_is_applied_as_a_whole() {
    let mut bench = Bench::new();
    bench.put("b", 2000, 2010, 1);
    let body = format!(
        r#"{{"put":{{"store":"s","key":1,"value":2}}}},{CLEAR},{{"put":{{"store":"s","key":1,"value":3}}}}"#
    );
    bench.commit("a", 2005, 2015, &body);
    assert_eq!(bench.value().as_deref(), Some("3"));
    assert_eq!(bench.questions(), ["1"]);
    assert_eq!(bench.events(), ["c 1", "u 2", "t null", "d null", "c 3"]);
}

#[test]
fn late_deletion_leaves_the_record() {
    for deletion in [
        DELETE,
        CLEAR,
        r#"{"delete_range":{"store":"s","range":{"lower":0,"upper":6}}}"#,
    ] {
        let mut bench = Bench::new();
        bench.put("b", 2000, 2010, 1);
        bench.commit("a", 900, 910, deletion);
        assert_eq!(bench.value().as_deref(), Some("1"));
        assert_eq!(bench.events().last().map(String::as_str), Some("d null late"));
        assert_eq!(bench.questions(), ["1"]);
        bench.answer(9000, None);
        assert_eq!(bench.value(), None);
        assert!(!bench.pending_reads());
    }
}

#[test]
fn late_put_does_not_bring_a_deleted_record_back() {
    for deletion in [DELETE, CLEAR] {
        let mut bench = Bench::new();
        bench.put("b", 0, 10, 1);
        bench.commit("b", 2000, 2010, deletion);
        bench.put("a", 900, 910, 2);
        assert_eq!(bench.value(), None);
        bench.settles_as_absent();
    }
}

#[test]
fn value_before_is_not_known_while_the_record_waits_to_be_read() {
    let mut bench = Bench::new();
    bench.put("b", 2000, 2010, 1);
    bench.put("a", 1900, 1910, 2);
    bench.put("b", 5000, 5010, 3);
    assert_eq!(bench.events(), ["c 1", "u 2 late", "u 3"]);
}

#[test]
fn same_span_as_a_stamp_in_conflict_is_late_too() {
    let mut bench = Bench::new();
    bench.put("a", 1990, 1991, 1);
    bench.put("b", 2000, 2001, 2);
    // A clock of milliseconds cannot tell the beginnings apart, so the ends do not count.
    bench.put("a", 2000, 2001, 3);
    bench.put("c", 2000, 2003, 4);
    bench.put("d", 2001, 2002, 5);
    assert_eq!(bench.events(), ["c 1", "u 2", "u 3 late", "u 4 late", "u 5 late"]);
    assert_eq!(bench.value().as_deref(), Some("2"));
}

#[test]
fn commit_that_began_later_within_a_long_span_is_applied() {
    let mut bench = Bench::new();
    bench.put("a", 2000, 2400, 1);
    let twice = r#"{"put":{"store":"s","key":1,"value":2}},{"put":{"store":"s","key":1,"value":3}}"#;
    bench.commit("b", 2300, 2310, twice);
    assert_eq!(bench.value().as_deref(), Some("3"));
    bench.commit(
        "b",
        2311,
        2312,
        &format!(r#"{CLEAR},{{"put":{{"store":"s","key":1,"value":4}}}}"#),
    );
    assert_eq!(bench.value().as_deref(), Some("4"));
    assert_eq!(bench.questions(), ["1"]);
}

#[test]
fn later_commits_of_the_last_writer_are_applied_within_one_millisecond() {
    let mut bench = Bench::new();
    bench.put("a", 2000, 2000, 1);
    for value in 2..5 {
        bench.put("b", 2100, 2101, value);
        assert_eq!(bench.value(), Some(value.to_string()));
    }
    bench.commit("b", 2100, 2101, DELETE);
    assert_eq!(bench.value(), None);
}

#[test]
fn stamp_from_the_future_holds_nothing_back() {
    for by_read in [false, true] {
        let mut bench = Bench::new();
        pass(3_600_000);
        let ahead = now_ms() - NOW;
        if by_read {
            bench.snapshot("b", ahead, r#"{"key":1,"value":1}"#);
        } else {
            bench.put("b", ahead - 10, ahead, 1);
        }
        pass(-3_600_000);
        let now = now_ms() - NOW;
        bench.put("a", now - 10, now, 2);
        assert_eq!(bench.value().as_deref(), Some("2"), "{by_read}");
        pass(1000);
        bench.commit("a", now + 990, now + 1000, CLEAR);
        assert_eq!(bench.value(), None, "{by_read}");
    }
}

#[test]
fn upgrade_is_applied_as_a_whole() {
    let create =
        r#"{"schema":{"store":"s","change":{"create_store":{"key_path":null,"auto_increment":false}}}}"#;
    let delete = r#"{"schema":{"store":"s","change":{"delete_store":{}}}}"#;
    let put = r#"{"put":{"store":"s","key":1,"value":2}}"#;
    let mut bench = Bench::new();
    bench.put("a", 2000, 2050, 1);
    bench.commit("b", 2100, 2180, &format!("{delete},{create},{put},{CLEAR},{put}"));
    assert_eq!(bench.value().as_deref(), Some("2"));
    assert!(!bench.events().iter().any(|event| event.ends_with("late")));
}
