//! By Pub/Sub, at most once.

use super::{host, sandbox};
use crate::support::{
    Apply,
    body::{clear, commit, delete, put},
};

const PUBSUB: &[&str] = &["--pubsub"];

#[test]
fn what_is_heard_is_written() {
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
    // Nobody listened.
    assert_eq!(sandbox.cached("0"), None);
    assert!(apply.end().success());
}

#[test]
fn one_writes_what_all_hear() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut one = Apply::start_with(&sandbox, "one", PUBSUB);
    one.state("applying");
    let mut two = Apply::start_with(&sandbox, "two", PUBSUB);
    two.state("standing_by");
    // The stream's readers and the channels' exclude each other, too: they would write the same records.
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
    // What it heard before it slept, and what it has heard since, is nobody's business any more.
    one.resume();
    one.state("standing_by");
    assert_eq!(sandbox.cached("1").as_deref(), Some("3"));
    assert_eq!(sandbox.cached("2"), None);
    // Whoever goes on says what it missed, once it can know.
    assert!(two.end().success());
    one.state("applying");
    host.deliver(4, &commit(&[put("1", "4")]));
    sandbox.await_cached("1", Some("4"));
}

#[test]
fn what_was_missed_is_told() {
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
        .command(&["CLIENT", "KILL", "ID", &client.to_string()]);
    host.deliver(2, &commit(&[put("1", "2"), put("2", "2")]));
    host.acknowledged(2);
    sandbox.redis.await_stream(3);
    apply.state("applying");
    host.deliver(3, &commit(&[put("3", "3")]));
    sandbox.await_cached("3", Some("3"));
    let gap = apply.says("gap");
    assert_eq!(gap["events"], 2);
    assert!(
        gap["cure"]
            .as_str()
            .is_some_and(|cure| cure.contains("Without --pubsub"))
    );
    sandbox.redis.down();
}
