//! By consumer group: what is written, and what is said.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use redis::Commands as _;

use super::{free_lease, host, sandbox};
use crate::support::{
    Apply, CONTEXT, Gate, Host, ORIGIN, Proxy, Sandbox,
    body::{add, clear, commit, delete, deletion, put, schema},
    has, host_delivery, pour, status, until,
};

/// How many events are owed or were not read yet; `None` if there is no group. Counted one by one:
/// Redis's own figure (`lag`) is wrong after its restart, and null, not 0, where it has none.
pub(super) fn outstanding(sandbox: &Sandbox) -> Option<usize> {
    let mut connection = sandbox.redis.connection();
    let groups: Vec<HashMap<String, redis::Value>> = redis::cmd("XINFO")
        .arg("GROUPS")
        .arg("idb:events")
        .query(&mut connection)
        .ok()?;
    let mut group = groups.into_iter().next()?;
    let last: String = redis::from_redis_value(group.remove("last-delivered-id")?).ok()?;
    let pending: usize = redis::from_redis_value(group.remove("pending")?).ok()?;
    let unread: redis::streams::StreamRangeReply = connection
        .xrange("idb:events", format!("({last}"), "+")
        .expect("a stream");
    Some(pending + unread.ids.len())
}

/// Waits until everything that the hosts have journaled is in the stream, and done with.
pub(super) fn all_done(sandbox: &Sandbox) {
    until("the stream has all events", || {
        let status = status(sandbox);
        let profiles = status["profiles"].as_array().expect("a list");
        profiles
            .iter()
            .all(|profile| profile["sinks"]["redis"]["behind"] == 0)
    });
    until("all is acknowledged", || outstanding(sandbox) == Some(0));
}

#[test]
fn what_the_host_would_write_is_written() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(
        1,
        &commit(&[
            put("1", r#"{"total":9.50,"at":{"$date":"2026-01-31T12:00:00.000Z"}}"#),
            add("\"a\"", "null"),
        ]),
    );
    host.acknowledged(1);
    sandbox.redis.await_stream(2);
    assert_eq!(
        sandbox.memcached.count_keys(),
        0,
        "the host leaves Memcached alone"
    );
    let mut apply = Apply::writing(&sandbox, "one");
    sandbox.await_cached("1", Some(r#"{"total":9.50,"at":"2026-01-31T12:00:00.000Z"}"#));
    sandbox.await_cached("\"a\"", Some("null"));
    host.deliver(2, &commit(&[put("2", "2"), delete("1"), put("3", "3")]));
    sandbox.await_cached("3", Some("3"));
    sandbox.await_cached("1", None);
    host.deliver(3, &commit(&[clear(), put("4", "4")]));
    sandbox.await_cached("4", Some("4"));
    for key in ["1", "2", "3", "\"a\""] {
        sandbox.await_cached(key, None);
    }
    host.deliver(4, &commit(&[put("4", "5")]));
    sandbox.await_cached("4", Some("5"));
    let applied = apply.says_where("applied", |applied| applied["key"] == sandbox.key("4"));
    assert_eq!(applied["op"], "set");
    all_done(&sandbox);
    assert!(apply.end().success());
}

#[test]
fn stores_take_their_records_along() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let _apply = Apply::after_first_event(&sandbox, &mut host);
    let named = |store: &str| {
        let arguments = [
            "key",
            "--origin",
            ORIGIN,
            "--database",
            "shop",
            "--store",
            store,
            "--key",
            "1",
        ];
        sandbox.print(&arguments).trim_end().to_owned()
    };
    let holds = |store: &str, value: Option<&str>| {
        let name = named(store);
        until(&format!("{store} holds {value:?}"), || {
            sandbox.memcached.get(&name).as_deref() == value
        });
    };
    host.deliver(2, &commit(&[put("1", "10")]));
    holds("orders", Some("10"));
    host.deliver(
        3,
        &commit(&[schema("orders", r#"{"rename_store":{"to":"old"}}"#)]),
    );
    holds("old", Some("10"));
    holds("orders", None);
    host.deliver(4, &commit(&[put("1", "11")]));
    holds("orders", Some("11"));
    host.deliver(5, &commit(&[schema("old", r#"{"delete_store":{}}"#)]));
    holds("old", None);
    holds("orders", Some("11"));
    host.deliver(6, &deletion());
    holds("orders", None);
    all_done(&sandbox);
}

#[test]
fn typed_values_and_other_names_are_taken_from_the_configuration() {
    let sandbox = Sandbox::with_config(
        "mode = \"off\"\nvalue = \"typed\"\nkey = \"x:{origin}:{database}:{store}:{key}:end\"",
    );
    free_lease(&sandbox);
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", r#"{"$set":[1]}"#)]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let _apply = Apply::start(&sandbox, "one");
    assert!(sandbox.key("1").ends_with(":1:end"));
    sandbox.await_cached("1", Some(r#"{"$set":[1]}"#));
}

#[test]
fn value_too_large_for_memcached_is_deleted_and_reported() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "1"), put("2", "2")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(2);
    let mut apply = Apply::writing(&sandbox, "one");
    sandbox.await_cached("2", Some("2"));
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    host.deliver(2, &commit(&[put("1", &large), put("3", "3")]));
    sandbox.await_cached("3", Some("3"));
    sandbox.await_cached("1", None);
    let applied = apply.says_where("applied", |applied| applied["refused"].is_string());
    assert_eq!(
        (&applied["op"], applied["key"].as_str()),
        (&"delete".into(), Some(&*sandbox.key("1")))
    );
}

#[test]
fn stream_entry_without_event_is_reported_and_skipped() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    for event in ["{}", "no JSON", r#"{"op":"c"}"#] {
        sandbox
            .redis
            .send_command(&["XADD", "idb:events", "*", "event", event]);
    }
    sandbox
        .redis
        .send_command(&["XADD", "idb:events", "*", "something", "else"]);
    for _ in 0..4 {
        assert!(
            !apply.says("unreadable")["problem"]
                .as_str()
                .expect("text")
                .is_empty()
        );
    }
    host.deliver(2, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    all_done(&sandbox);
}

#[test]
fn trimmed_stream_is_reported() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    assert!(apply.end().success());
    let puts: Vec<_> = (0..20).map(|key| put(&key.to_string(), "1")).collect();
    host.deliver(2, &commit(&puts));
    host.acknowledged(2);
    sandbox.redis.await_stream(21);
    sandbox
        .redis
        .send_command(&["XTRIM", "idb:events", "MAXLEN", "5"]);
    apply = Apply::start(&sandbox, "two");
    let gap = apply.says("gap");
    assert_eq!(gap["events"], 15);
    assert!(
        gap["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("verify --repair"))
    );
    sandbox.await_cached("19", Some("1"));
    assert_eq!(sandbox.cached("3"), None);
    // A Memcached that comes back empty can have no more than there is.
    sandbox.memcached.send_command("flush_all");
    let trimmed = apply.says("trimmed");
    assert_eq!(trimmed["events"], 16);
}

/// Lets the host write events of a record each, and waits until they are in the stream.
pub(super) fn write(sandbox: &Sandbox, host: &mut Host, sequence: u64, keys: std::ops::Range<u64>) {
    let puts: Vec<_> = keys.map(|key| put(&key.to_string(), "1")).collect();
    let before: usize = sandbox.redis.connection().xlen("idb:events").expect("a stream");
    host.deliver(sequence, &commit(&puts));
    host.acknowledged(sequence);
    sandbox.redis.await_stream(before + puts.len());
}

/// The group, as Redis tells of it: what it counts as unread.
fn lag_of_redis(sandbox: &Sandbox) -> Option<usize> {
    let groups: redis::streams::StreamInfoGroupsReply = redis::cmd("XINFO")
        .arg("GROUPS")
        .arg("idb:events")
        .query(&mut sandbox.redis.connection())
        .expect("groups");
    groups.groups.into_iter().next().expect("a group").lag
}

#[test]
fn how_much_there_is_to_catch_up_with_is_known_though_redis_does_not_know() {
    let mut sandbox = sandbox();
    let mut host = host(&sandbox);
    // Created at the stream's last entry, as on every first start: from the next entry on Redis has
    // no count.
    let apply = Apply::after_first_event(&sandbox, &mut host);
    assert!(apply.end().success());
    write(&sandbox, &mut host, 2, 0..2500);
    let mut apply = Apply::start(&sandbox, "two");
    let text = apply.state("catching_up")["text"].to_string();
    assert!(text.contains("2500 events"), "{text}");
    let progress = apply.said("progress");
    assert!(
        progress.iter().all(|progress| progress["of"] == 2500),
        "{progress:?}"
    );
    apply.state("applying");
    all_done(&sandbox);
    // At the end of the stream `apply` corrects the lag that Redis reports to other clients. A
    // restart makes it wrong.
    until("Redis counts nothing unread", || {
        lag_of_redis(&sandbox) == Some(0)
    });
    write(&sandbox, &mut host, 3, 0..10);
    all_done(&sandbox);
    apply.kill();
    sandbox.redis.restart();
    assert_eq!(outstanding(&sandbox), Some(0));
    write(&sandbox, &mut host, 4, 0..700);
    let mut apply = Apply::start(&sandbox, "three");
    let text = apply.state("catching_up")["text"].to_string();
    assert!(text.contains("700 events"), "{text}");
    apply.state("applying");
    until("Redis counts nothing unread", || {
        lag_of_redis(&sandbox) == Some(0)
    });
    // Another client has moved the group: the number of unread events is unknown, and `apply` does
    // not guess it.
    assert!(apply.end().success());
    let events = sandbox
        .redis
        .connection()
        .xrevrange_count("idb:events", "+", "-", 500);
    let events: redis::streams::StreamRangeReply = events.expect("a stream");
    sandbox
        .redis
        .send_command(&["XGROUP", "SETID", "idb:events", "memcached", &events.ids[499].id]);
    let mut apply = Apply::start(&sandbox, "four");
    let text = apply.state("catching_up")["text"].to_string();
    assert!(text.contains("some of 3211 events"), "{text}");
    apply.state("applying");
    assert!(apply.said("gap").is_empty(), "nothing was lost");
}

#[test]
fn what_the_host_has_left_out_is_no_loss() {
    let mut sandbox = sandbox();
    sandbox.configure("journal", "max_mib = 1");
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    all_done(&sandbox);
    sandbox.redis.kill();
    // More than the journal may hold, in two stores, and with something in between that is about a
    // store.
    let deliveries = (2..100_u64).map(|sequence| {
        let value = format!("\"{sequence:0200}\"");
        let puts: Vec<_> = (0..100)
            .map(|key| {
                let put = put(&key.to_string(), &value);
                if key % 2 == 0 {
                    put
                } else {
                    put.replace("orders", "cart")
                }
            })
            .chain([clear()])
            .chain((0..100).map(|key| put(&key.to_string(), &value)))
            .collect();
        host_delivery(CONTEXT, sequence, &commit(&puts))
    });
    pour(host.stdin(), deliveries);
    host.acknowledged(99);
    sandbox.redis.restart();
    let value = format!("\"{:0200}\"", 99);
    sandbox.await_cached("99", Some(&value));
    all_done(&sandbox);
    for key in 0..100 {
        sandbox.await_cached(&key.to_string(), Some(&value));
    }
    assert!(!apply.said("left_out").is_empty());
    assert!(apply.said("gap").is_empty(), "{:?}", apply.said("gap"));
}

#[test]
fn trimmed_events_are_reported_without_a_later_event() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    all_done(&sandbox);
    let first = sandbox.redis.stream()[0]["source"]["sequence"]
        .as_u64()
        .expect("a number");
    assert!(apply.end().success());
    write(&sandbox, &mut host, 2, 0..20);
    sandbox
        .redis
        .send_command(&["XTRIM", "idb:events", "MAXLEN", "0"]);
    apply = Apply::start(&sandbox, "two");
    let gap = apply.says("gap");
    assert_eq!(
        (&gap["first"], &gap["last"]),
        (&(first + 1).into(), &(first + 20).into())
    );
    apply.state("applying");
    until("Redis counts nothing unread", || {
        lag_of_redis(&sandbox) == Some(0)
    });
    // Once; what comes next is no reason to say it again.
    host.deliver(3, &commit(&[put("30", "1")]));
    sandbox.await_cached("30", Some("1"));
    assert!(apply.said("gap").is_empty());
    // While it runs: it is kept from reading.
    sandbox.memcached.pause();
    host.deliver(4, &commit(&[put("31", "1")]));
    until("it is given to it", || outstanding(&sandbox) == Some(1));
    write(&sandbox, &mut host, 5, 0..20);
    sandbox
        .redis
        .send_command(&["XTRIM", "idb:events", "MAXLEN", "0"]);
    sandbox.memcached.resume();
    let gap = apply.says("gap");
    assert_eq!(gap["last"], first + 42);
    all_done(&sandbox);
}

#[test]
fn a_configuration_without_redis_or_stream_is_named() {
    let sandbox = sandbox();
    for (redis, error, fix) in [
        (
            "enabled = false",
            "Redis is switched off",
            "Remove enabled = false",
        ),
        ("stream = \"\"", "no stream", "--pubsub"),
    ] {
        sandbox.write_config(&format!("[redis]\n{redis}\n"));
        let output = sandbox.run(&["apply"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && text.contains(error) && text.contains(fix),
            "{text}"
        );
    }
    let output = sandbox.run(&["apply", "--group", "a b"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("letters, digits"));
    let help = sandbox.print(&["apply", "--help"]);
    assert!(help.contains("at most once"), "{help}");
}

/// A record that is there in every state that was committed is there all the time, though each
/// transaction clears the store and writes it again, by more events than are read at once.
fn never_misses_what_is_always_there(options: &[&str]) {
    const RECORDS: usize = 1500;
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let puts = |round: usize| -> Vec<String> {
        (0..RECORDS)
            .map(|key| put(&key.to_string(), &round.to_string()))
            .collect()
    };
    host.deliver(1, &commit(&puts(0)));
    host.acknowledged(1);
    sandbox.redis.await_stream(RECORDS);
    // The rest of a transaction is waited for so long. How fast the host is does not count: events
    // come only once Redis has all of them.
    let held: Arc<Mutex<Option<Arc<Gate>>>> = Arc::default();
    let gate = Arc::clone(&held);
    let proxy = Proxy::of_answers(sandbox.redis.address(), move |bytes| {
        if has(bytes, b"pmessage") || has(bytes, b"idb:events") {
            let gate = gate.lock().expect("no panic").clone();
            if let Some(gate) = gate {
                gate.pass();
            }
        }
    });
    sandbox.reach_redis_by(proxy.address());
    let mut apply = Apply::start_with(&sandbox, "one", options);
    apply.state("applying");
    host.deliver(2, &commit(&puts(1)));
    sandbox.await_cached("0", Some("1"));
    sandbox.await_cached("1499", Some("1"));
    let names = ["0", "700", "1499"].map(|key| sandbox.key(key));
    let mut watcher = sandbox.memcached.watcher();
    for round in 2..8 {
        let mut operations = vec![clear()];
        operations.extend(puts(round));
        let gate = Arc::new(Gate::default());
        *held.lock().expect("no panic") = Some(Arc::clone(&gate));
        host.deliver(round as u64 + 1, &commit(&operations));
        let last =
            [("key", RECORDS - 1), ("after", round)].map(|(name, number)| format!("\"{name}\":{number},"));
        until("the round is in Redis", || {
            let newest = sandbox.redis.newest_event();
            last.iter().all(|part| newest.contains(part))
        });
        gate.open();
        let last = round.to_string();
        until("the round is in Memcached", || {
            let held = names.each_ref().map(|name| watcher.get(name));
            assert!(held.iter().all(Option::is_some), "{held:?} in round {round}");
            held.iter().all(|held| held.as_deref() == Some(&*last))
        });
    }
    assert!(apply.end().success());
}

#[test]
fn transaction_of_any_size_is_applied_atomically() {
    never_misses_what_is_always_there(&[]);
}

#[test]
fn received_transaction_is_applied_atomically() {
    never_misses_what_is_always_there(&["--pubsub"]);
}

#[test]
fn apply_asked_to_end_reports_no_interrupted_call() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    for _ in 0..4 {
        let mut writes = Apply::writing(&sandbox, "one");
        let mut waits = Apply::start(&sandbox, "two");
        waits.state("standing_by");
        for apply in [&mut waits, &mut writes] {
            apply.ask_to_end();
            assert!(apply.wait().success());
            until("it has said so", || {
                apply.said("state").iter().any(|state| state["state"] == "ended")
            });
            assert_eq!(apply.said("trouble"), [] as [serde_json::Value; 0]);
        }
    }
}
