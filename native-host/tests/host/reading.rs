//! Snapshots, and records read again.

use protocol::{digest::RecordsDigest, wire::host::FromHost};
use serde_json::json;

use crate::support::{
    Host, ORIGIN, Sandbox,
    body::{add, commit, commit_at, delete, now, put, snapshot_at},
    hello, until,
};

#[test]
fn a_snapshot_becomes_events_where_it_differs() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let long_ago = now() - 60_000;
    host.deliver(
        1,
        &commit_at(long_ago, &[put("1", "1"), put("2", "2"), put("3", "3")]),
    );
    host.deliver(2, &snapshot_at(now(), &[("1", "1"), ("2", "20"), ("4", "4")]));
    host.acknowledged(2);
    let events = sandbox.redis.await_stream(6);
    let read: Vec<_> = events[3..]
        .iter()
        .map(|event| {
            assert_eq!(event["source"]["snapshot"], true);
            assert_eq!(event.get("transaction"), None);
            (
                event["op"].as_str().expect("an op"),
                event["key"].clone(),
                event["after"].clone(),
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            ("r", json!(2), json!(20)),
            ("r", json!(4), json!(4)),
            ("d", json!(3), json!(null))
        ]
    );
    sandbox.await_cached("3", None);
    sandbox.await_cached("2", Some("20"));
    sandbox.await_cached("4", Some("4"));

    // The store is known as a whole now: a new record was not there before, and what is not there
    // cannot be deleted.
    host.deliver(3, &commit(&[put("5", "5"), delete("6")]));
    host.acknowledged(3);
    let events = sandbox.redis.await_stream(7);
    assert_eq!(events.len(), 7);
    assert_eq!(events[6].get("before"), Some(&json!(null)));
}

#[test]
fn what_two_tabs_wrote_at_once_is_read_again() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let at = now() - 5000;
    // The second tab's commit happened first and is reported last.
    host.deliver_as("tab-1", 1, &commit_at(at, &[put("1", "\"truth\"")]));
    host.deliver_as("tab-2", 1, &commit_at(at - 100, &[put("1", "\"stale\"")]));
    host.acknowledged_as("tab-2", 1);
    let FromHost::Read {
        origin,
        database,
        store,
        keys,
        ..
    } = host.request()
    else {
        panic!("no question")
    };
    assert_eq!(
        (origin.as_str(), database.as_str(), store.as_str()),
        (ORIGIN, "shop", "orders")
    );
    assert_eq!(keys, ["1"]);
    let answer = format!(
        r#"{{"records":{{"database":"shop","version":1,"store":"orders","began_at":{0},"read_at":{0},"present":[{{"key":1,"value":"truth"}}],"absent":[]}}}}"#,
        now()
    );
    host.deliver_as("tab-1", 2, &answer);
    host.acknowledged_as("tab-1", 2);
    let is_settled = || {
        sandbox
            .print(&["ls", "--json"])
            .contains(r#""pending_reads":false"#)
    };
    until("the record is read", is_settled);
    // What is most likely older is reported, and changes nothing.
    let events = sandbox.redis.await_stream(2);
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[1]["after"], &events[1]["source"]["late"]),
        (&json!("stale"), &json!(true))
    );
    sandbox.await_cached("1", Some("\"truth\""));

    // Where the guess is wrong the reading says so.
    host.deliver_as("tab-1", 3, &commit_at(at + 3000, &[put("2", "\"stale\"")]));
    host.deliver_as("tab-2", 2, &commit_at(at + 2900, &[put("2", "\"truth\"")]));
    let FromHost::Read { keys, .. } = host.request() else {
        panic!("no question")
    };
    assert_eq!(keys, ["2"]);
    let answer = format!(
        r#"{{"records":{{"database":"shop","version":1,"store":"orders","began_at":{0},"read_at":{0},"present":[{{"key":2,"value":"truth"}}],"absent":[]}}}}"#,
        now()
    );
    host.deliver_as("tab-1", 4, &answer);
    let events = sandbox.redis.await_stream(5);
    assert_eq!(
        (&events[4]["op"], &events[4]["after"]),
        (&json!("r"), &json!("truth"))
    );
    sandbox.await_cached("2", Some("\"truth\""));
}

#[test]
fn conflict_is_asked_about_again_when_other_documents_can_answer() {
    let sandbox = Sandbox::new();
    let mut program = sandbox.program();
    program.env("IDB_RELAY_PACE", "20");
    let mut host = Host::spawn(program);
    host.send(&hello(protocol::PROTOCOL_VERSION));
    let at = now() - 5000;
    host.deliver_as("tab-1", 1, &commit_at(at, &[put("1", "\"truth\"")]));
    host.deliver_as("tab-2", 1, &commit_at(at - 100, &[put("1", "\"stale\"")]));
    // No document answers: at last all of the origin is asked for.
    let mut snapshots = 0;
    while snapshots < 4 {
        match host.receive() {
            FromHost::Snapshot { origin } if origin == ORIGIN => snapshots += 1,
            FromHost::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
    host.send(r#"{"readers":{"origin":"http://localhost:1"}}"#);
    host.send(&format!(r#"{{"readers":{{"origin":"{ORIGIN}"}}}}"#));
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
}

#[test]
fn stores_that_are_gone_take_their_records_along() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit_at(now() - 5000, &[add("1", "1"), add("2", "2")]));
    // Something stays: a list that leaves nothing is another matter.
    let cart = add("1", "1").replace("orders", "carts");
    host.deliver(2, &commit_at(now() - 5000, &[cart]));
    host.acknowledged(2);
    sandbox.await_cached("2", Some("2"));
    let store_list = format!(
        r#"{{"store_list":{{"began_at":{0},"read_at":{0},"databases":[{{"name":"shop","version":2,"stores":["carts"]}}]}}}}"#,
        now()
    );
    host.deliver(3, &store_list);
    host.acknowledged(3);
    sandbox.await_cached("1", None);
    sandbox.await_cached("2", None);
    let gone = sandbox.redis.await_stream(5);
    assert!(gone[3..].iter().all(|event| event["op"] == "d"));
}

/// A store list that names no database.
fn nothing_there() -> String {
    let at = now();
    format!(r#"{{"store_list":{{"buckets":[],"began_at":{at},"read_at":{at},"databases":[]}}}}"#)
}

#[test]
fn store_list_that_leaves_nothing_deletes_nothing_alone() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit_at(now() - 5000, &[add("1", "1")]));
    host.acknowledged(1);
    sandbox.await_cached("1", Some("1"));
    host.deliver_as("another", 1, &nothing_there());
    host.acknowledged_as("another", 1);
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    // The page itself has its store.
    let at = now();
    host.deliver(
        2,
        &format!(
            r#"{{"store_list":{{"buckets":[],"began_at":{at},"read_at":{at},"databases":[{{"name":"shop","version":1,"stores":["orders"]}}]}}}}"#
        ),
    );
    host.deliver(3, &snapshot_at(now(), &[("1", "1")]));
    host.acknowledged(3);
    // Nothing is left of the first list: another one is a first one again.
    host.deliver_as("another", 2, &nothing_there());
    host.acknowledged_as("another", 2);
    host.deliver(4, &commit(&[put("2", "2")]));
    host.acknowledged(4);
    let events = sandbox.redis.await_stream(2);
    assert!(events.iter().all(|event| event["op"] == "c"), "{events:?}");
    assert_eq!(sandbox.cached("1").as_deref(), Some("1"));
}

#[test]
fn store_list_that_leaves_nothing_is_read_again_and_then_believed() {
    // Also if the host ends between the two lists.
    for restarted in [false, true] {
        let sandbox = Sandbox::new();
        let mut host = Host::start(&sandbox);
        host.deliver(1, &commit_at(now() - 5000, &[put("1", "1")]));
        host.acknowledged(1);
        sandbox.await_cached("1", Some("1"));
        host.deliver(2, &nothing_there());
        host.acknowledged(2);
        if restarted {
            host.kill();
            host = Host::start(&sandbox);
        }
        assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
        assert_eq!(sandbox.cached("1").as_deref(), Some("1"));
        host.deliver(3, &nothing_there());
        sandbox.await_cached("1", None);
    }
}

#[test]
fn after_a_gap_the_stores_are_read() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(
        1,
        r#"{"gap":{"reason":"the queue was full","stores":[{"database":"shop","store":"orders"}]}}"#,
    );
    host.acknowledged(1);
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    assert!(
        sandbox
            .print(&["ls", "--json"])
            .contains(r#""pending_reads":true"#)
    );
    host.deliver(2, &snapshot_at(now(), &[("1", "1")]));
    host.acknowledged(2);
    let listed = sandbox.print(&["ls", "--json"]);
    assert!(
        listed.contains(r#""complete":true"#) && listed.contains(r#""pending_reads":false"#),
        "{listed}"
    );
}

/// The whole store by its digest, read at this time.
fn digests_at(at: i64, records: &[(&str, &str)]) -> String {
    let mut digest = RecordsDigest::default();
    for (key, value) in records {
        digest.add(key, value);
    }
    format!(
        r#"{{"digests":{{"database":"shop","version":1,"store":"orders","stretches":[{{"began_at":{at},"read_at":{at},"records":{},"digest":"{}"}}]}}}}"#,
        digest.records(),
        digest.finish()
    )
}

/// What the host says up to the acknowledgement of a delivery.
fn answer_to(host: &mut Host, number: u64) -> Vec<String> {
    let mut said = Vec::new();
    host.await_message("the acknowledgement", |message| match message {
        FromHost::Acknowledged { sequence, .. } => (sequence == number).then_some(()),
        FromHost::Matched {
            context,
            sequence,
            stretches,
        } => {
            said.push(format!("{context}:{sequence} {stretches}"));
            None
        }
        _ => None,
    });
    said
}

#[test]
fn store_that_is_alike_is_named_ahead_of_the_acknowledgement() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let long_ago = now() - 60_000;
    host.deliver(1, &commit_at(long_ago, &[put("1", "1"), put("[2]", "\"é\"")]));
    host.acknowledged(1);
    // Clearly before the commit that follows.
    let alike = digests_at(now() - 10_000, &[("1", "1"), ("[2]", "\"é\"")]);
    host.deliver(2, &alike);
    let said = answer_to(&mut host, 2);
    assert!(said.len() == 1 && said[0].ends_with(":2 1"), "{said:?}");
    // Known as a whole from here on.
    host.deliver(3, &commit(&[put("5", "5")]));
    host.acknowledged(3);
    let events = sandbox.redis.await_stream(3);
    assert_eq!(events[2].get("before"), Some(&json!(null)));

    host.deliver(4, &digests_at(now(), &[("1", "1"), ("[2]", "2"), ("5", "5")]));
    assert_eq!(answer_to(&mut host, 4), [""; 0]);
    host.kill();

    // The answer, or the acknowledgement, was lost with the host.
    let mut host = Host::start(&sandbox);
    host.deliver(2, &alike);
    host.deliver(4, "{}");
    assert_eq!(answer_to(&mut host, 4), [""; 0]);
    assert_eq!(sandbox.redis.await_stream(3).len(), 3);
}
