//! Inspectors, consent and pause.

use protocol::wire::inspector::{Background, DeepCapture, DeepCaptureState, ToInspector};
use serde_json::{Value, json};

use super::*;

/// The messages to inspectors and bridges, and the other actions.
fn split_messages(actions: Vec<Action>) -> (Vec<(u32, Value)>, Vec<Action>) {
    let mut messages = Vec::new();
    let mut others = Vec::new();
    for action in actions {
        match action {
            Action::ToPort { port, text } => {
                messages.push((port, serde_json::from_str(&text).expect("JSON")));
            }
            other => others.push(other),
        }
    }
    (messages, others)
}

fn inspector(relay: &mut Relay, port: u32) -> Background {
    relay.inspector_opened(port);
    relay.posted(port, r#"{"open":{"tab":7}}"#);
    state(relay, port)
}

/// The inspector's new state of the background; there must be something new.
fn state(relay: &mut Relay, port: u32) -> Background {
    let actions = relay.take_actions();
    let last = actions.iter().rev().find_map(|action| match action {
        Action::ToPort { port: to, text } if *to == port => match serde_json::from_str::<ToInspector>(text) {
            Ok(ToInspector::Background(background)) => Some(background),
            _ => None,
        },
        _ => None,
    });
    *last.unwrap_or_else(|| panic!("nothing new: {actions:?}"))
}

fn answer(id: u64) -> String {
    format!(r#"{{"answer":{{"id":{id},"reply":{{"done":{{}}}}}}}}"#)
}

#[test]
fn questions_are_renumbered_and_answers_find_who_asked() {
    let mut relay = relay();
    greet(&mut relay);
    inspector(&mut relay, 1);
    inspector(&mut relay, 2);
    relay.posted(1, r#"{"ask":{"id":5,"question":{"health":{}}}}"#);
    relay.posted(2, r#"{"ask":{"id":5,"question":{"stores":{}}}}"#);
    assert_eq!(
        relay.take_actions(),
        [
            Action::ToHost(r#"{"ask":{"id":1,"question":{"health":{}}}}"#.into()),
            Action::ToHost(r#"{"ask":{"id":2,"question":{"stores":{}}}}"#.into()),
        ]
    );
    relay.host_said(&answer(2));
    relay.host_said(&answer(2));
    assert_eq!(relay.take_actions(), [to_bridge(2, &answer(5))]);
    // A page that is gone is forgotten, with what it asked.
    relay.port_closed(1);
    relay.host_said(&answer(1));
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn a_comparison_has_several_answers() {
    let mut relay = relay();
    greet(&mut relay);
    inspector(&mut relay, 1);
    relay.posted(1, r#"{"ask":{"id":9,"question":{"compare":{"repair":false}}}}"#);
    relay.take_actions();
    let compared = |id: u64, done: bool| {
        json!({"answer": {"id": id, "reply": {"compared": {
            "total": 2, "compared": 1, "done": done, "missing": 0, "stale": 0, "orphaned": 0, "repaired": 0,
            "pending": 0, "refused": 0, "strangers": 0, "differences": [],
        }}}})
    };
    for done in [false, true, true] {
        relay.host_said(&compared(1, done).to_string());
    }
    let (messages, _) = split_messages(relay.take_actions());
    assert_eq!(messages, [(1, compared(9, false)), (1, compared(9, true))]);
}

#[test]
fn a_feed_waits_for_a_host_and_everything_else_fails() {
    let mut relay = relay();
    greet(&mut relay);
    inspector(&mut relay, 1);
    let feed = r#"{"ask":{"id":1,"question":{"feed":{"event":null,"past":3}}}}"#;
    relay.posted(1, feed);
    relay.posted(1, r#"{"ask":{"id":2,"question":{"health":{}}}}"#);
    relay.take_actions();
    relay.host_gone("Native host has exited.");
    let failures = |actions: Vec<Action>| -> Vec<Value> {
        let (messages, _) = split_messages(actions);
        messages
            .into_iter()
            .filter_map(|(_, message)| message.get("answer").cloned())
            .collect()
    };
    let failed = failures(relay.take_actions());
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["id"], 2);
    assert_eq!(failed[0]["reply"]["failed"]["code"], "host_away");
    assert!(
        failed[0]["reply"]["failed"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("exited"))
    );
    relay.posted(1, r#"{"ask":{"id":3,"question":{"health":{}}}}"#);
    assert_eq!(failures(relay.take_actions())[0]["id"], 3);
    let asked: Vec<Action> = greet(&mut relay)
        .into_iter()
        .filter(|action| matches!(action, Action::ToHost(text) if text.contains("feed")))
        .collect();
    assert_eq!(asked.len(), 1);
}

#[test]
fn inspectors_get_each_change_once() {
    let mut relay = relay();
    let before = inspector(&mut relay, 1);
    assert!(!before.connected && before.origins.is_empty());
    relay.host_started();
    relay.take_actions();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.9.0","origins":["{ORIGIN}"]}}}}"#
    ));
    let connected = state(&mut relay, 1);
    assert!(connected.connected);
    assert_eq!(connected.host_version.as_deref(), Some("0.9.0"));
    assert_eq!(
        connected.origins.get(ORIGIN).map(String::as_str),
        Some("configuration")
    );
    relay.granted(Vec::new());
    assert_eq!(state(&mut relay, 1).ungranted, [ORIGIN]);
    relay.granted(vec!["http://localhost/*".into()]);
    assert!(state(&mut relay, 1).ungranted.is_empty());
    relay.granted(vec!["http://localhost/*".into()]);
    assert_eq!(relay.take_actions(), []);
    open(&mut relay, 2, ORIGIN, "c");
    let documents = state(&mut relay, 1).documents;
    assert_eq!((documents[0].context.as_str(), documents[0].tab), ("c", 7));
    assert_eq!(documents[0].refused, None);
    relay.host_gone("It is gone.");
    let gone = state(&mut relay, 1);
    assert!(!gone.connected && gone.problem.expect("named").message.contains("It is gone."));
}

#[test]
fn what_the_user_switches_on_is_captured_and_remembered() {
    let mut relay = relay();
    relay.inspector_opened(1);
    greet(&mut relay);
    let other = "http://localhost:9090";
    // It was there before, and turned away.
    open(&mut relay, 2, other, "c");
    relay.port_closed(2);
    relay.posted(1, r#"{"open":{"tab":7}}"#);
    let refused = |background: Background| background.documents[0].refused.clone().expect("refused");
    assert!(refused(state(&mut relay, 1)).message.contains("is not captured"));
    relay.posted(
        1,
        &format!(r#"{{"capture":{{"origin":"{other}","enabled":true}}}}"#),
    );
    let (messages, actions) = split_messages(relay.take_actions());
    assert_eq!(messages[0].1["background"]["origins"][other], "user");
    assert_eq!(
        messages[0].1["background"]["documents"][0]["refused"]["fix"],
        "The page was loaded before its site was enabled: reload it."
    );
    let decisions = Decisions {
        origins: vec![other.into()],
        host_origins: vec![ORIGIN.into()],
        ..Decisions::default()
    };
    assert_eq!(
        actions,
        [
            Action::Save(decisions.clone()),
            Action::Register(vec!["http://localhost/*".into()])
        ]
    );
    open(&mut relay, 3, other, "d");
    assert!(relay.take_actions().iter().any(is_welcome));
    relay.posted(
        1,
        &format!(r#"{{"capture":{{"origin":"{other}","enabled":false}}}}"#),
    );
    assert!(relay.take_actions().contains(&to_bridge(3, r#"{"refused":{}}"#)));
    relay.posted(1, r#"{"capture":{"origin":"nonsense","enabled":true}}"#);
    assert_eq!(relay.take_actions(), []);

    // The next background knows, host or not.
    let mut next = Relay::new(relay.identity.clone(), decisions, [7; 32]);
    next.policy(Policy {
        origins: vec!["https://shop.example".into()],
        ..Policy::default()
    });
    let patterns = vec!["http://localhost/*".into(), "https://shop.example/*".into()];
    assert!(next.take_actions().contains(&Action::Register(patterns)));
}

#[test]
fn while_capture_rests_the_host_is_sent_nothing() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    inspector(&mut relay, 2);
    relay.posted(2, r#"{"pause":{"paused":true}}"#);
    let (_, actions) = split_messages(relay.take_actions());
    assert!(matches!(
        &actions[0],
        Action::Save(Decisions { paused: true, .. })
    ));
    assert_eq!(
        actions[1],
        Action::Show {
            problem: None,
            paused: true
        }
    );
    deliver(&mut relay, 1, 1);
    assert_eq!(state(&mut relay, 2).waiting, 1);
    // A new host changes nothing about it.
    assert!(!greet(&mut relay).contains(&delivery("c", 1)));
    relay.posted(2, r#"{"pause":{"paused":false}}"#);
    assert!(relay.take_actions().contains(&delivery("c", 1)));
}

#[test]
fn a_page_cannot_speak_as_an_inspector() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    for text in [
        r#"{"open":{"tab":null}}"#,
        r#"{"ask":{"id":1,"question":{"health":{}}}}"#,
        r#"{"capture":{"origin":"https://victim.example","enabled":true}}"#,
        r#"{"pause":{"paused":true}}"#,
        r#"{"rules":[]}"#,
        r#"{"trace":"all"}"#,
        r#"{"look":{"id":1,"tab":null,"look":{"counts":{"origin":"https://victim.example"}}}}"#,
    ] {
        relay.posted(1, text);
        assert_eq!(relay.take_actions(), [], "{text}");
    }
}

#[test]
fn deep_capture_is_sent_to_inspectors_of_its_tab_and_of_all() {
    let on = DeepCapture {
        tab: 7,
        state: DeepCaptureState::On,
        hooked: 2,
        problem: None,
    };
    for (tab, is_notified) in [("7", true), ("null", true), ("5", false)] {
        let mut relay = relay();
        relay.inspector_opened(8);
        relay.port_said(8, &format!(r#"{{"open":{{"tab":{tab}}}}}"#));
        relay.port_said(8, r#"{"deep_capture":{"tab":7,"enabled":true}}"#);
        relay.deep_capture_changed(7, Some(on.clone()));
        let (messages, others) = split_messages(relay.take_actions());
        let wanted = Action::CaptureDeeply {
            tab: 7,
            enabled: true,
        };
        assert!(others.contains(&wanted));
        let captures = messages
            .last()
            .map(|(_, messages)| messages["background"]["deep_captures"].clone());
        let expected = if is_notified {
            json!([{"tab": 7, "state": "on", "hooked": 2}])
        } else {
            Value::Null
        };
        assert_eq!(captures, Some(expected));
    }
    let mut relay = relay();
    inspector(&mut relay, 8);
    relay.deep_capture_changed(7, Some(on));
    assert_eq!(state(&mut relay, 8).deep_captures.len(), 1);
    relay.deep_capture_changed(7, None);
    assert!(state(&mut relay, 8).deep_captures.is_empty());
}
