//! Events after the redaction rules have changed.

use super::{Bench, Journal, NOW};

#[test]
fn values_that_new_rules_may_redact_are_not_republished() {
    let mut bench = Bench::new();
    let now = crate::time::now_ms() - NOW;
    bench.journal.redacted_by("").expect("noted");
    assert!(!bench.wants_all());
    bench.put("writer", now - 9000, now - 9000, 1);
    bench.put("writer", now - 8000, now - 8000, 2);
    bench.journal.redacted_by("some").expect("noted");
    assert!(bench.wants_all());
    let known = bench.events().len();
    bench.put("writer", now + 1000, now + 1000, 3);
    bench.put("writer", now + 2000, now + 2000, 4);
    assert_eq!(bench.events()[known..], ["u 3", "u 3→4"]);
}

/// The question may be lost with the host, or with the page that was to answer.
#[test]
fn stores_are_asked_for_again_until_new_rules_have_read_them() {
    let mut bench = Bench::new();
    bench.put("writer", -9000, -9000, 1);
    bench.journal.redacted_by("some").expect("noted");
    assert!(bench.wants_all());
    let mut bench = bench.restart();
    bench.journal.redacted_by("some").expect("noted");
    assert!(bench.wants_all());
}

#[test]
fn before_of_old_rules_is_left_out_when_a_clock_was_ahead() {
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
fn before_is_published_once_new_rules_read_the_same_value() {
    let mut bench = Bench::new();
    bench.put("writer", -9000, -9000, 1);
    bench.journal.redacted_by("some").expect("noted");
    bench.snapshot("reader", -5000, r#"{"key":1,"value":1}"#);
    bench.put("writer", 1000, 1000, 2);
    assert_eq!(bench.events()[1..], ["u 1→2"]);
}

#[test]
fn renamed_store_hides_values_that_new_rules_may_redact() {
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
