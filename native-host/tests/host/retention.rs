//! What the journal keeps, and what happens when there is no room.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::support::{
    CONTEXT, Host, Sandbox,
    body::{commit, delete, put},
    host_delivery, pour, status, until,
};

/// Enough events that old ones are looked for in between.
const MANY: u64 = 9000;

fn profile(sandbox: &Sandbox) -> Value {
    status(sandbox)["profiles"][0].clone()
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn up_to_date(sandbox: &Sandbox) {
    until("both are up to date", || {
        let sinks = profile(sandbox)["sinks"].clone();
        ["redis", "memcached"]
            .iter()
            .all(|sink| sinks[sink]["behind"] == 0 && sinks[sink]["state"] == "running")
    });
}

/// Delivers this many puts with values of about 200 bytes, and waits until they are acknowledged.
fn write(host: &mut Host, from: u64, count: u64) {
    let deliveries = (from..from + count / 100).map(|sequence| {
        let puts: Vec<_> = (0..100)
            .map(|key| put(&key.to_string(), &format!("\"{sequence:0200}\"")))
            .collect();
        host_delivery(CONTEXT, sequence, &commit(&puts))
    });
    pour(host.stdin(), deliveries);
    host.acknowledged(from + count / 100 - 1);
}

#[test]
fn events_go_once_all_have_passed_them_on_and_there_are_many() {
    let mut sandbox = Sandbox::new();
    sandbox.configure("journal", "keep_mib = 1");
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    write(&mut host, 1, 2 * MANY);
    // Redis has not had them: all stay.
    let before = profile(&sandbox);
    assert_eq!(number(&before["head"]) - number(&before["tail"]), 2 * MANY);
    let bytes = number(&before["events_bytes"]);
    assert!(bytes > 2 * MANY * 400, "{bytes}");
    sandbox.redis.restart();
    up_to_date(&sandbox);
    write(&mut host, 2 * MANY / 100 + 1, MANY);
    let after = profile(&sandbox);
    assert!(number(&after["tail"]) > number(&before["tail"]), "{after}");
    up_to_date(&sandbox);
    write(&mut host, 3 * MANY / 100 + 1, MANY);
    let after = profile(&sandbox);
    // What came since they were last looked for is there still, beside the mebibyte.
    assert!(number(&after["events_bytes"]) < (1 << 20) + bytes, "{after}");
    assert!(number(&after["tail"]) > number(&before["head"]), "{after}");
    assert_eq!(after["stripped"], 0);
    let text = sandbox.print(&["status"]);
    assert!(text.contains(", limit 1 GiB)"), "{text}");
}

#[test]
fn events_go_when_they_are_old() {
    let sandbox = Sandbox::new();
    sandbox.configure("journal", "keep_hours = 0");
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    up_to_date(&sandbox);
    assert!(host.close().success());
    // The next host looks as soon as it has nothing else to do.
    let _host = Host::start(&sandbox);
    until("it is gone", || {
        let profile = profile(&sandbox);
        profile["events_bytes"] == 0 && profile["head"] == profile["tail"]
    });
    assert_eq!(sandbox.cached("1").as_deref(), Some("1"));
}

/// The state that a reader derives from the stream: the last value of each key, and how many events
/// are reported as missing.
fn replay(events: &[Value]) -> (BTreeMap<String, Value>, u64) {
    let mut values = BTreeMap::new();
    let mut missing = 0;
    let mut last = 0;
    for event in events {
        let sequence = number(&event["source"]["sequence"]);
        assert!(sequence > last, "in order");
        last = sequence;
        let key = event["key"].to_string();
        match event["op"].as_str().expect("a letter") {
            "g" => missing += number(&event["gap"]),
            "d" => {
                values.remove(&key);
            }
            _ => {
                values.insert(key, event["after"].clone());
            }
        }
    }
    (values, missing)
}

#[test]
fn past_the_bound_values_go_and_all_converges() {
    let mut sandbox = Sandbox::new();
    sandbox.configure("journal", "max_mib = 1");
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("\"early\"", "1"), put("\"gone\"", "1")]));
    host.acknowledged(1);
    up_to_date(&sandbox);
    sandbox.redis.kill();
    sandbox.memcached.kill();
    // Of these only the first events know; they lose their text first.
    host.deliver(
        2,
        &commit(&[put("\"once\"", "1"), put("\"early\"", "2"), delete("\"gone\"")]),
    );
    host.acknowledged(2);
    write(&mut host, 3, 6000);
    let full = profile(&sandbox);
    let stripped = number(&full["stripped"]);
    assert!(stripped > 3000, "{full}");
    // A batch more than the bound at most.
    assert!(number(&full["events_bytes"]) < 3 << 20, "{full}");
    assert!(
        sandbox
            .print(&["status"])
            .contains("were stripped of their values: the journal was full")
    );
    let tail = sandbox.print(&["tail", "--no-follow", "-n", "100000"]);
    assert!(
        tail.contains(" gap  ") && tail.contains("the journal was full"),
        "{tail}"
    );

    // Also over a restart, in whose memory none of this is.
    assert!(host.close().success());
    sandbox.redis.restart();
    sandbox.memcached.restart();
    let mut host = Host::start(&sandbox);
    up_to_date(&sandbox);
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));
    let mut expected = written(62);
    expected.insert("\"once\"".to_owned(), 1.into());
    expected.insert("\"early\"".to_owned(), 2.into());
    until("the stream has what it was owed", || {
        replay(&sandbox.redis.stream()).0 == expected
    });
    up_to_date(&sandbox);
    let (_, missing) = replay(&sandbox.redis.stream());
    assert_eq!(missing, stripped);
    // And goes on as if nothing had been.
    host.deliver_as("context-2", 1, &commit(&[put("1", "3")]));
    sandbox.await_cached("1", Some("3"));
    expected.insert("1".to_owned(), 3.into());
    until("the stream goes on", || {
        replay(&sandbox.redis.stream()) == (expected.clone(), stripped)
    });
}

fn journal(sandbox: &Sandbox, access: OpenFlags) -> Connection {
    let path = sandbox.journal_directory().join("profile-1.sqlite");
    Connection::open_with_flags(path, access).expect("a journal")
}

/// How many rows the journal says are to be backfilled.
fn backfill_pending(sandbox: &Sandbox) -> u64 {
    journal(sandbox, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .query_row("SELECT backfill_pending FROM usage", [], |row| row.get(0))
        .expect("a count")
}

/// The values of a hundred keys once the last delivery of [`write`] had this number.
fn written(sequence: u64) -> BTreeMap<String, Value> {
    (0..100)
        .map(|key| (key.to_string(), Value::from(format!("{sequence:0200}"))))
        .collect()
}

#[test]
fn reported_gap_stays_the_same_over_restarts() {
    let mut sandbox = Sandbox::new();
    sandbox.configure("journal", "max_mib = 1");
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    let before = number(&profile(&sandbox)["head"]);
    write(&mut host, 1, 6000);
    let stripped = number(&profile(&sandbox)["stripped"]);
    assert!(stripped > 3000, "{stripped}");
    assert!(host.close().success());
    let mut host = Host::start(&sandbox);
    write(&mut host, 61, 6000);
    assert!(number(&profile(&sandbox)["stripped"]) > stripped + 3000);
    assert!(backfill_pending(&sandbox) > 6000);
    sandbox.redis.restart();
    until("everything is backfilled", || backfill_pending(&sandbox) == 0);
    up_to_date(&sandbox);
    let (mut missing, mut reported, mut gaps, mut last) = (0, 0, 0, before);
    let events = sandbox.redis.stream();
    for event in &events {
        let sequence = number(&event["source"]["sequence"]);
        missing += sequence - last - 1;
        last = sequence;
        if event["op"] == "g" {
            gaps += 1;
            // Itself is there.
            reported += number(&event["gap"]) - 1;
        }
    }
    assert!(gaps >= 2, "{gaps}");
    assert_eq!(reported, missing);
    assert_eq!(replay(&events).0, written(120));
}

#[test]
fn backfill_ends_though_the_page_is_never_quiet() {
    let mut sandbox = Sandbox::new();
    sandbox.configure("journal", "max_mib = 1");
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("\"once\"", "1")]));
    host.acknowledged(1);
    write(&mut host, 2, 6000);
    assert!(number(&profile(&sandbox)["stripped"]) > 3000);
    sandbox.redis.restart();
    let (mut sequence, mut written_at) = (61, Instant::now());
    until("the stream has what it was owed", || {
        if written_at.elapsed() > Duration::from_millis(200) {
            written_at = Instant::now();
            sequence += 1;
            host.deliver(sequence, &commit(&[put("\"trickle\"", &sequence.to_string())]));
            host.acknowledged(sequence);
        }
        backfill_pending(&sandbox) == 0
    });
    up_to_date(&sandbox);
    let mut expected = written(61);
    expected.insert("\"once\"".to_owned(), 1.into());
    expected.insert("\"trickle\"".to_owned(), sequence.into());
    assert_eq!(replay(&sandbox.redis.stream()).0, expected);
}

#[test]
fn complete_stream_gets_no_gap_event() {
    let mut sandbox = Sandbox::new();
    sandbox.configure("journal", "max_mib = 1");
    sandbox.memcached.kill();
    let mut host = Host::start(&sandbox);
    for round in 0..30_u64 {
        let value = format!("\"{}\"", "x".repeat(100_000));
        host.deliver(2 * round + 1, &commit(&[put("2", &value)]));
        host.deliver(2 * round + 2, &commit(&[put("1", &round.to_string())]));
        host.acknowledged(2 * round + 2);
        sandbox
            .redis
            .await_stream(usize::try_from(2 * round + 2).expect("fits"));
    }
    until("values have gone", || number(&profile(&sandbox)["stripped"]) > 0);
    let events = sandbox.redis.stream();
    let numbers: Vec<u64> = events
        .iter()
        .map(|event| number(&event["source"]["sequence"]))
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    assert!(events.iter().all(|event| event["op"] != "g"));
    sandbox.memcached.restart();
    sandbox.await_cached("1", Some("29"));
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));
}
