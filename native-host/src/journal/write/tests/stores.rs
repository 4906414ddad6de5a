//! Stores, databases and buckets that go, and many of them.

use std::time::Instant;

use protocol::{
    body::Body,
    wire::host::{Delivery, FromHost, Page},
};

use super::{Bench, LATER, NOW};

#[test]
fn a_transaction_that_was_not_committed_never_happened() {
    let mut bench = Bench::new();
    bench.put("a", 0, 10, 1);
    let head = bench.journal.head();
    let body: Body<'_> = serde_json::from_str(
        r#"{"commit":{"database":"new","version":1,"began_at":1,"committed_at":2,"operations":[{"clear":{"store":"new"}}]}}"#,
    )
    .expect("a body");
    let delivery = Delivery {
        context: "a".into(),
        sequence: 2,
        page: Page {
            origin: "http://localhost".into(),
            tab: 1,
            frame: 0,
        },
        may_overtake: false,
        body,
    };
    let mut batch = bench.journal.begin().expect("begun");
    batch.apply(&delivery).expect("applied");
    drop(batch);
    let mut batch = bench.journal.begin().expect("begun");
    batch.apply(&delivery).expect("applied");
    let outcome = batch.commit().expect("committed");
    assert_eq!(outcome.acknowledged.get("a"), Some(&2));
    assert_eq!(bench.journal.head(), head + 1);
    assert_eq!(bench.reader.stores().expect("stores").len(), 2);
}

#[test]
fn records_go_and_move_with_their_stores() {
    let mut bench = Bench::new();
    let create =
        r#"{"schema":{"store":"s","change":{"create_store":{"key_path":null,"auto_increment":false}}}}"#;
    let put = r#"{"put":{"store":"s","key":1,"value":10}}"#;
    bench.commit("a", 0, 1, &format!("{create},{put}"));
    bench.commit("a", 2, 3, r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}},{"put":{"store":"t","key":1,"value":11}}"#);
    bench.commit(
        "a",
        4,
        5,
        r#"{"schema":{"store":"t","change":{"delete_store":{}}}}"#,
    );
    assert_eq!(
        bench.events(),
        [
            "s null",
            "c null→10", // the new store is empty: that nothing was there is known
            "s null",
            "d 10→null",
            "c null→10",
            "u 10→11",
            "s null",
            "d 11→null",
        ]
    );
}

#[test]
fn a_deleted_database_takes_its_records_along() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    let deletion = format!(
        r#"{{"deletion":{{"database":"d","began_at":{},"deleted_at":{}}}}}"#,
        NOW + 2,
        NOW + 3
    );
    bench.deliver("a", &deletion);
    assert_eq!(bench.events(), ["c 10", "s null", "d 10→null"]);
    assert_eq!(bench.value(), None);
    // Made again under the same name: the mirror knows that nothing is left of the old one.
    bench.put("a", 4, 5, 20);
    assert_eq!(bench.events()[3], "c null→20");
}

#[test]
fn only_what_was_looked_for_is_missed() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    let mut store_list = |at: i64, rest: &str| {
        let at = NOW + at;
        let body = format!(r#"{{"store_list":{{"began_at":{at},"read_at":{at},{rest}}}}}"#);
        bench.deliver("a", &body);
        bench.value()
    };
    // There, but stuck; then another bucket's, before the buckets are known to be all; then gone.
    let stuck = r#""databases":[{"name":"d","version":0,"stores":null}]"#;
    assert_eq!(store_list(1000, stuck).as_deref(), Some("10"));
    assert_eq!(
        store_list(2000, r#""bucket":"drafts","databases":[]"#).as_deref(),
        Some("10")
    );
    let gone = r#""buckets":[],"databases":[]"#;
    assert_eq!(store_list(3000, gone).as_deref(), Some("10"));
    assert_eq!(store_list(4000, gone), None);
}

#[test]
fn a_bucket_that_is_gone_takes_its_records_along() {
    let mut bench = Bench::new();
    let body = format!(
        r#"{{"commit":{{"bucket":"drafts","database":"d","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{{"put":{{"store":"s","key":1,"value":10}}}}]}}}}"#
    );
    bench.deliver("a", &body);
    for (at, buckets, held) in [
        (1000, r#"["drafts"]"#, true),
        (2000, "[]", true),
        (3000, "[]", false),
    ] {
        let at = NOW + at;
        let body = format!(
            r#"{{"store_list":{{"began_at":{at},"read_at":{at},"buckets":{buckets},"databases":[]}}}}"#
        );
        bench.deliver("a", &body);
        assert_eq!(bench.value().is_some(), held);
    }
}

#[test]
fn too_many_doubts_are_settled_by_reading_everything() {
    let mut bench = Bench::new();
    let puts: Vec<String> = (0..20_000)
        .map(|key| format!(r#"{{"put":{{"store":"s","key":{key},"value":1}}}}"#))
        .collect();
    bench.commit("a", 0, 10, &puts.join(","));
    bench.commit("b", 5, 15, &puts.join(","));
    let due = bench.journal.due_reads(Instant::now() + LATER);
    assert!(
        matches!(&due[..], [FromHost::Snapshot { origin }] if origin == "http://localhost"),
        "{} questions",
        due.len()
    );
    // That question may be lost with the document that was to answer it.
    let due = bench.journal.next_due().expect("another question");
    assert_eq!(bench.journal.due_reads(due).len(), 1);
    assert!(bench.pending_reads());
    let records: Vec<String> = (0..20_000)
        .map(|key| format!(r#"{{"key":{key},"value":1}}"#))
        .collect();
    bench.snapshot("reader", 5000, &records.join(","));
    assert!(!bench.pending_reads());
    let due = bench.journal.next_due().expect("a last look");
    assert!(bench.journal.due_reads(due).is_empty());
    assert_eq!(bench.journal.next_due(), None);
}

#[test]
fn a_page_with_more_stores_than_are_remembered_loses_nothing() {
    let mut bench = Bench::new();
    let put = |store: usize| format!(r#"{{"put":{{"store":"s{store}","key":1,"value":{store}}}}}"#);
    let puts: Vec<String> = (0..5000).map(put).collect();
    bench.commit("a", 0, 10, &puts.join(","));
    // Begins by forgetting.
    bench.commit("a", 20, 30, &put(7));
    let stores = bench.reader.stores().expect("stores");
    assert_eq!(stores.len(), 5000);
    assert!(stores.iter().all(|store| store.records == 1));
}
