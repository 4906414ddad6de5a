//! What a page may make of rows in the journal's other tables.

use super::{Bench, NOW};
use crate::time::now_ms;

/// So many bytes of stores an origin may have here.
const BOUND: u64 = 64 * 1024;

const ORIGIN: &str = "http://localhost";

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.journal.state.origin_bytes = BOUND;
    bench
}

impl Bench {
    /// What the rows of stores take, with their index.
    fn store_bytes(&self) -> u64 {
        self.query(
            "SELECT sum(128 + 2 * (octet_length(origin) + octet_length(bucket) + octet_length(database) + octet_length(name))) FROM store",
        )
    }
}

fn long_name(number: usize) -> String {
    format!("{number} {}", "n".repeat(900))
}

fn commit(operation: &str) -> String {
    format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{operation}]}}}}"#
    )
}

#[test]
fn stores_of_an_origin_take_a_bounded_room() {
    let at = NOW;
    let of_gap = |name: String| {
        format!(r#"{{"gap":{{"reason":"r","stores":[{{"database":"d","store":"{name}"}}]}}}}"#)
    };
    let of_commit = |name: String| commit(&format!(r#"{{"put":{{"store":"{name}","key":1,"value":1}}}}"#));
    let of_rename = |name: String| {
        commit(&format!(
            r#"{{"schema":{{"store":"s","change":{{"rename_store":{{"to":"{name}"}}}}}}}}"#
        ))
    };
    let of_list = |name: String| {
        format!(
            r#"{{"store_list":{{"began_at":{at},"read_at":{at},"databases":[{{"name":"d","version":1,"stores":["s","{name}"]}}]}}}}"#
        )
    };
    let of_snapshot = |name: String| {
        format!(
            r#"{{"snapshot":{{"database":"d","version":1,"store":"{name}","began_at":{at},"read_at":{at},"records":[]}}}}"#
        )
    };
    let of_unordered =
        |name: String| of_snapshot(name).replace("{\"database\"", "{\"unordered\":true,\"database\"");
    let of_answer = |name: String| {
        format!(
            r#"{{"records":{{"database":"d","version":1,"store":"{name}","began_at":{at},"read_at":{at},"present":[],"absent":[1]}}}}"#
        )
    };
    let bodies: [(&str, &dyn Fn(String) -> String); 7] = [
        ("gap", &of_gap),
        ("commit", &of_commit),
        ("rename", &of_rename),
        ("list", &of_list),
        ("snapshot", &of_snapshot),
        ("unordered", &of_unordered),
        ("answer", &of_answer),
    ];
    for (name, body) in bodies {
        let mut bench = bench();
        let mut errors = Vec::new();
        bench.deliver("a", &commit(r#"{"put":{"store":"s","key":1,"value":1}}"#));
        for number in 0..100 {
            errors.extend(bench.deliver("a", &body(long_name(number))).errors);
        }
        let bytes = bench.store_bytes();
        assert!((BOUND / 2..BOUND + 4096).contains(&bytes), "{name}: {bytes}");
        assert!(
            errors
                .iter()
                .any(|error| error.message.contains(ORIGIN) && error.message.contains("stores")),
            "{name}: {errors:?}"
        );
        assert_eq!(bench.query("SELECT count(*) FROM resync"), 1, "{name}");
        // Writes to known stores are still recorded.
        bench.commit("a", 60_000, 60_000, r#"{"put":{"store":"s","key":1,"value":2}}"#);
        let last = bench.events().last().cloned().unwrap_or_default();
        assert!(last.ends_with('2'), "{name}: {last}");
    }
}

#[test]
fn stores_of_another_origin_have_a_room_of_their_own() {
    let mut bench = bench();
    bench
        .journal
        .connection
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
             INSERT INTO store (origin, bucket, database, name, version) SELECT 'http://a', '', 'd', 'store ' || n, 1 FROM n",
            [],
        )
        .expect("written");
    bench.deliver("a", &commit(r#"{"put":{"store":"s","key":1,"value":1}}"#));
    assert_eq!(bench.value().as_deref(), None, "its row is not the first");
    assert_eq!(bench.events(), ["c 1"]);
}

#[test]
fn read_mark_of_a_long_key_is_short() {
    let mut bench = Bench::new();
    let long = "k".repeat(500_000);
    for (context, key) in [("a", "1"), ("b", "2"), ("c", "3")] {
        bench.deliver(
            context,
            &format!(
                r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":{NOW},"read_at":{NOW},"until":"{long}{key}","records":[]}}}}"#
            ),
        );
    }
    let bytes = bench.query("SELECT sum(octet_length(until)) FROM read_mark");
    assert!(bytes < 2048, "{bytes}");
    // It reaches as far as the read did: an older one of such a key decides nothing.
    bench.deliver(
        "d",
        &format!(
            r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":{NOW},"read_at":{NOW},"records":[{{"key":"{long}0","value":1}}]}}}}"#
        ),
    );
    assert_eq!(bench.events(), [""; 0]);
    assert_eq!(bench.questions(), [format!("\"{long}0\"")]);
}

#[test]
fn documents_of_an_origin_are_remembered_within_bounds() {
    let mut bench = Bench::new();
    bench.deliver("first", &commit(r#"{"put":{"store":"s","key":1,"value":1}}"#));
    bench
        .journal
        .connection
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40000)
             INSERT INTO context (name, origin, last_sequence, seen_at)
             SELECT 'document ' || n, iif(n % 2, 'http://localhost', 'http://b'), 1, ?1 + n FROM n WHERE n % 2 OR n < 1000",
            [now_ms()],
        )
        .expect("written");
    bench.journal.tidy().expect("tidied");
    let of = |bench: &Bench, origin: &str| {
        bench.query(&format!("SELECT count(*) FROM context WHERE origin = '{origin}'"))
    };
    assert_eq!(of(&bench, ORIGIN), 16 * 1024);
    assert_eq!(of(&bench, "http://b"), 499);
    // One that was forgotten has lost what it delivered before, as far as is known.
    let outcome = bench.deliver("first", &commit(r#"{"put":{"store":"s","key":1,"value":2}}"#));
    assert!(outcome.errors[0].message.contains("never came"), "{outcome:?}");
    assert!(bench.wants_all());
}

#[test]
fn idle_document_is_forgotten_only_at_a_start() {
    let mut bench = Bench::new();
    bench.put("idle", 0, 1, 1);
    bench.put("other", 1000, 1001, 2);
    bench
        .journal
        .connection
        .execute("UPDATE context SET seen_at = 1", [])
        .expect("written");
    bench.journal.tidy().expect("tidied");
    assert_eq!(bench.query("SELECT count(*) FROM context"), 2);
    let outcome = bench.deliver("idle", &commit(r#"{"put":{"store":"s","key":1,"value":3}}"#));
    assert!(outcome.errors.is_empty(), "{outcome:?}");
    bench
        .journal
        .connection
        .execute("UPDATE context SET seen_at = 1", [])
        .expect("written");
    let bench = bench.restart();
    assert_eq!(bench.query("SELECT count(*) FROM context"), 1);
}

#[test]
fn context_of_the_highest_id_is_never_forgotten() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 1);
    bench
        .journal
        .connection
        .execute("UPDATE context SET seen_at = 1", [])
        .expect("written");
    let mut bench = bench.restart();
    bench.journal.tidy().expect("tidied");
    assert_eq!(bench.query("SELECT count(*) FROM context"), 1);
}

#[test]
fn lists_that_leave_nothing_are_noted_within_bounds() {
    let mut bench = Bench::new();
    let put = commit(r#"{"put":{"store":"s","key":1,"value":1}}"#);
    bench.deliver(
        "a",
        &put.replace("{\"database\"", "{\"bucket\":\"side\",\"database\""),
    );
    for bucket in 0..200 {
        let at = NOW + 1000 + bucket;
        bench.deliver(
            "a",
            &format!(
                r#"{{"store_list":{{"bucket":"b{bucket}","buckets":[],"began_at":{at},"read_at":{at},"databases":[]}}}}"#
            ),
        );
    }
    let claims = bench.query("SELECT count(*) FROM emptied");
    assert!((1..=64).contains(&claims), "{claims}");
}
