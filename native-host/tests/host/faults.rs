//! What breaks on the way.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::{
    CONTEXT, Host, Sandbox, assert_stream,
    body::{commit, delete, put},
    host_delivery, pour, status, until,
};

#[test]
fn a_killed_host_loses_nothing_and_repeats_nothing() {
    let sandbox = Sandbox::new();
    let mut next = 1;
    for round in 0..5 {
        let mut host = Host::start(&sandbox);
        let all = next..next + 400;
        pour(
            host.stdin(),
            all.clone().map(|sequence| {
                host_delivery(CONTEXT, sequence, &commit(&[put("1", &sequence.to_string())]))
            }),
        );
        // Somewhere in the middle: after some acknowledgement, with more on its way.
        let mut last = 0;
        for _ in 0..=round {
            if let protocol::wire::host::FromHost::Acknowledged { sequence, .. } = host.receive() {
                last = sequence;
            }
            if last + 1 == all.end {
                break;
            }
        }
        host.kill();
        // What the host has not acknowledged is sent again.
        next = last + 1;
    }
    let mut host = Host::start(&sandbox);
    host.deliver(next, &commit(&[put("1", &next.to_string())]));
    let mut journaled = 0;
    while journaled < next {
        if let protocol::wire::host::FromHost::Acknowledged { sequence, .. } = host.receive() {
            journaled = sequence;
        }
    }
    // More than was acknowledged may have been kept; never less.
    sandbox.await_cached("1", Some(&journaled.to_string()));
    assert!(host.close().success());
    assert_stream(&sandbox, 1..=journaled);
}

#[test]
fn redis_away_and_back() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    sandbox.redis.kill();
    for sequence in 2..=50 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged(50);
    // Memcached does not wait for Redis.
    sandbox.await_cached("1", Some("50"));
    until("the status says so", || {
        let redis = status(&sandbox)["profiles"][0]["sinks"]["redis"].clone();
        redis["state"] == "unreachable"
            && redis["behind"] == 49
            && redis["fix"]
                .as_str()
                .is_some_and(|fix| fix.contains("Start the server"))
    });
    sandbox.redis.restart();
    assert_stream(&sandbox, 1..=50);
    until("the status says so", || {
        let redis = status(&sandbox)["profiles"][0]["sinks"]["redis"].clone();
        redis["state"] == "running" && redis["behind"] == 0 && redis["error"].is_null()
    });
}

#[test]
fn redis_away_over_a_restart_of_the_host() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    for sequence in 1..=20 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged(20);
    assert!(host.close().success());
    sandbox.redis.restart();
    let _host = Host::start(&sandbox);
    assert_stream(&sandbox, 1..=20);
}

#[test]
fn a_refusal_of_redis_is_named_and_nothing_passes_it_by() {
    let sandbox = Sandbox::new();
    let mut connection = sandbox.redis.connection();
    redis::cmd("SET")
        .arg("idb:events")
        .arg("in the way")
        .exec(&mut connection)
        .expect("set");
    let mut host = Host::start(&sandbox);
    for sequence in 1..=3 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged(3);
    until("the status says so", || {
        status(&sandbox)["profiles"][0]["sinks"]["redis"]["state"] == "wrong_type"
    });
    redis::cmd("DEL")
        .arg("idb:events")
        .exec(&mut connection)
        .expect("deleted");
    assert_stream(&sandbox, 1..=3);
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let sandbox = Sandbox::new();
    let mut connection = sandbox.redis.connection();
    let require = |connection: &mut redis::Connection, password: &str| {
        redis::cmd("CONFIG")
            .arg("SET")
            .arg("requirepass")
            .arg(password)
            .exec(connection)
            .expect("set");
    };
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("redis://", "redis://:hunter2@"));
    require(&mut connection, "another");
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    until("the status says so", || {
        status(&sandbox)["profiles"][0]["sinks"]["redis"]["state"] == "not_authenticated"
    });
    for arguments in [&["status"][..], &["status", "--json"], &["tail", "--no-follow"]] {
        assert!(!sandbox.print(arguments).contains("hunter2"));
    }
    require(&mut connection, "hunter2");
    until("the event has passed", || {
        status(&sandbox)["profiles"][0]["sinks"]["redis"]["behind"] == 0
    });
}

#[test]
fn memcached_away_and_back() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1"), put("2", "1")]));
    host.acknowledged(1);
    sandbox.await_cached("2", Some("1"));
    sandbox.memcached.kill();
    for sequence in 2..=50 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.deliver(51, &commit(&[delete("2"), put("3", "3")]));
    host.acknowledged(51);
    assert_eq!(sandbox.redis.await_stream(53).len(), 53);
    until("the status says so", || {
        status(&sandbox)["profiles"][0]["sinks"]["memcached"]["state"] == "unreachable"
    });
    sandbox.memcached.restart();
    sandbox.await_cached("1", Some("50"));
    sandbox.await_cached("3", Some("3"));
    assert_eq!(sandbox.cached("2"), None);
}

#[test]
fn memcached_that_comes_back_empty_is_filled_again_without_a_write() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..1500).map(|key| put(&key.to_string(), "1")).collect();
    host.deliver(1, &commit(&puts));
    host.deliver(2, &commit(&[delete("7")]));
    host.acknowledged(2);
    sandbox.await_cached("1499", Some("1"));
    sandbox.await_cached("7", None);
    sandbox.memcached.restart();
    // It is filled in key order. Only once the last key is there does an absent one say anything.
    sandbox.await_cached("1499", Some("1"));
    for key in [0, 6, 511, 512] {
        assert_eq!(sandbox.cached(&key.to_string()).as_deref(), Some("1"), "{key}");
    }
    assert_eq!(sandbox.cached("7"), None);
    assert_eq!(sandbox.memcached.count_keys(), 1499);
}

#[test]
fn memcached_never_goes_back_in_time() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    for sequence in 1..=2000 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    let name = sandbox.key("1");
    let mut seen = HashSet::new();
    let mut newest = 0;
    until("the last value is there", || {
        if let Some(value) = sandbox.memcached.get(&name) {
            let value: u64 = value.parse().expect("a number");
            assert!(value >= newest, "{value} after {newest}");
            newest = value;
            seen.insert(value);
        }
        newest == 2000
    });
}

#[test]
fn value_that_memcached_refuses_is_deleted_and_reported() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    sandbox.memcached.set(&sandbox.key("1"), "stale");
    host.deliver(1, &commit(&[put("1", "1"), put("2", "2")]));
    host.deliver(2, &commit(&[put("1", &large), put("3", "3")]));
    host.acknowledged(2);
    sandbox.await_cached("3", Some("3"));
    sandbox.await_cached("2", Some("2"));
    assert_eq!(sandbox.cached("1"), None);
    until("the status tells it", || {
        status(&sandbox)["profiles"][0]["sinks"]["memcached"]["notices"] == 1
    });
    let lines = sandbox.print(&["tail", "--no-follow", "--json"]);
    let third: Value = serde_json::from_str(lines.lines().nth(2).expect("a line")).expect("JSON");
    let note = third["notes"]["memcached"].as_str().expect("a note");
    assert!(note.contains("too large"), "{note}");
}
