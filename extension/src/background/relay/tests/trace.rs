//! Stacks of writes: recorded for open inspectors, and sent to these only.

use serde_json::{Value, json};

use super::*;

const STACK: &str = "at save (http://localhost:8080/app.js:1:2)";

fn commit() -> String {
    r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":2,"key_paths":{"s":"mail"},"operations":[{"put":{"store":"s","key":"ann","value":{"mail":"ann"}}},{"clear":{"store":"t"}},{"delete":{"store":"t","key":2}}]}}"#
        .into()
}

fn deliver_traced(relay: &mut Relay, port: u32, sequence: u64) {
    let stacks = json!({"trace": {"sequence": sequence, "stacks": [STACK, "at clear (x:1:1)", ""]}});
    relay.posted(port, &stacks.to_string());
    relay.posted(
        port,
        &format!(
            r#"{{"deliveries":[{{"sequence":{sequence},"body":{}}}]}}"#,
            commit()
        ),
    );
}

fn take_sent(relay: &mut Relay, port: u32) -> Vec<Value> {
    let actions = relay.take_actions().into_iter();
    actions
        .filter_map(|action| match action {
            Action::ToPort { port: to, text } if to == port => {
                Some(serde_json::from_str(&text).expect("JSON"))
            }
            Action::ToHost(text) => {
                assert!(
                    !text.contains("app.js") && !text.contains("trace"),
                    "sent to the host: {text}"
                );
                None
            }
            _ => None,
        })
        .collect()
}

#[test]
fn stacks_are_taken_while_an_inspector_traces() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.inspector_opened(9);
    relay.take_actions();
    relay.posted(9, r#"{"trace":{"tab":7}}"#);
    assert_eq!(relay.take_actions(), [to_bridge(1, r#"{"trace":{"on":true}}"#)]);
    // Again, or for another tab: no news.
    relay.posted(9, r#"{"trace":"all"}"#);
    assert_eq!(relay.take_actions(), []);
    // A document that comes later, and one that comes back.
    open(&mut relay, 2, ORIGIN, "d");
    assert!(
        relay
            .take_actions()
            .contains(&to_bridge(2, r#"{"trace":{"on":true}}"#))
    );
    relay.posted(9, r#"{"trace":{"tab":8}}"#);
    let off = r#"{"trace":{"on":false}}"#;
    assert_eq!(relay.take_actions(), [to_bridge(1, off), to_bridge(2, off)]);
    relay.posted(9, r#"{"trace":"all"}"#);
    relay.take_actions();
    // It ends with the page that wanted it.
    relay.port_closed(9);
    assert_eq!(relay.take_actions(), [to_bridge(1, off), to_bridge(2, off)]);
}

#[test]
fn a_stack_reaches_only_the_inspector_that_traces() {
    let mut relay = relay();
    let rule = Rule {
        database: String::new(),
        store: String::new(),
        fields: vec!["/mail".into()],
        how: protocol::redact::How::Hash,
    };
    relay.policy(Policy {
        redact: Ok(vec![rule]),
        ..Policy::default()
    });
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    for port in [8, 9] {
        relay.inspector_opened(port);
    }
    // No inspector wants them: those that still arrive are left out.
    deliver_traced(&mut relay, 1, 1);
    assert_eq!(take_sent(&mut relay, 9), Vec::<Value>::new());
    relay.posted(9, r#"{"trace":{"tab":7}}"#);
    relay.take_actions();
    deliver_traced(&mut relay, 1, 2);
    let actions = relay.take_actions();
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::ToPort { port: 8, .. }))
    );
    relay.actions = actions;
    let sent = take_sent(&mut relay, 9);
    let [trace] = &sent[..] else { panic!("{sent:?}") };
    let trace = &trace["trace"];
    assert_eq!(trace["transaction"], "c:2");
    assert_eq!(trace["writes"].as_array().map(Vec::len), Some(2), "{trace}");
    assert_eq!(
        (&trace["writes"][0]["store"], &trace["writes"][0]["stack"]),
        (&json!("s"), &json!(STACK))
    );
    let key = trace["writes"][0]["key"].as_str().expect("a key");
    assert!(key.starts_with("hash-"), "{key}");
    assert_eq!(trace["writes"][1].get("key"), None);
}
