//! By consumer group.

use super::{host, sandbox};
use crate::support::{
    Apply,
    body::{add, clear, commit, delete, put},
    until,
};

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
        assert_eq!(sandbox.cached(key), None, "{key}");
    }
    host.deliver(4, &commit(&[put("4", "5")]));
    sandbox.await_cached("4", Some("5"));
    let applied = apply.says_where("applied", |applied| applied["key"] == sandbox.key("4"));
    assert_eq!(applied["op"], "set");
    until("all is acknowledged", || pending(&sandbox) == 0);
    assert!(apply.end().success());
}

/// How many events are owed.
pub(super) fn pending(sandbox: &crate::support::Sandbox) -> usize {
    let groups: redis::streams::StreamInfoGroupsReply = redis::cmd("XINFO")
        .arg("GROUPS")
        .arg("idb:events")
        .query(&mut sandbox.redis.connection())
        .expect("groups");
    groups
        .groups
        .iter()
        .map(|group| group.pending + group.lag.unwrap_or(0))
        .sum()
}
