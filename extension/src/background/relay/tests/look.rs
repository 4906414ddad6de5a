//! Looks into pages: which page is asked, and that nothing is shown that a rule hides.

use protocol::redact::{self, How};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "hunter2";

fn look(relay: &mut Relay, tab: Option<i64>, key: &str) {
    let look = json!({"look": {"id": 5, "tab": tab, "look": {"record": {
        "origin": ORIGIN, "database": "d", "store": "s", "key": key,
    }}}});
    relay.posted(9, &look.to_string());
}

/// What the one look that is to be taken now asks.
fn asked(relay: &mut Relay) -> (Looking, Value) {
    let looks: Vec<_> = relay
        .take_actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::Look { looking, request } => Some((looking, request)),
            _ => None,
        })
        .collect();
    let [(looking, request)] = &looks[..] else {
        panic!("not one look: {looks:?}")
    };
    (looking.clone(), serde_json::from_str(request).expect("JSON"))
}

/// The contents that were sent to the inspector.
fn seen(relay: &mut Relay) -> Value {
    let sent = relay.take_actions().into_iter().find_map(|action| match action {
        Action::ToPort { port: 9, text } if text.starts_with(r#"{"seen""#) => Some(text),
        _ => None,
    });
    let seen: Value = serde_json::from_str(&sent.expect("sent")).expect("JSON");
    assert_eq!(seen["seen"]["id"], 5);
    seen["seen"]["sight"].clone()
}

fn with_rules(field: &str, how: How) -> Relay {
    let mut relay = relay();
    let rule = Rule {
        database: String::new(),
        store: "s".into(),
        fields: vec![field.into()],
        how,
    };
    relay.policy(Policy {
        redact: Ok(vec![rule]),
        ..Policy::default()
    });
    greet(&mut relay);
    relay.inspector_opened(9);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    relay
}

/// The body that a page answers with.
fn records(key: &str, value: &str) -> String {
    format!(
        r#"{{"records":{{"database":"d","version":1,"store":"s","key_path":"mail","began_at":1,"read_at":2,"present":[{{"key":{key},"value":{value}}}],"absent":[]}}}}"#
    )
}

#[test]
fn record_is_shown_as_it_would_be_sent() {
    let mut relay = with_rules("/a", How::Mask);
    look(&mut relay, None, "1");
    let (looking, request) = asked(&mut relay);
    assert_eq!((looking.tab, looking.frame), (7, 0));
    assert_eq!(
        request,
        json!({"origin": ORIGIN, "bucket": "", "database": "d", "store": "s", "keys": ["1"]})
    );
    let answer = records("1", &format!(r#"{{"a":"{SECRET}","b":-0}}"#));
    relay.looked(looking.clone(), Some(&answer));
    let sight = seen(&mut relay);
    assert_eq!(sight.to_string(), r#"{"record":{"a":"***","b":-0.0}}"#);
    // An invalid one is not passed on as it came.
    relay.looked(looking.clone(), Some(SECRET));
    assert!(seen(&mut relay)["failed"]["message"].is_string());
    relay.looked(looking, None);
    assert!(seen(&mut relay)["failed"]["message"].is_string());
}

#[test]
fn a_record_is_found_by_what_stands_for_its_key() {
    let mut relay = with_rules("/mail", How::Hash);
    let redaction = Redaction::new(relay.rules.get("policy").expect("rules"), &relay.secret).expect("rules");
    let path = serde_json::value::to_raw_value("mail").expect("JSON");
    let store = redact::Store {
        origin: ORIGIN,
        database: "d",
        store: "s",
        key_path: Some(&path),
    };
    let name = redaction.key(store, "\"ann\"");
    let name = name.expect("a key").expect("redacted");
    look(&mut relay, Some(7), &name);
    let (looking, request) = asked(&mut relay);
    assert_eq!(request["keys"], Value::Null, "what stands for a key is no key");
    let listing = |keys: &str, more: bool| format!(r#"{{"key_path":"mail","keys":[{keys}],"more":{more}}}"#);
    relay.looked(looking.clone(), Some(&listing(r#""bob","ann""#, true)));
    let (again, request) = asked(&mut relay);
    assert_eq!(request["keys"], json!(["\"ann\""]));
    relay.looked(again, Some(&records("\"ann\"", r#"{"mail":"ann","n":1}"#)));
    let sight = seen(&mut relay);
    assert_eq!(sight["record"]["n"], 1);
    assert_eq!(sight["record"]["mail"].to_string(), name);

    // It is gone, or may be among those that were not read.
    relay.looked(looking.clone(), Some(&listing("\"bob\"", false)));
    assert_eq!(seen(&mut relay), json!({"record": null}));
    relay.looked(looking, Some(&listing("\"bob\"", true)));
    assert!(seen(&mut relay)["failed"]["fix"].is_string());

    // An event from before the rule has the key as it was. Its record has another name now.
    look(&mut relay, None, "\"ann\"");
    let (looking, _) = asked(&mut relay);
    relay.looked(looking, Some(&records("\"ann\"", r#"{"mail":"ann"}"#)));
    let sight = seen(&mut relay);
    assert!(
        sight["failed"].is_object() && !sight.to_string().contains("ann\""),
        "{sight}"
    );
}

#[test]
fn no_value_is_shown_without_the_rules() {
    let mut relay = relay();
    relay.inspector_opened(9);
    look(&mut relay, Some(3), "1");
    let (looking, _) = asked(&mut relay);
    assert_eq!((looking.tab, looking.frame), (3, 0), "the page itself");
    relay.looked(looking.clone(), Some(&records("1", &format!("\"{SECRET}\""))));
    assert!(!seen(&mut relay).to_string().contains(SECRET));
    relay.policy(Policy {
        redact: Err("no rules".into()),
        ..Policy::default()
    });
    greet(&mut relay);
    relay.looked(looking, Some(&records("1", &format!("\"{SECRET}\""))));
    let sight = seen(&mut relay);
    assert!(
        sight["failed"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("no rules")),
        "{sight}"
    );
}

#[test]
fn counts_are_shown_unchanged_without_their_page() {
    let mut relay = relay();
    relay.inspector_opened(9);
    let counts = format!(r#"{{"look":{{"id":5,"tab":null,"look":{{"counts":{{"origin":"{ORIGIN}"}}}}}}}}"#);
    relay.posted(9, &counts);
    assert_eq!(
        seen(&mut relay)["failed"]["message"],
        "No page of the site is open."
    );
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    relay.posted(9, &counts);
    let (looking, request) = asked(&mut relay);
    assert_eq!(request, json!({ "origin": ORIGIN }));
    let counts = json!([{"bucket": "", "database": "d", "store": "s", "records": 3}]);
    relay.looked(looking.clone(), Some(&counts.to_string()));
    assert_eq!(seen(&mut relay)["counts"], counts);
    relay.looked(looking.clone(), Some("{}"));
    assert!(seen(&mut relay)["failed"].is_object());
    // An inspector that is gone gets no answer.
    relay.port_closed(9);
    relay.looked(looking, Some("[]"));
    assert_eq!(relay.take_actions(), []);
}
