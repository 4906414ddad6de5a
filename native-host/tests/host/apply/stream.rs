//! By consumer group: what is written, and what is said.

use super::{host, sandbox};
use crate::support::{
    Apply, ORIGIN, Sandbox,
    body::{add, clear, commit, delete, deletion, put, schema},
    until,
};

/// How many events are owed or were not read yet; `None` if there is no group.
pub(super) fn outstanding(sandbox: &Sandbox) -> Option<usize> {
    let groups: Result<redis::streams::StreamInfoGroupsReply, _> = redis::cmd("XINFO")
        .arg("GROUPS")
        .arg("idb:events")
        .query(&mut sandbox.redis.connection());
    let group = groups.ok()?.groups.into_iter().next()?;
    Some(group.pending + group.lag.unwrap_or(0))
}

/// Waits until everything in the stream is done with.
pub(super) fn all_done(sandbox: &Sandbox) {
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
    assert_eq!(sandbox.memcached.count(), 0, "the host leaves Memcached alone");
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
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", r#"{"$set":[1]}"#)]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let _apply = Apply::start(&sandbox, "one");
    assert!(sandbox.key("1").ends_with(":1:end"));
    sandbox.await_cached("1", Some(r#"{"$set":[1]}"#));
}

#[test]
fn a_value_that_memcached_would_refuse_is_deleted_there_and_told() {
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
fn what_is_no_event_is_told_and_left_out() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    for event in ["{}", "no JSON", r#"{"op":"c"}"#] {
        sandbox
            .redis
            .command(&["XADD", "idb:events", "*", "event", event]);
    }
    sandbox
        .redis
        .command(&["XADD", "idb:events", "*", "something", "else"]);
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
fn a_stream_that_was_cut_is_told_of() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    assert!(apply.end().success());
    let puts: Vec<_> = (0..20).map(|key| put(&key.to_string(), "1")).collect();
    host.deliver(2, &commit(&puts));
    host.acknowledged(2);
    sandbox.redis.await_stream(21);
    sandbox.redis.command(&["XTRIM", "idb:events", "MAXLEN", "5"]);
    apply = Apply::start(&sandbox, "two");
    let gap = apply.says("gap");
    assert_eq!(gap["events"], 15);
    assert!(
        gap["cure"]
            .as_str()
            .is_some_and(|cure| cure.contains("flush_all"))
    );
    sandbox.await_cached("19", Some("1"));
    assert_eq!(sandbox.cached("3"), None);
    // A Memcached that comes back empty can have no more than there is.
    sandbox.memcached.tell("flush_all\r\n");
    let trimmed = apply.says("trimmed");
    assert_eq!(trimmed["events"], 16);
}

#[test]
fn a_configuration_without_redis_or_stream_is_named() {
    let sandbox = sandbox();
    for (redis, error, cure) in [
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
            !output.status.success() && text.contains(error) && text.contains(cure),
            "{text}"
        );
    }
    let output = sandbox.run(&["apply", "--group", "a b"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("letters, digits"));
    let help = sandbox.print(&["apply", "--help"]);
    assert!(help.contains("at most once"), "{help}");
}
