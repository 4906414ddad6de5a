//! Deliveries that make more events, or longer ones, than are kept in memory.

use serde_json::Value;

use super::Bench;

/// How many records there are, and how long each is: together more than is kept in memory.
const RECORDS: u64 = 20;
const LENGTH: usize = 600 * 1024;

/// A value that begins with this number.
fn long(number: u64) -> String {
    format!("\"{number} {}\"", "x".repeat(LENGTH))
}

fn fill(bench: &mut Bench, at: i64) {
    for number in 1..=RECORDS {
        let operation = format!(
            r#"{{"put":{{"store":"s","key":{number},"value":{}}}}}"#,
            long(number)
        );
        bench.commit("a", at, at, &operation);
    }
}

/// The events of the last delivery: op, store, key, and what the values before and after begin
/// with. Each says rightly which of how many it is.
fn published_events(bench: &Bench, after: u64) -> Vec<String> {
    let begin = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.split(' ').next().expect("a word").to_owned(),
        Some(other) => other.to_string(),
        None => "?".to_owned(),
    };
    let entries = bench.reader.events(after, 1000, usize::MAX).expect("events");
    let events: Vec<Value> = entries
        .iter()
        .map(|entry| serde_json::from_str(&entry.event).expect("JSON"))
        .collect();
    for (order, event) in (1_u64..).zip(&events) {
        assert_eq!(event["transaction"]["total_order"], order);
        assert_eq!(event["transaction"]["event_count"], events.len() as u64);
    }
    events
        .iter()
        .map(|event| {
            format!(
                "{} {} {} {}→{}",
                event["op"].as_str().expect("an op"),
                event["source"]["store"].as_str().expect("a store"),
                event.get("key").unwrap_or(&Value::Null),
                begin(event.get("before")),
                begin(event.get("after")),
            )
        })
        .collect()
}

/// A put of a short value, a deletion, a range, all the rest, a put.
const SWEEPS: &str = r#"
    {"put":{"store":"s","key":5,"value":0}}, {"delete":{"store":"s","key":6}},
    {"delete_range":{"store":"s","range":{"lower":10}}}, {"clear":{"store":"s"}},
    {"put":{"store":"s","key":1,"value":1}}"#;

fn expected_of_sweeps() -> Vec<String> {
    let gone = |key: u64| format!("d s {key} {key}→null");
    let mut expected = vec!["u s 5 5→0".to_owned(), gone(6), "t s null ?→null".to_owned()];
    expected.extend((10..=RECORDS).map(gone));
    expected.push("t s null ?→null".to_owned());
    expected.extend((1..=4).map(gone));
    expected.push("d s 5 0→null".to_owned());
    expected.extend((7..=9).map(gone));
    expected.push("c s 1 null→1".to_owned());
    expected
}

#[test]
fn spilled_events_keep_their_order() {
    let mut bench = Bench::new();
    fill(&mut bench, 0);
    let head = bench.journal.head();
    bench.commit("a", 1, 1, SWEEPS);
    assert_eq!(published_events(&bench, head), expected_of_sweeps());
    // And again, once the table has gone with its file.
    let tables = "SELECT count(*) FROM temp.sqlite_schema";
    let left: u64 = bench
        .journal
        .connection
        .query_row(tables, [], |row| row.get(0))
        .expect("a number");
    assert_eq!(left, 0);
    fill(&mut bench, 2);
    let head = bench.journal.head();
    bench.commit("a", 3, 3, SWEEPS);
    assert_eq!(published_events(&bench, head), expected_of_sweeps());
}

#[test]
fn spilled_events_of_a_failed_transaction_are_dropped() {
    let mut bench = Bench::new();
    fill(&mut bench, 0);
    let head = bench.journal.head();
    let body = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{SWEEPS}]}}}}"#,
        super::NOW + 1
    );
    assert!(bench.deliver_if("a", &body, false).is_none());
    assert_eq!(published_events(&bench, head), [""; 0]);
    bench.deliver("a", &body);
    assert_eq!(published_events(&bench, head), expected_of_sweeps());
}

#[test]
fn a_store_too_large_for_memory_goes_and_comes_by_its_new_name() {
    let mut bench = Bench::new();
    fill(&mut bench, 0);
    bench.commit("a", 1, 1, r#"{"put":{"store":"t","key":"unseen","value":1}}"#);
    let head = bench.journal.head();
    let rename = r#"{"schema":{"store":"s","change":{"rename_store":{"to":"t"}}}}"#;
    bench.commit("a", 2, 2, rename);
    let mut expected = vec!["s s null ?→null".to_owned()];
    expected.extend((1..=RECORDS).map(|key| format!("d s {key} {key}→null")));
    expected.push("d t \"unseen\" 1→null".to_owned());
    expected.extend((1..=RECORDS).map(|key| format!("c t {key} null→{key}")));
    assert_eq!(published_events(&bench, head), expected);
    // The mirror has them there, and only there.
    let head = bench.journal.head();
    bench.commit("a", 3, 3, r#"{"clear":{"store":"s"}},{"clear":{"store":"t"}}"#);
    let mut expected = vec!["t s null ?→null".to_owned(), "t t null ?→null".to_owned()];
    expected.extend((1..=RECORDS).map(|key| format!("d t {key} {key}→null")));
    assert_eq!(published_events(&bench, head), expected);
}
