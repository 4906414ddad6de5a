//! From a delivery to Redis and Memcached.

use protocol::wire::host::{ErrorCode, FromHost};
use serde_json::{Value, json};

use crate::support::{
    CONTEXT, Host, ORIGIN, Sandbox,
    body::{add, clear, commit, delete, put},
    host_delivery, until,
};

fn ops(events: &[Value]) -> Vec<(&str, &Value, Option<&Value>, &Value)> {
    events
        .iter()
        .map(|event| {
            (
                event["op"].as_str().expect("an op"),
                &event["key"],
                event.get("before"),
                &event["after"],
            )
        })
        .collect()
}

#[test]
fn a_commit_reaches_stream_channel_and_cache() {
    let sandbox = Sandbox::new();
    let mut connection = sandbox.redis.connection();
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe("idb:*").expect("subscribed");

    let mut host = Host::start(&sandbox);
    host.deliver(
        1,
        &commit(&[
            put("1", r#"{"total":9.50,"at":{"$date":"2026-01-31T12:00:00.000Z"}}"#),
            add("\"a\"", "null"),
        ]),
    );
    host.acknowledged(1);

    let message = subscriber.get_message().expect("a message");
    assert_eq!(
        message.get_channel_name(),
        "idb:http%3A//localhost%3A8080:shop:orders"
    );
    let first: Value = serde_json::from_str(&message.get_payload::<String>().expect("text")).expect("JSON");
    let message = subscriber.get_message().expect("a message");
    let second: Value = serde_json::from_str(&message.get_payload::<String>().expect("text")).expect("JSON");
    let events = sandbox.redis.await_stream(2);
    assert_eq!(events, [first.clone(), second.clone()]);

    assert_eq!(first["source"]["origin"], ORIGIN);
    assert_eq!(first["source"]["profile"], "profile-1");
    assert_eq!(first["source"]["context"], CONTEXT);
    assert_eq!(first["source"]["snapshot"], false);
    assert_eq!(
        first["transaction"],
        json!({"id": format!("{CONTEXT}:1"), "total_order": 1, "event_count": 2})
    );
    assert_eq!(second["transaction"]["total_order"], 2);
    let sequence = |event: &Value| event["source"]["sequence"].as_u64().expect("a number");
    assert_eq!(sequence(&second), sequence(&first) + 1);

    // The digits are the page's, the date is what JSON.stringify would say.
    sandbox.await_cached("1", Some(r#"{"total":9.50,"at":"2026-01-31T12:00:00.000Z"}"#));
    sandbox.await_cached("\"a\"", Some("null"));
    assert!(host.close().success());
}

#[test]
fn operations_become_events_with_what_was_before() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(
        1,
        &commit(&[put("1", "10"), put("1", "11"), delete("2"), add("3", "30")]),
    );
    host.deliver(2, &commit(&[delete("1"), delete("1"), put("1", "12")]));
    host.deliver(3, &commit(&[clear(), put("4", "40")]));
    host.acknowledged(3);
    let events = sandbox.redis.await_stream(10);
    let null = Value::Null;
    let n = |number: i32| json!(number);
    let expected = [
        // Nothing is known of the store yet, so nothing is said about what was before.
        ("c", n(1), None, n(10)),
        ("u", n(1), Some(n(10)), n(11)),
        ("d", n(2), None, null.clone()),
        ("c", n(3), Some(null.clone()), n(30)),
        ("d", n(1), Some(n(11)), null.clone()),
        ("c", n(1), Some(null.clone()), n(12)),
        ("t", null.clone(), None, null.clone()),
        ("d", n(1), Some(n(12)), null.clone()),
        ("d", n(3), Some(n(30)), null.clone()),
        ("c", n(4), None, n(40)),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(op, key, before, after)| (*op, key, before.as_ref(), after))
        .collect();
    assert_eq!(ops(&events), expected);
    sandbox.await_cached("4", Some("40"));
    for key in ["1", "2", "3"] {
        assert_eq!(sandbox.cached(key), None);
    }
}

#[test]
fn a_delivery_sent_again_is_acknowledged_and_not_applied() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.deliver(2, &commit(&[put("1", "2")]));
    host.acknowledged(2);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(2);
    assert!(host.close().success());

    let mut host = Host::start(&sandbox);
    host.deliver(2, &commit(&[put("1", "2")]));
    host.deliver(3, &commit(&[put("1", "3")]));
    host.acknowledged(3);
    sandbox.await_cached("1", Some("3"));
    assert!(host.close().success());
    let after: Vec<_> = sandbox
        .redis
        .stream()
        .iter()
        .map(|event| event["after"].clone())
        .collect();
    assert_eq!(after, [json!(1), json!(2), json!(3)]);
}

#[test]
fn a_delivery_in_parts_is_one_delivery() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let body = commit(&[put("1", "\"äöü\\\"\"")]);
    let cut = body.find('ö').expect("there");
    for (index, text) in [&body[..cut], &body[cut..]].into_iter().enumerate() {
        let part = json!({"part": {
            "context": CONTEXT,
            "page": {"origin": ORIGIN, "tab": 1, "frame": 0},
            "part": {"sequence": 1, "index": index, "count": 2, "text": text},
        }});
        host.send(&part.to_string());
    }
    host.acknowledged(1);
    sandbox.await_cached("1", Some("\"äöü\\\"\""));
}

#[test]
fn messages_travel_together_and_a_bad_one_spoils_no_other() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let first = host_delivery(CONTEXT, 1, &commit(&[put("1", "1")]));
    let second = host_delivery(CONTEXT, 2, &commit(&[put("1", "2")]));
    host.send(&format!("[{first},{{\"unknown_message\":{{}}}},{second}]"));
    host.acknowledged(2);
    host.error(ErrorCode::MalformedMessage);
    sandbox.await_cached("1", Some("2"));
}

#[test]
fn missing_deliveries_are_named_and_the_rest_is_kept() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    host.deliver(4, &commit(&[put("1", "4")]));
    host.acknowledged(4);
    let error = host.error(protocol::wire::host::ErrorCode::DeliveriesMissing);
    assert!(error.message.contains("deliveries 2 to 3"), "{}", error.message);
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    sandbox.await_cached("1", Some("4"));
}

#[test]
fn typed_values_go_to_the_cache_as_they_are() {
    let sandbox =
        Sandbox::with_config("value = \"typed\"\nkey = \"x:{origin}:{database}:{store}:{key}:end\"");
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", r#"{"$set":[1]}"#)]));
    host.acknowledged(1);
    assert!(sandbox.key("1").ends_with(":1:end"));
    sandbox.await_cached("1", Some(r#"{"$set":[1]}"#));
}

#[test]
fn what_is_in_the_pipe_when_stdin_closes_is_kept() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    for sequence in 1..=200 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    assert!(host.close().success());
    assert_eq!(sandbox.redis.stream().len(), 200);
    until("the cache has the last value", || {
        sandbox.cached("1").as_deref() == Some("200")
    });
}
