//! Stores whose keys are redacted, and deletions of unknown records.

use super::{Bench, NOW};

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

    // Written during the read: the host cannot tell whether the read had passed the key before.
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
