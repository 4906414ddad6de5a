//! Flow control: what comes faster than it can go on.

use crate::support::{
    CONTEXT, Host, Sandbox,
    body::{clear, commit, deletion, now, put, schema, snapshot_at},
    host_delivery, pour, until,
};

/// What arrives in each of these tests: more than the host may ever hold.
const DELIVERIES: u64 = 3000;
const VALUE_BYTES: usize = 32 * 1024;

/// How much memory the host may take.
const BOUND: u64 = 100 * 1024 * 1024;

/// The most that a process has ever held in memory.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .expect("a number");
    kilobytes * 1024
}

/// Pours all and waits for the acknowledgements.
fn flood(host: &mut Host) {
    let filler = "x".repeat(VALUE_BYTES);
    let delivery = |sequence: u64| {
        let value = format!(r#"{{"number":{sequence},"filler":"{filler}"}}"#);
        host_delivery(
            CONTEXT,
            sequence,
            &commit(&[put(&(sequence % 10).to_string(), &value)]),
        )
    };
    for start in (1..=DELIVERIES).step_by(500) {
        let end = (start + 499).min(DELIVERIES);
        pour(host.stdin(), (start..=end).map(delivery));
        host.acknowledged(end);
    }
}

fn await_all(sandbox: &Sandbox) {
    // It is much: as long as some more have come, all is well.
    for part in 1..=10 {
        until("the stream has more", || {
            sandbox.redis.stream_length() >= DELIVERIES / 10 * part
        });
    }
    let name = sandbox.key("0");
    let newest = format!(r#"{{"number":{DELIVERIES},"#);
    until("Memcached has the newest value", || {
        sandbox
            .memcached
            .get(&name)
            .is_some_and(|value| value.starts_with(&newest))
    });
}

#[test]
fn servers_that_hang_hold_up_no_acknowledgement_and_take_no_memory() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver_as("another", 1, &commit(&[put("\"first\"", "1")]));
    sandbox.await_cached("\"first\"", Some("1"));
    sandbox.redis.await_stream(1);
    sandbox.redis.pause();
    sandbox.memcached.pause();
    flood(&mut host);
    let held = peak(host.id());
    sandbox.redis.resume();
    sandbox.memcached.resume();
    assert!(held < BOUND, "{held} bytes");
    await_all(&sandbox);
    assert!(peak(host.id()) < BOUND, "{} bytes", peak(host.id()));
}

#[test]
fn servers_that_are_away_hold_up_no_acknowledgement_and_take_no_memory() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    sandbox.memcached.kill();
    let mut host = Host::start(&sandbox);
    flood(&mut host);
    assert!(peak(host.id()) < BOUND, "{} bytes", peak(host.id()));
    sandbox.redis.restart();
    sandbox.memcached.restart();
    await_all(&sandbox);
    // Nor does what has piled up.
    assert!(peak(host.id()) < BOUND, "{} bytes", peak(host.id()));
}

/// What the mirror holds in each of the tests below: more than the host may ever hold in memory.
const RECORDS: u64 = 6000;
const RECORD_BYTES: usize = 10 * 1024;

/// Fills a store, delivers this, and asserts that the host's memory stays as small as ever. It
/// makes so many events, of which this is the last.
fn mirror_takes_no_memory(body: impl FnOnce() -> String, events: u64, last: &str) {
    mirror_takes_no_memory_by(|| vec![body()], events, last);
}

fn mirror_takes_no_memory_by(bodies: impl FnOnce() -> Vec<String>, events: u64, last: &str) {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let filler = "x".repeat(RECORD_BYTES);
    let delivery = |sequence: u64| {
        let puts: Vec<_> = (0..50)
            .map(|record| put(&(sequence * 50 - record).to_string(), &format!("\"{filler}\"")))
            .collect();
        host_delivery(CONTEXT, sequence, &commit(&puts))
    };
    let deliveries = RECORDS / 50;
    pour(host.stdin(), (1..=deliveries).map(delivery));
    host.acknowledged(deliveries);
    let before = peak(host.id());
    assert!(before < BOUND, "{before} bytes before anything was done");
    let bodies: Vec<String> = (deliveries + 1..)
        .zip(bodies())
        .map(|(sequence, body)| host_delivery(CONTEXT, sequence, &body))
        .collect();
    host.send(&format!("[{}]", bodies.join(",")));
    host.acknowledged(deliveries + bodies.len() as u64);
    let held = peak(host.id());
    assert!(held < BOUND, "{held} bytes, {before} before");
    // And it is passed on as all else.
    let total = RECORDS + events;
    for part in 1..=4 {
        until("the stream has more", || {
            sandbox.redis.stream_length() >= total / 4 * part
        });
    }
    let newest = sandbox.redis.newest_event();
    assert!(newest.contains(last), "{newest}");
    let held = peak(host.id());
    assert!(held < BOUND, "{held} bytes, {before} before");
}

/// How an event says that it is the last one of a transaction.
fn last_of(events: u64) -> String {
    format!(r#""total_order":{events},"event_count":{events}}}"#)
}

#[test]
fn a_store_that_is_cleared_takes_no_memory_of_its_size() {
    mirror_takes_no_memory(|| commit(&[clear()]), RECORDS + 1, &last_of(RECORDS + 1));
}

#[test]
fn a_range_that_is_deleted_takes_no_memory_of_its_size() {
    let range = r#"{"delete_range":{"store":"orders","range":{"lower":1}}}"#.to_owned();
    mirror_takes_no_memory(
        || commit(&[range, put("1", "1")]),
        RECORDS + 2,
        &last_of(RECORDS + 2),
    );
}

#[test]
fn a_database_that_is_deleted_takes_no_memory_of_its_size() {
    mirror_takes_no_memory(deletion, RECORDS + 1, &last_of(RECORDS + 1));
}

#[test]
fn a_store_that_is_renamed_takes_no_memory_of_its_size() {
    let rename = schema("orders", r#"{"rename_store":{"to":"sold"}}"#);
    let events = 2 * RECORDS + 1;
    mirror_takes_no_memory(|| commit(&[rename]), events, &last_of(events));
}

#[test]
fn a_store_that_was_read_as_empty_takes_no_memory_of_its_size() {
    mirror_takes_no_memory(|| snapshot_at(now() + 1000, &[]), RECORDS, r#""op":"d""#);
}

#[test]
fn a_store_that_is_found_gone_takes_no_memory_of_its_size() {
    let gone = |after: i64| {
        let at = now() + after;
        format!(r#"{{"store_list":{{"began_at":{at},"read_at":{at},"databases":[]}}}}"#)
    };
    // One list alone deletes nothing.
    mirror_takes_no_memory_by(|| vec![gone(1000), gone(2000)], RECORDS, r#""op":"d""#);
}
