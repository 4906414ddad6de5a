//! Events that are large, and lines that are slow.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use idb_relay::apply::lease::LENGTH;
use redis::Connection;
use serde_json::json;

use super::{sandbox, stream::all_done};
use crate::support::{Apply, Gate, ORIGIN, Proxy, Sandbox, has, until};

/// What a large value consists of.
const LARGE: &[u8; 16] = b"xxxxxxxxxxxxxxxx";

/// How many of them, of half a megabyte each, no process may have in memory at once, whichever way
/// it comes by them.
const EVENTS: u64 = 80;

/// What one may have, in MB: the program, and some portions of what passes through it.
const BOUND: u64 = 36;

/// An event of a record's creation, as a host puts it into the stream.
pub(super) fn event(number: u64, key: u64, length: usize) -> String {
    json!({
        "op": "c", "key": key, "before": null, "after": "x".repeat(length), "ts_ms": 1,
        "source": {
            "version": "0.1.0", "browser": "chromium/156", "profile": "profile-1", "origin": ORIGIN, "bucket": "",
            "database": "shop", "database_version": 1, "store": "orders", "context": "context",
            "sequence": number, "snapshot": false,
        },
        "transaction": {"id": format!("context:{number}"), "total_order": 1, "event_count": 1},
    })
    .to_string()
}

fn add(connection: &mut Connection, number: u64, key: u64, length: usize) {
    redis::cmd("XADD")
        .arg(&["idb:events", "*", "event", &event(number, key, length)])
        .exec(connection)
        .expect("added");
}

/// Gives every event to a consumer of another kind, which never acknowledges one.
fn give_all_to_foreign_consumer(connection: &mut Connection) {
    redis::cmd("XREADGROUP")
        .arg(&["GROUP", "memcached", "foreign", "STREAMS", "idb:events", ">"])
        .exec(connection)
        .expect("read");
}

/// A sandbox whose processes reach Redis by a proxy.
fn by_proxy(proxy: impl FnOnce(String) -> Proxy) -> Sandbox {
    let sandbox = sandbox();
    let url = sandbox.redis.url();
    let proxy = proxy(sandbox.redis.address());
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&url, &format!("redis://{}", proxy.address())));
    sandbox
}

/// A large event is on its way from Redis for longer than the lease lives without being kept.
fn a_long_answer_comes(prepare: impl FnOnce(&Sandbox, &mut Connection) -> Apply) {
    let gate = Arc::new(Gate::default());
    let at = Arc::clone(&gate);
    let sandbox = by_proxy(|redis| {
        Proxy::of_answers(redis, move |bytes| {
            if has(bytes, LARGE) {
                at.pass();
            }
        })
    });
    let mut connection = sandbox.redis.connection();
    let mut apply = prepare(&sandbox, &mut connection);
    gate.await_waiter();
    let (began, length) = (Instant::now(), Duration::from_secs(u64::from(LENGTH)));
    until("the lease would have run out", || {
        began.elapsed() > length * 9 / 8
    });
    gate.open();
    sandbox.await_cached("7", Some(&format!("\"{}\"", "x".repeat(1000))));
    all_done(&sandbox);
    for line in apply.unread_lines() {
        assert!(
            line.get("trouble").is_none() && line["state"]["state"] != "lease_lost",
            "{line}"
        );
    }
}

#[test]
fn the_lease_is_kept_while_a_server_is_filled_by_a_slow_line() {
    a_long_answer_comes(|sandbox, connection| {
        add(connection, 1, 7, 1000);
        Apply::start(sandbox, "one")
    });
}

#[test]
fn the_lease_is_kept_while_events_come_by_a_slow_line() {
    a_long_answer_comes(|sandbox, connection| {
        add(connection, 1, 1, 1);
        let apply = Apply::writing(sandbox, "one");
        add(connection, 2, 7, 1000);
        apply
    });
}

#[test]
fn the_lease_is_kept_while_what_is_owed_comes_by_a_slow_line() {
    a_long_answer_comes(|sandbox, connection| {
        add(connection, 1, 1, 1);
        assert!(Apply::writing(sandbox, "one").end().success());
        add(connection, 2, 7, 1000);
        give_all_to_foreign_consumer(connection);
        Apply::start(sandbox, "two")
    });
}

#[test]
fn a_server_that_takes_too_long_is_named() {
    let sandbox = sandbox();
    let gate = Arc::new(Gate::default());
    let at = Arc::clone(&gate);
    let proxy = Proxy::start(&sandbox.memcached, move |_, _, bytes| {
        if has(bytes, LARGE) {
            at.pass();
        }
    });
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&sandbox.memcached.address(), proxy.address()));
    add(&mut sandbox.redis.connection(), 1, 7, 1000);
    let mut apply = Apply::start(&sandbox, "one");
    gate.await_waiter();
    // Too long for the lease, but no reason to give the connection up.
    let (began, length) = (Instant::now(), Duration::from_secs(u64::from(LENGTH)));
    until("so much time has passed", || began.elapsed() > length * 5 / 8);
    gate.open();
    let trouble = apply.trouble("late");
    let error = trouble["error"].as_str().expect("text");
    assert!(
        error.contains(&format!("memcached at {} took", proxy.address())),
        "{error}"
    );
    assert!(
        trouble["fix"].as_str().is_some_and(|fix| fix.contains("nearer")),
        "{trouble}"
    );
    apply.state("applying");
    all_done(&sandbox);
}

#[test]
fn memory_is_bounded_however_large_events_are() {
    const VALUE: usize = 500_000;
    let sandbox = sandbox();
    let mut connection = sandbox.redis.connection();
    for number in 1..=EVENTS {
        add(&mut connection, number, number, VALUE);
    }
    let done = |apply: &Apply, how: &str| {
        until("all is acknowledged", || {
            let groups: Vec<BTreeMap<String, redis::Value>> = redis::cmd("XINFO")
                .arg(&["GROUPS", "idb:events"])
                .query(&mut sandbox.redis.connection())
                .expect("groups");
            groups.len() == 1
                && groups[0]["pending"] == redis::Value::Int(0)
                && groups[0]["lag"] == redis::Value::Int(0)
        });
        let peak = apply.peak_memory();
        assert!(peak < BOUND, "{how}: {peak} MB");
    };
    let mut apply = Apply::start(&sandbox, "fills");
    assert_eq!(apply.says("filled")["records"], EVENTS);
    apply.state("applying");
    done(&apply, "filling");
    assert!(apply.end().success());
    for number in EVENTS + 1..=2 * EVENTS {
        add(&mut connection, number, number, VALUE);
    }
    let apply = Apply::start(&sandbox, "reads");
    done(&apply, "reading");
    assert!(apply.end().success());
    // The older ones of what is owed are not applied, wherever their values are, and the newest of
    // all is small.
    for number in 2 * EVENTS + 1..=3 * EVENTS {
        add(&mut connection, number, number % 50, VALUE);
    }
    add(&mut connection, 3 * EVENTS + 1, 7, 3);
    give_all_to_foreign_consumer(&mut connection);
    let mut apply = Apply::start(&sandbox, "claims");
    apply.state("applying");
    done(&apply, "claiming");
    sandbox.await_cached("7", Some("\"xxx\""));
    let large = sandbox.cached("8").map(|value| value.len());
    assert_eq!(large, Some(VALUE + 2));
}
