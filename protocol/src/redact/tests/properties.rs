//! What holds for any value, pointer and rule.

use super::*;

/// A typed value in which `§` stands for something that occurs nowhere else.
fn any_typed() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => Just(r#""§""#.to_owned()),
        1 => Just("1".to_owned()),
        1 => Just(r#"{"$date":null}"#.to_owned()),
        1 => Just(r#"{"$boxed":"§"}"#.to_owned()),
        1 => (1..4_u8).prop_map(|id| format!(r#"{{"$ref":{id}}}"#)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            several.clone().prop_map(|items| format!("[{}]", items.join(","))),
            several
                .clone()
                .prop_map(|items| format!(r#"{{"$set":[{}]}}"#, items.join(","))),
            several
                .clone()
                .prop_map(|items| named(&items, &["a", "b", "$c", "d"], "")),
            several.clone().prop_map(|items| {
                let items: Vec<String> = items
                    .iter()
                    .zip(["a", "b", "0", "d"])
                    .map(|(item, name)| format!(r#"["{name}",{item}]"#))
                    .collect();
                format!(r#"{{"$map":[{}]}}"#, items.join(","))
            }),
            (inner.clone(), inner)
                .prop_map(|(key, value)| format!(r#"{{"$map":[[1,{key}],[{value},"§"]]}}"#)),
            several.prop_map(|items| {
                format!(
                    r#"{{"$sparse":{{"length":9,"items":{}}}}}"#,
                    named(&items, &["0", "2", "5", "7"], "sparse")
                )
            }),
        ]
    })
}

fn named(items: &[String], names: &[&str], kind: &str) -> String {
    let members: Vec<String> = items
        .iter()
        .zip(names)
        .map(|(item, name)| format!(r#""{name}":{item}"#))
        .collect();
    let object = format!("{{{}}}", members.join(","));
    if kind.is_empty() && items.len() == 1 && names[0].starts_with('$') {
        format!(r#"{{"$object":{object}}}"#)
    } else {
        object
    }
}

/// A record with three shared objects, and what refers to them anywhere.
fn any_record() -> impl Strategy<Value = String> {
    prop::collection::vec(any_typed(), 4).prop_map(|parts| {
        let shared: Vec<String> = (1..4)
            .map(|id| format!(r#""s{id}":{{"$id":{{"id":{id},"value":[{}]}}}}"#, parts[id]))
            .collect();
        let text = format!(r#"{{{},"rest":{}}}"#, shared.join(","), parts[0]);
        let mut pieces = text.split('§');
        let mut unique = pieces.next().unwrap_or_default().to_owned();
        for (number, piece) in pieces.enumerate() {
            let _infallible = write!(unique, "<{number}>");
            unique.push_str(piece);
        }
        unique
    })
}

fn any_pointer() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (
            prop::sample::select(vec!["s1", "s2", "s3", "rest", "*"]),
            prop::collection::vec(
                prop::sample::select(vec!["a", "b", "$c", "0", "1", "2", "*", "*"]),
                0..4
            ),
        )
            .prop_map(|(first, more)| more
                .iter()
                .fold(format!("/{first}"), |pointer, step| format!("{pointer}/{step}")))
    ]
}

/// What a pointer leads to in the plain form: another reader of the same specification.
fn led_to<'v>(value: &'v serde_json::Value, pointer: &str, found: &mut Vec<&'v serde_json::Value>) {
    let Some(rest) = pointer.strip_prefix('/') else {
        found.push(value);
        return;
    };
    let (step, rest) = rest.find('/').map_or((rest, ""), |end| rest.split_at(end));
    match value {
        serde_json::Value::Object(members) => {
            for (_, value) in members.iter().filter(|(name, _)| step == "*" || *name == step) {
                led_to(value, rest, found);
            }
        }
        serde_json::Value::Array(items) => {
            for (_, value) in items
                .iter()
                .enumerate()
                .filter(|(index, _)| step == "*" || index.to_string() == step)
            {
                led_to(value, rest, found);
            }
        }
        _ => {}
    }
}

fn tokens(text: &str) -> Vec<&str> {
    text.match_indices('<')
        .map(|(at, _)| &text[at..=at + text[at..].find('>').expect("closed")])
        .collect()
}

fn any_how() -> impl Strategy<Value = How> {
    prop::sample::select(vec![How::Drop, How::Mask, How::Hash])
}

proptest! {
    /// The promise: what a pointer leads to in the plain form occurs nowhere any more, and what is
    /// left is a whole typed value.
    #[test]
    fn no_redacted_text_is_left(typed in any_record(), pointers in prop::collection::vec(any_pointer(), 1..3), how in any_how()) {
        let plain = crate::value::plain(&typed, 1_000_000).expect("plain");
        let plain: serde_json::Value = serde_json::from_str(&plain).expect("JSON");
        let fields: Vec<&str> = pointers.iter().map(String::as_str).collect();
        let redacted = value(&fields, how, &typed);
        for pointer in &fields {
            let mut found = Vec::new();
            led_to(&plain, pointer, &mut found);
            for secret in found {
                let secret = secret.to_string();
                for token in tokens(&secret) {
                    prop_assert!(!redacted.contains(token), "{} by {} is in {}", token, pointer, redacted);
                }
            }
        }
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/schema/value.schema.json")).expect("JSON");
        let instance: serde_json::Value = serde_json::from_str(&redacted).expect("JSON");
        prop_assert!(jsonschema::is_valid(&schema, &instance), "{}", redacted);
        for id in 1..4 {
            let refers = redacted.contains(&format!(r#"{{"$ref":{id}}}"#));
            prop_assert!(!refers || redacted.contains(&format!(r#""id":{id},"#)), "{}", redacted);
        }
    }

    /// Without shared objects nothing else is touched.
    #[test]
    fn what_no_rule_concerns_stays(typed in any_record().prop_filter("shared", |typed| !typed.contains("$ref")), pointer in any_pointer(), how in any_how()) {
        let plain = crate::value::plain(&typed, 1_000_000).expect("plain");
        let plain: serde_json::Value = serde_json::from_str(&plain).expect("JSON");
        let mut found = Vec::new();
        led_to(&plain, &pointer, &mut found);
        let secrets: Vec<String> = found.iter().map(ToString::to_string).collect();
        let redacted = value(&[&pointer], how, &typed);
        for token in tokens(&typed).into_iter().filter(|token| !secrets.iter().any(|secret| secret.contains(token))) {
            // A map's entry goes with its value.
            let entry = how == How::Drop && typed.contains("$map");
            prop_assert!(entry || redacted.contains(token), "{} is gone from {}", token, redacted);
        }
    }

    /// Two records never become one, and a key in a value has the hash of the key.
    #[test]
    fn keys_stay_apart_and_equal_to_their_fields(a in any_key(), b in any_key(), how in any_how()) {
        let path = path("\"k\"");
        for fields in [&["/k"][..], &["/k/0"], &["/k/*"], &["/k/1", "/k/*/0"], &["@key"]] {
            let redaction = redaction(fields, how);
            let key = |key: &Key| {
                let text = key.to_string();
                let redacted = redaction.key(store("d", "s", Some(&path)), &text).expect("a key");
                Key::parse(&redacted.unwrap_or(text)).expect("a key")
            };
            prop_assert_eq!(key(&a) == key(&b), a == b);
            if how == How::Hash {
                let value = redaction.value(store("d", "s", Some(&path)), &format!(r#"{{"k":{a}}}"#)).expect("concerned");
                prop_assert_eq!(value, format!(r#"{{"k":{}}}"#, key(&a)));
            }
        }
    }

    #[test]
    fn redaction_accepts_any_text(text in r#"(\{"\$(id|ref|map|set|bytes|sparse|date|object|error|boxed)":|[\[\]{},1]|"(a|id|value|buffer|items|cause)":|\}){0,16}"#, pointer in any_pointer()) {
        let _ = value(&[&pointer, "/*/*"], How::Hash, &text);
        let redaction = redaction(&[&pointer, "@key"], How::Mask);
        let _ = redaction.body(ORIGIN, &text);
    }
}
