//! By Pub/Sub, at most once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{LEASE, host, large::event, sandbox};
use crate::support::verify::{assert_same, kinds, verify};
use crate::support::{
    Apply, Gate, Host, Proxy, Sandbox,
    body::{clear, commit, delete, put},
    has, until,
};

const PUBSUB: &[&str] = &["--pubsub"];

/// How long the rest of a transaction may take.
const REST: Duration = Duration::from_secs(2);

#[test]
fn received_event_is_written() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("0", "0")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let mut apply = Apply::start_with(&sandbox, "one", PUBSUB);
    let started = apply.says("started");
    assert_eq!(
        (&started["at_most_once"], &started["channels"]),
        (&true.into(), &"idb:*:*:*".into())
    );
    apply.state("applying");
    host.deliver(2, &commit(&[put("1", "1"), put("2", "2")]));
    sandbox.await_cached("2", Some("2"));
    sandbox.await_cached("1", Some("1"));
    host.deliver(3, &commit(&[delete("1"), put("3", "3")]));
    sandbox.await_cached("3", Some("3"));
    sandbox.await_cached("1", None);
    host.deliver(4, &commit(&[clear(), put("4", "4")]));
    sandbox.await_cached("4", Some("4"));
    sandbox.await_cached("2", None);
    // No process listened to the first event.
    assert_eq!(sandbox.cached("0"), None);
    assert!(apply.end().success());
}

#[test]
fn one_of_several_subscribers_writes() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut one = Apply::start_with(&sandbox, "one", PUBSUB);
    one.state("applying");
    let mut two = Apply::start_with(&sandbox, "two", PUBSUB);
    two.state("standing_by");
    // The stream's readers and the channels' exclude each other, too: they would write the same
    // records.
    let mut three = Apply::start(&sandbox, "three");
    three.state("standing_by");
    host.deliver(1, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    assert!(three.end().success());
    one.pause();
    two.state("applying");
    host.deliver(2, &commit(&[put("1", "2"), put("2", "2")]));
    sandbox.await_cached("1", Some("2"));
    host.deliver(3, &commit(&[delete("2"), put("1", "3")]));
    sandbox.await_cached("1", Some("3"));
    // `one` must not write the messages that it received before the pause, or has received since.
    one.resume();
    one.state("standing_by");
    assert_eq!(sandbox.cached("1").as_deref(), Some("3"));
    assert_eq!(sandbox.cached("2"), None);
    // A process that takes over reports what it missed, once it can know.
    assert!(two.end().success());
    one.state("applying");
    host.deliver(4, &commit(&[put("1", "4")]));
    sandbox.await_cached("1", Some("4"));
}

#[test]
fn missed_events_are_reported_as_gap() {
    let mut sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::start_with(&sandbox, "one", PUBSUB);
    apply.state("applying");
    host.deliver(1, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    let client: i64 = {
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .arg("TYPE")
            .arg("pubsub")
            .query(&mut sandbox.redis.connection())
            .expect("a list");
        let id = list
            .split_whitespace()
            .find_map(|word| word.strip_prefix("id="))
            .expect("an id");
        id.parse().expect("a number")
    };
    // Its connection goes, and events pass before it listens again.
    sandbox
        .redis
        .send_command(&["CLIENT", "KILL", "ID", &client.to_string()]);
    host.deliver(2, &commit(&[put("1", "2"), put("2", "2")]));
    host.acknowledged(2);
    sandbox.redis.await_stream(3);
    apply.state("applying");
    host.deliver(3, &commit(&[put("3", "3")]));
    sandbox.await_cached("3", Some("3"));
    let gap = apply.says("gap");
    assert_eq!(gap["events"], 2);
    assert!(
        gap["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("Without --pubsub"))
    );
    sandbox.redis.kill();
}

/// A process that listens and reaches Redis through a proxy. Programs that were started before do
/// not use the proxy.
fn listening_by(sandbox: &Sandbox, proxy: &Proxy) -> Apply {
    sandbox.reach_redis_by(proxy.address());
    let mut apply = Apply::start_with(sandbox, "one", PUBSUB);
    apply.state("applying");
    apply
}

/// How many patterns have a subscriber.
fn patterns(sandbox: &Sandbox) -> usize {
    redis::cmd("PUBSUB")
        .arg("NUMPAT")
        .query(&mut sandbox.redis.connection())
        .expect("a number")
}

#[test]
fn a_server_that_goes_without_a_word_is_listened_to_again() {
    let mut sandbox = sandbox();
    let mut host = host(&sandbox);
    let proxy = Proxy::between(sandbox.redis.address(), |_, _, _| {}, |_| {});
    let apply = listening_by(&sandbox, &proxy);
    host.deliver(1, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    proxy.tell_no_end();
    sandbox.redis.restart();
    until("it listens again", || patterns(&sandbox) > 0);
    host.deliver(2, &commit(&[put("1", "2")]));
    sandbox.await_cached("1", Some("2"));
    assert!(apply.end().success());
}

#[test]
fn event_that_stalls_in_transit_is_received_whole() {
    const HALF: usize = 150_000;
    let sandbox = sandbox();
    let (gate, halted) = (Arc::new(Gate::default()), Arc::new(AtomicBool::default()));
    let (opened, at) = (Arc::clone(&gate), Arc::clone(&gate));
    let is_halted = Arc::clone(&halted);
    let proxy = Proxy::between(
        sandbox.redis.address(),
        move |_, _, bytes| {
            // It asks whether anybody is still there.
            if is_halted.load(Ordering::SeqCst) && has(bytes, b"PSUBSCRIBE") {
                opened.open();
            }
        },
        move |bytes| {
            if has(bytes, b"xxxxxxxxxxxxxxxx") {
                at.pass();
            }
        },
    );
    let mut apply = listening_by(&sandbox, &proxy);
    // The first half of the value arrives at once.
    let halves = ["z".repeat(HALF), "x".repeat(HALF)];
    redis::cmd("PUBLISH")
        .arg("idb:http%3A//localhost%3A8080:shop:orders")
        .arg(event(1, 7, 2 * HALF).replacen(&halves[1], &halves[0], 1))
        .exec(&mut sandbox.redis.connection())
        .expect("published");
    gate.await_waiter();
    halted.store(true, Ordering::SeqCst);
    let value = format!("\"{}\"", halves.concat());
    until("both halves are written", || {
        sandbox.cached("7").is_some_and(|held| held == value)
    });
    assert!(apply.said("trouble").is_empty(), "{:?}", apply.said("trouble"));
    assert!(apply.end().success());
}

#[test]
fn received_transaction_waits_for_its_rest() {
    let sandbox = sandbox();
    let mut apply = Apply::start_with(&sandbox, "one", PUBSUB);
    apply.state("applying");
    let mut connection = sandbox.redis.connection();
    let mut number = 0;
    // A machine that is slow may let the time pass that the rest has.
    until("the rest has come in time", || {
        number += 2;
        let [first, second] = [(number - 1, 1), (number, 2)].map(|(number, order)| {
            let mut event: Value = serde_json::from_str(&event(number, number, 1)).expect("JSON");
            event["transaction"] = json!({"id": "of-two", "total_order": order, "event_count": 2});
            event.to_string()
        });
        let mut publish = |event: String| {
            redis::cmd("PUBLISH")
                .arg("idb:http%3A//localhost%3A8080:shop:orders")
                .arg(event)
                .exec(&mut connection)
                .expect("published");
        };
        let kept = || -> u64 {
            let count = redis::cmd("GET").arg(format!("{LEASE}:kept")).to_owned();
            count.query(&mut sandbox.redis.connection()).expect("a count")
        };
        let before = kept();
        let begun = Instant::now();
        publish(first);
        // It keeps the lease while it waits.
        until("the lease is kept", || kept() >= before + 2);
        let early = sandbox.cached(&(number - 1).to_string());
        let is_in_time = begun.elapsed() < REST;
        publish(second);
        sandbox.await_cached(&number.to_string(), Some("\"x\""));
        assert!(sandbox.cached(&(number - 1).to_string()).is_some());
        if is_in_time {
            assert_eq!(early, None, "half of the transaction was written");
        }
        is_in_time
    });
    assert_eq!(apply.said("trouble"), Vec::<Value>::new());
    assert!(apply.end().success());
}

/// A host that ended in the middle of a transaction holds up no other one.
#[test]
fn cut_transaction_holds_up_no_other_profile() {
    let sandbox = sandbox();
    let mut apply = Apply::start_with(&sandbox, "one", PUBSUB);
    apply.state("applying");
    let mut connection = sandbox.redis.connection();
    let mut publish = |event: &Value| {
        redis::cmd("PUBLISH")
            .arg("idb:http%3A//localhost%3A8080:shop:orders")
            .arg(event.to_string())
            .exec(&mut connection)
            .expect("published");
    };
    let event = |profile: &str, key: u64, number: u64| -> Value {
        let mut event: Value = serde_json::from_str(&event(key, number, 1)).expect("JSON");
        event["source"]["profile"] = profile.into();
        event
    };
    let mut cut = event("profile-2", 1, 1);
    cut["transaction"] = json!({"id": "cut", "total_order": 1, "event_count": 2});
    publish(&cut);
    let mut number = 0;
    // The other one goes on writing, more often than the rest of a transaction is waited for.
    until("a record of the other profile", || {
        number += 1;
        publish(&event("profile-1", 2, number));
        sandbox.cached("2").is_some() || sandbox.cached("1").is_some()
    });
    assert!(apply.end().success());
}

/// A process has written `old`, and has `new` in hand: Memcached stands still.
fn caught_with_something_in_hand() -> (Sandbox, Host, Apply) {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::hasty(&sandbox, "one", PUBSUB);
    apply.state("applying");
    host.deliver(1, &commit(&[put("1", "\"old\"")]));
    sandbox.await_cached("1", Some("\"old\""));
    sandbox.memcached.pause();
    host.deliver(2, &commit(&[put("1", "\"new\""), put("2", "2")]));
    let trouble = apply.trouble("slow");
    let fix = trouble["fix"].as_str().expect("text");
    assert!(
        fix.contains("reported as a gap") && !fix.contains("nothing is lost"),
        "{fix}"
    );
    (sandbox, host, apply)
}

#[test]
fn what_was_in_hand_when_memcached_stood_still_is_written_later() {
    let (sandbox, mut host, mut apply) = caught_with_something_in_hand();
    host.deliver(3, &commit(&[put("2", "3"), put("3", "3")]));
    host.acknowledged(3);
    sandbox.memcached.resume();
    sandbox.await_cached("3", Some("3"));
    sandbox.await_cached("1", Some("\"new\""));
    sandbox.await_cached("2", Some("3"));
    assert_eq!(apply.said("gap"), Vec::<Value>::new());
    assert!(apply.end().success());
}

#[test]
fn unwritten_events_are_reported_at_the_end() {
    let (sandbox, _host, mut apply) = caught_with_something_in_hand();
    apply.ask_to_end();
    let gap = apply.says("gap");
    assert_eq!(gap["events"], 2);
    let end = |name: &str| gap[name].as_u64().expect("a number");
    assert_eq!(end("last") - end("first"), 1);
    assert!(
        gap["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("Without --pubsub"))
    );
    assert!(apply.wait().success());
    sandbox.memcached.resume();
    assert_eq!(sandbox.cached("1").as_deref(), Some("\"old\""));
    // The fix does what it says.
    let apply = Apply::writing(&sandbox, "two");
    assert_eq!(sandbox.cached("1").as_deref(), Some("\"new\""));
    assert_eq!(sandbox.cached("2").as_deref(), Some("2"));
    drop(apply);
}

#[test]
fn missed_events_are_a_difference_while_apply_listens() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("0", "0")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let mut apply = Apply::start_with(&sandbox, "one", PUBSUB);
    apply.state("applying");
    // It may have older values in hand, so nothing is put right beside it.
    for repair in [&[][..], &["--repair"]] {
        let verified = verify(&sandbox, repair);
        assert_eq!(
            (verified.code, verified.kinds()),
            (Some(1), kinds([("0", "missing")]))
        );
        assert_eq!((verified.compared.pending, verified.compared.repaired), (0, 0));
    }
    assert_eq!(sandbox.cached("0"), None);
    assert!(apply.end().success());
    let apply = Apply::writing(&sandbox, "two");
    assert_same(&sandbox, 1);
    drop(apply);
}

#[test]
fn standby_writes_what_a_killed_writer_left() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut one = Apply::start_with(&sandbox, "one", PUBSUB);
    one.state("applying");
    let mut two = Apply::start_with(&sandbox, "two", PUBSUB);
    two.state("standing_by");
    host.deliver(1, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    one.pause();
    // No process writes yet.
    host.deliver(2, &commit(&[put("1", "2"), put("2", "2")]));
    sandbox.await_cached("2", Some("2"));
    sandbox.await_cached("1", Some("2"));
    assert_eq!(two.said("gap"), Vec::<Value>::new());
    one.kill();
}

#[test]
fn memory_is_bounded_for_any_number_of_received_events() {
    const EVENTS: u64 = 160;
    let sandbox = sandbox();
    // Otherwise Redis would disconnect so slow a subscriber.
    sandbox
        .redis
        .send_command(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]);
    let mut apply = Apply::hasty(&sandbox, "one", PUBSUB);
    apply.state("applying");
    let mut connection = sandbox.redis.connection();
    let mut publish = |number: u64| {
        redis::cmd("PUBLISH")
            .arg("idb:http%3A//localhost%3A8080:shop:orders")
            .arg(event(number, number, 500_000))
            .exec(&mut connection)
            .expect("published");
    };
    publish(1);
    apply.says("applied");
    sandbox.memcached.pause();
    for number in 2..=EVENTS {
        publish(number);
    }
    apply.trouble("slow");
    sandbox.memcached.resume();
    until("all of it was received and written", || {
        sandbox.cached(&EVENTS.to_string()).is_some()
    });
    assert_eq!(apply.said("gap"), Vec::<Value>::new());
    let peak = apply.peak_memory();
    assert!(peak < 48, "{peak} MB");
}
