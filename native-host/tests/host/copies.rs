//! A journal and a copy of it: a copied browser profile, a machine that was cloned or restored.
//! Both go on under one profile id.

use std::{collections::BTreeSet, fs, ops::RangeInclusive};

use serde_json::Value;

use crate::support::{
    Host, Machine, Sandbox, assert_stream,
    body::{commit_in_turn, put},
    status, until,
};

/// Delivers an event for each of these values, by a document of this name.
fn deliver(host: &mut Host, context: &str, values: RangeInclusive<u64>) {
    let mut sequence = 0;
    for value in values {
        sequence += 1;
        host.deliver_as(
            context,
            sequence,
            &commit_in_turn(&[put("1", &value.to_string())]),
        );
    }
    host.acknowledged_as(context, sequence);
}

fn sink(sandbox: &Sandbox, name: &str) -> Value {
    status(sandbox)["profiles"][0]["sinks"][name].clone()
}

fn await_passed_on(sandbox: &Sandbox) {
    for name in ["redis", "memcached"] {
        until(&format!("{name} has all that there is"), || {
            let sink = sink(sandbox, name);
            sink["behind"] == 0 && sink["state"] == "running"
        });
    }
}

/// The values in the stream, as they come.
fn values(sandbox: &Sandbox) -> Vec<u64> {
    let events = sandbox.redis.stream();
    events
        .iter()
        .filter_map(|event| event["after"].as_u64())
        .collect()
}

/// Waits until each of so many events is in the stream, and asserts that each is once and has a
/// number of its own.
fn assert_each_once(sandbox: &Sandbox, expected: impl IntoIterator<Item = u64>) {
    let expected: BTreeSet<u64> = expected.into_iter().collect();
    until(&format!("the stream has {} events", expected.len()), || {
        sandbox.redis.stream_length() >= expected.len() as u64
    });
    let found = values(sandbox);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    let events = sandbox.redis.stream();
    let numbers: Vec<_> = events
        .iter()
        .filter_map(|event| event["source"]["sequence"].as_u64())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

/// A host, and a machine with a copy of its journal, which has five events.
fn host_and_copy(sandbox: &Sandbox) -> (Host, Machine) {
    let mut host = Host::hasty(sandbox);
    deliver(&mut host, "before", 1..=5);
    assert_stream(sandbox, 1..=5);
    await_passed_on(sandbox);
    (host, Machine::copy_of(sandbox))
}

#[test]
fn two_hosts_of_one_profile_are_named_and_lose_nothing() {
    let sandbox = Sandbox::new();
    let (mut original, machine) = host_and_copy(&sandbox);
    let mut copy = machine.hasty();
    for round in 0..10 {
        original.deliver_as(
            "a",
            round + 1,
            &commit_in_turn(&[put("1", &(100 + round).to_string())]),
        );
        copy.deliver_as(
            "b",
            round + 1,
            &commit_in_turn(&[put("2", &(200 + round).to_string())]),
        );
    }
    original.acknowledged_as("a", 10);
    copy.acknowledged_as("b", 10);
    // The copy was made after the original had come to the server last, so it took the cursor.
    until("the original says that another host publishes", || {
        sink(&sandbox, "redis")["state"] == "profile_in_use"
    });
    until("the copy says that another host wants to", || {
        machine.sink("redis")["state"] == "profile_copied"
    });
    let printed = sandbox.print(&["status"]);
    assert!(
        printed.contains("as profile profile-1") && printed.contains("remove the extension"),
        "{printed}"
    );
    let doctor = String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(doctor.contains("as profile profile-1"), "{doctor}");
    assert!(machine.print(&["doctor"]).contains("as profile profile-1"));
    // Of the cache, too, only one of them is the writer.
    until("the original leaves Memcached alone", || {
        sink(&sandbox, "memcached")["state"] == "profile_in_use"
    });
    sandbox.await_cached("2", Some("209"));

    assert!(copy.close().success());
    await_passed_on(&sandbox);
    assert_each_once(&sandbox, (1..=5).chain(100..=109).chain(200..=209));
    // What the copy has left there goes.
    sandbox.await_cached("1", Some("109"));
    sandbox.await_cached("2", None);
}

#[test]
fn a_copy_of_an_older_state_leaves_the_original_alone() {
    let mut sandbox = Sandbox::new();
    let (mut original, machine) = host_and_copy(&sandbox);
    // The original connects again, which the copy does not know of.
    sandbox.redis.restart();
    deliver(&mut original, "a", 100..=109);
    await_passed_on(&sandbox);
    let mut copy = machine.hasty();
    deliver(&mut copy, "b", 200..=209);
    until("the copy says that another host publishes", || {
        machine.sink("redis")["state"] == "profile_in_use"
    });
    until("the original says that another host wants to", || {
        sink(&sandbox, "redis")["state"] == "profile_copied"
    });
    assert_each_once(&sandbox, (1..=5).chain(100..=109));
    assert!(original.close().success());
    assert_each_once(&sandbox, (1..=5).chain(100..=109).chain(200..=209));
}

#[test]
fn a_copy_publishes_nothing_that_the_original_has_published() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    let mut original = Host::hasty(&sandbox);
    deliver(&mut original, "a", 1..=5);
    let machine = Machine::copy_of(&sandbox);
    sandbox.redis.restart();
    deliver(&mut original, "b", 6..=10);
    assert_stream(&sandbox, 1..=10);
    assert!(original.close().success());
    let mut copy = machine.hasty();
    deliver(&mut copy, "c", 100..=102);
    assert_each_once(&sandbox, (1..=10).chain(100..=102));
}

#[test]
fn a_host_that_is_killed_right_behind_its_claim_is_no_copy() {
    let sandbox = Sandbox::new();
    let (host, _) = host_and_copy(&sandbox);
    assert!(host.close().success());
    for _ in 0..3 {
        let mut program = sandbox.program();
        program.env("IDB_RELAY_FAIL_POINT", "redis.claimed:1");
        let mut host = Host::spawn(program);
        host.send(&crate::support::hello(protocol::PROTOCOL_VERSION));
        host.wait();
    }
    // At the usual pace: a challenge would take seconds, and leave a trace.
    let mut host = Host::start(&sandbox);
    deliver(&mut host, "after", 6..=10);
    assert_stream(&sandbox, 1..=10);
    await_passed_on(&sandbox);
    assert_eq!(sink(&sandbox, "redis")["last_error"], Value::Null);
}

#[test]
fn a_new_journal_in_the_place_of_one_that_is_gone_publishes() {
    let sandbox = Sandbox::new();
    let (host, _) = host_and_copy(&sandbox);
    assert!(host.close().success());
    fs::remove_dir_all(sandbox.journal_directory()).expect("removed");
    let mut host = Host::hasty(&sandbox);
    deliver(&mut host, "after", 100..=105);
    assert_each_once(&sandbox, (1..=5).chain(100..=105));
    until("all is published", || {
        let sink = sink(&sandbox, "redis");
        sink["behind"] == 0 && sink["state"] == "running"
    });
    assert_eq!(sink(&sandbox, "redis")["last_error"], Value::Null);
    sandbox.await_cached("1", Some("105"));
}
