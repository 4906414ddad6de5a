//! What leaves is redacted by the rules of every source, and nothing leaves before all rules are
//! known.

use protocol::{redact::How, wire::host::ToHost};

use super::*;

const SECRET: &str = "hunter2";

fn rule(field: &str) -> Rule {
    Rule {
        database: String::new(),
        store: String::new(),
        fields: vec![field.into()],
        how: How::Mask,
    }
}

fn hello(relay: &mut Relay, rules: &[Rule]) -> Vec<String> {
    relay.host_started();
    let rules = serde_json::to_string(rules).expect("JSON");
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["{ORIGIN}"],"redact":{rules}}}}}"#
    ));
    to_host(relay)
}

fn to_host(relay: &mut Relay) -> Vec<String> {
    let actions = relay.take_actions().into_iter();
    actions
        .filter_map(|action| match action {
            Action::ToHost(text) => Some(text),
            _ => None,
        })
        .collect()
}

/// The body of a commit that puts a secret beside something else.
fn body(more: &str) -> String {
    format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{{"put":{{"store":"s","key":1,"value":{{"a":"{SECRET}","b":"{more}"}}}}}}]}}}}"#
    )
}

fn deliver_body(relay: &mut Relay, sequence: u64, body: &str) {
    relay.posted(
        1,
        &format!(r#"{{"deliveries":[{{"sequence":{sequence},"body":{body}}}]}}"#),
    );
}

fn shows(relay: &mut Relay, part: &str) -> bool {
    relay.take_actions().iter().any(|action| {
        matches!(action, Action::Show { problem: Some(problem), .. } if format!("{} {}", problem.message, problem.fix).contains(part))
    })
}

#[test]
fn the_hosts_rules_are_known_before_anything_leaves() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    deliver_body(&mut relay, 1, &body("kept"));
    assert_eq!(to_host(&mut relay), [""; 0]);
    let sent = hello(&mut relay, &[rule("/a")]);
    assert!(sent[0].starts_with(r#"{"hello":"#));
    assert!(
        sent[1].starts_with(r#"{"rules":{"fingerprint":""#) && sent[1].len() > 40,
        "{sent:?}"
    );
    assert!(sent[2].contains("kept") && sent[2].contains(r#""a":"***""#) && !sent[2].contains(SECRET));
    assert_eq!(sent.len(), 3);

    // A host without them: what is on its way is sent again as it came.
    relay.host_gone("");
    relay.take_actions();
    let sent = hello(&mut relay, &[]);
    assert_eq!(sent[1], r#"{"rules":{"fingerprint":""}}"#);
    assert!(sent[2].contains(SECRET));
}

#[test]
fn rules_of_all_sources_apply_together() {
    let mut relay = relay();
    relay.policy(Policy {
        redact: Ok(vec![rule("/a")]),
        ..Policy::default()
    });
    open(&mut relay, 1, ORIGIN, "c");
    let first = hello(&mut relay, &[rule("/b")]);
    deliver_body(&mut relay, 1, &body("more"));
    let sent = to_host(&mut relay);
    assert!(!sent[0].contains(SECRET) && !sent[0].contains("more"), "{sent:?}");

    // The user adds one: the host is notified before the next delivery leaves.
    relay.inspector_opened(9);
    let text = serde_json::to_string(&[rule("/c")]).expect("JSON");
    relay.posted(9, &format!(r#"{{"rules":{text}}}"#));
    let actions = relay.take_actions();
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Save(decisions) if decisions.rules == [rule("/c")]))
    );
    let second: Vec<&String> = actions
        .iter()
        .filter_map(|action| match action {
            Action::ToHost(text) => Some(text),
            _ => None,
        })
        .collect();
    assert!(second.len() == 1 && second[0].starts_with(r#"{"rules":"#) && *second[0] != first[1]);
}

#[test]
fn a_body_in_parts_is_redacted_as_a_whole() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    hello(&mut relay, &[rule("/a")]);
    let body = body(&"ä".repeat(MAX_PART_UNITS));
    // Right through the secret.
    let middle = body.find(SECRET).expect("there") + 3;
    for (index, text) in [&body[..middle], &body[middle..]].iter().enumerate() {
        let text = serde_json::to_string(text).expect("JSON");
        relay.posted(
            1,
            &format!(r#"{{"part":{{"sequence":1,"index":{index},"count":2,"text":{text}}}}}"#),
        );
    }
    let sent = to_host(&mut relay);
    assert_eq!(sent.len(), 3, "as long as before, in other pieces");
    let mut whole = String::new();
    for (index, message) in sent.iter().enumerate() {
        let Ok(ToHost::Part(part)) = serde_json::from_str::<ToHost<'_, ()>>(message) else {
            panic!("no part: {}", &message[..100])
        };
        assert_eq!((part.part.index as usize, part.part.count), (index, 3));
        whole.push_str(&part.part.text);
    }
    assert_eq!(whole, body.replace(SECRET, "***"));
}

#[test]
fn with_a_rule_that_cannot_be_applied_nothing_leaves() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    relay.policy(Policy {
        redact: Err("unknown variant `erase`".into()),
        ..Policy::default()
    });
    assert!(shows(&mut relay, "unknown variant `erase`"));
    let sent = hello(&mut relay, &[]);
    assert_eq!(sent.len(), 1, "no more than a hello: {sent:?}");
    deliver_body(&mut relay, 1, &body("x"));
    assert_eq!(to_host(&mut relay), [""; 0]);
    relay.policy(Policy::default());
    assert!(to_host(&mut relay).last().expect("sent").contains(SECRET));

    // One of the host's.
    relay.host_gone("");
    hello(&mut relay, &[rule("no pointer")]);
    deliver_body(&mut relay, 2, &body("x"));
    assert_eq!(to_host(&mut relay), [""; 0]);

    // The user's are not even taken.
    relay.inspector_opened(9);
    relay.posted(9, r#"{"rules":[{"fields":[],"how":"drop"}]}"#);
    assert!(shows(&mut relay, "names no field"));
}

#[test]
fn what_stands_for_a_key_is_not_looked_up_in_a_page() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let read = |key: &str| {
        format!(
            r#"{{"read":{{"origin":"{ORIGIN}","bucket":"","database":"d","store":"s","keys":["1",{key}]}}}}"#
        )
    };
    relay.host_said(&read(r#""[\"hash-0123456789abcdef0123456789abcdef\",2]""#));
    assert_eq!(relay.take_actions()[0], to_bridge(1, r#"{"snapshot":{}}"#));
    relay.host_said(&read("\"2\""));
    assert!(matches!(&relay.take_actions()[..], [Action::ToPort { text, .. }] if text.contains("read")));
}

#[test]
fn upgrade_that_comes_in_parts_is_redacted_by_all_names_of_a_store() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    let of_users = Rule {
        store: "users".into(),
        ..rule("/a")
    };
    hello(&mut relay, &[of_users]);
    let body = format!(
        r#"{{"commit":{{"database":"d","version":2,"began_at":1,"committed_at":2,"operations":[{{"schema":{{"store":"users_new","change":{{"create_store":{{"key_path":null,"auto_increment":false}}}}}}}},{{"put":{{"store":"users_new","key":1,"value":{{"a":"{SECRET}"}}}}}},{{"schema":{{"store":"users","change":{{"delete_store":{{}}}}}}}},{{"schema":{{"store":"users_new","change":{{"rename_store":{{"to":"users"}}}}}}}}]}}}}"#
    );
    // The record is in one part, the rename in another.
    let (first, second) = body.split_at(body.find("users\"").expect("the name"));
    for (index, text) in [first, second].iter().enumerate() {
        let text = serde_json::to_string(text).expect("JSON");
        relay.posted(
            1,
            &format!(r#"{{"part":{{"sequence":1,"index":{index},"count":2,"text":{text}}}}}"#),
        );
    }
    let sent = to_host(&mut relay).concat();
    assert!(sent.contains("***") && sent.contains("rename_store"), "{sent}");
    assert!(!sent.contains(SECRET), "{sent}");
}

/// A digest would tell whether a value that must not leave is the one that is guessed.
#[test]
fn digests_of_a_store_leave_unless_a_rule_concerns_it() {
    let digests = |store: &str| {
        format!(
            r#"{{"digests":{{"database":"d","version":1,"store":"{store}","after":"{SECRET}","stretches":[{{"until":"{SECRET}","began_at":1,"read_at":2,"records":3,"digest":"0123"}}]}}}}"#
        )
    };
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    let of_users = Rule {
        store: "users".into(),
        ..rule("/a")
    };
    hello(&mut relay, &[of_users]);
    deliver_body(&mut relay, 1, &digests("users"));
    let sent = to_host(&mut relay).concat();
    assert!(
        sent.contains(r#""stretches":[]"#) && !sent.contains(SECRET),
        "{sent}"
    );
    deliver_body(&mut relay, 2, &digests("orders"));
    let sent = to_host(&mut relay).concat();
    assert!(sent.contains(&digests("orders")), "{sent}");
    // One that concerns every store.
    hello(&mut relay, &[rule("/a")]);
    deliver_body(&mut relay, 3, &digests("orders"));
    assert!(!to_host(&mut relay).concat().contains("0123"));
}
