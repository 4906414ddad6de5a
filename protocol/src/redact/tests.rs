use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::key::{Key, tests::any_key};

const SECRET: [u8; 32] = [7; 32];

fn rule(fields: &[&str], how: How) -> Rule {
    Rule {
        database: String::new(),
        store: String::new(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        how,
    }
}

fn redaction(fields: &[&str], how: How) -> Redaction {
    Redaction::new(&[rule(fields, how)], &SECRET).expect("rules")
}

fn value(fields: &[&str], how: How, typed: &str) -> String {
    redaction(fields, how)
        .value("d", "s", None, typed)
        .unwrap_or_else(|| typed.to_owned())
}

fn path(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

#[test]
fn fields_are_left_out_masked_or_hashed() {
    use How::{Drop, Mask};
    for (fields, how, typed, expected) in [
        (&["/a"][..], Drop, r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        (&["/a"], Mask, r#"{"a":{"x":1},"b":2}"#, r#"{"a":"***","b":2}"#),
        (
            &["/c/*/n"],
            Drop,
            r#"{"c":[{"n":1,"m":2},{"n":3},4]}"#,
            r#"{"c":[{"m":2},{},4]}"#,
        ),
        (&["/c/1"], Drop, r#"{"c":[1,2]}"#, r#"{"c":[1,null]}"#),
        (&[""], Drop, r#"{"c":[1,2]}"#, "null"),
        (&[""], Mask, "5", r#""***""#),
        (&["/~1~0"], Mask, r#"{"/~":1}"#, r#"{"/~":"***"}"#),
        (&["/é"], Mask, r#"{"\u00e9":1}"#, r#"{"\u00e9":"***"}"#),
        // Nothing there.
        (&["/a/b", "/x", "/a/0"], Mask, r#"{"a":"b"}"#, r#"{"a":"b"}"#),
        // What is left must not look like another form.
        (
            &["/a"],
            Drop,
            r#"{"a":1,"$date":"x"}"#,
            r#"{"$object":{"$date":"x"}}"#,
        ),
        (&["/$date"], Drop, r#"{"$object":{"$date":"x"}}"#, "{}"),
        (
            &["/$date/a"],
            Mask,
            r#"{"$object":{"$date":{"a":1}}}"#,
            r#"{"$object":{"$date":{"a":"***"}}}"#,
        ),
        // What the plain form shows is what a pointer means.
        (
            &["/m/k"],
            Drop,
            r#"{"m":{"$map":[["k",1],["l",2]]}}"#,
            r#"{"m":{"$map":[["l",2]]}}"#,
        ),
        (
            &["/m/*"],
            Mask,
            r#"{"m":{"$map":[["k",1]]}}"#,
            r#"{"m":{"$map":[["k","***"]]}}"#,
        ),
        (&["/0/1"], Mask, r#"{"$map":[[1,2]]}"#, r#"{"$map":[[1,"***"]]}"#),
        (
            &["/0"],
            Mask,
            r#"{"$map":[[1,2],[3,4]]}"#,
            r#"{"$map":[["***","***"],[3,4]]}"#,
        ),
        (&["/1"], Drop, r#"{"$set":[1,2]}"#, r#"{"$set":[1]}"#),
        (&["/a"], Mask, r#"{"a":{"$boxed":"x"}}"#, r#"{"a":"***"}"#),
        (
            &["/1", "/x"],
            Drop,
            r#"{"$sparse":{"length":3,"items":{"1":5,"2":6,"x":7}}}"#,
            r#"{"$sparse":{"length":3,"items":{"2":6}}}"#,
        ),
        // Things are redacted as a whole: a stack repeats the message.
        (
            &["/e/message"],
            Mask,
            r#"{"e":{"$error":{"name":"E","message":"m","stack":"E: m"}}}"#,
            r#"{"e":"***"}"#,
        ),
        (
            &["/f/name"],
            Drop,
            r#"{"f":{"$blob":{"type":"","size":1,"name":"n"}},"g":1}"#,
            r#"{"g":1}"#,
        ),
        (
            &["/r/source"],
            Mask,
            r#"{"r":{"$regexp":{"source":"s","flags":""}}}"#,
            r#"{"r":"***"}"#,
        ),
        (
            &["/b/0"],
            Mask,
            r#"{"b":{"$bytes":{"type":"Uint8Array","base64":"AA=="}}}"#,
            r#"{"b":"***"}"#,
        ),
        (
            &["/p/0/name"],
            Mask,
            r#"{"p":{"$platform":{"type":"FileList","items":[]}}}"#,
            r#"{"p":"***"}"#,
        ),
        (
            &["/d/x"],
            Mask,
            r#"{"d":{"$date":null}}"#,
            r#"{"d":{"$date":null}}"#,
        ),
    ] {
        assert_eq!(value(fields, how, typed), expected, "{fields:?} {typed}");
    }
}

#[test]
fn a_shared_object_is_redacted_wherever_it_stands() {
    use How::{Drop, Mask};
    for (fields, how, typed, expected) in [
        (
            &["/a"][..],
            Drop,
            r#"{"a":{"$id":{"id":1,"value":{"x":1}}},"b":{"$ref":1}}"#,
            "{}",
        ),
        (
            &["/b"],
            Mask,
            r#"{"a":{"$id":{"id":1,"value":{"x":1}}},"b":{"$ref":1}}"#,
            r#"{"a":"***","b":"***"}"#,
        ),
        (
            &["/b/x"],
            Mask,
            r#"{"a":{"$id":{"id":1,"value":{"x":1}}},"b":{"$ref":1}}"#,
            r#"{"a":{"$id":{"id":1,"value":{"x":"***"}}},"b":{"$ref":1}}"#,
        ),
        // Inside of what is redacted stands something that has another place.
        (
            &["/a"],
            Drop,
            r#"{"a":[{"$id":{"id":1,"value":[7]}}],"b":[{"$ref":1}]}"#,
            r#"{"b":[null]}"#,
        ),
        (
            &["/b"],
            Drop,
            r#"{"a":[{"$id":{"id":1,"value":[7]}}],"b":[{"$ref":1}]}"#,
            r#"{"a":[null]}"#,
        ),
        // The whole record stands inside of the field.
        (
            &["/self"],
            Mask,
            r#"{"$id":{"id":1,"value":{"self":{"$ref":1},"x":1}}}"#,
            r#""***""#,
        ),
        // Two views of one buffer.
        (
            &["/a"],
            Mask,
            r#"{"a":{"$bytes":{"type":"Uint8Array","offset":0,"length":1,"buffer":{"$id":{"id":1,"value":{"$bytes":{"type":"ArrayBuffer","base64":"AAE="}}}}}},"b":{"$bytes":{"type":"Uint8Array","offset":1,"length":1,"buffer":{"$ref":1}}}}"#,
            r#"{"a":"***","b":"***"}"#,
        ),
        // A file in a list.
        (
            &["/f"],
            Mask,
            r#"{"l":{"$platform":{"type":"FileList","items":[{"$ref":1}]}},"f":{"$id":{"id":1,"value":{"$blob":{"type":"","size":1}}}}}"#,
            r#"{"l":{"$platform":{"type":"FileList","items":["***"]}},"f":"***"}"#,
        ),
        // The cause of an error.
        (
            &["/c"],
            Drop,
            r#"{"c":{"$id":{"id":1,"value":{"s":1}}},"e":{"$error":{"name":"E","cause":{"$ref":1}}}}"#,
            r#"{"e":{"$error":{"name":"E"}}}"#,
        ),
    ] {
        assert_eq!(value(fields, how, typed), expected, "{fields:?} {typed}");
    }
}

#[test]
fn equal_values_have_equal_hashes_in_one_profile_only() {
    let hash = |typed: &str| value(&["/a"], How::Hash, typed);
    let plain = hash(r#"{"a":"x"}"#);
    assert!(
        plain.starts_with(r#"{"a":"hash-"#) && plain.len() == r#"{"a":"hash-"}"#.len() + 32,
        "{plain}"
    );
    assert_eq!(plain, hash(r#"{"a":"\u0078"}"#));
    assert_ne!(plain, hash(r#"{"a":{"$boxed":"x"}}"#));
    assert_ne!(hash(r#"{"a":1}"#), hash(r#"{"a":"1"}"#));
    assert_eq!(hash(r#"{"a":{"$number":"-0"}}"#), hash(r#"{"a":0}"#));
    // Shared or not is no difference to the value.
    assert_eq!(
        hash(r#"{"a":{"$id":{"id":4,"value":{"x":[1]}}}}"#),
        hash(r#"{"a":{"x":[1]}}"#)
    );
    let other = Redaction::new(&[rule(&["/a"], How::Hash)], &[8; 32]).expect("rules");
    assert_ne!(
        other.value("d", "s", None, r#"{"a":"x"}"#).expect("redacted"),
        plain
    );
}

#[test]
fn all_rules_hold_and_the_strictest_counts() {
    let mut rules = vec![
        rule(&["/a", "/b"], How::Hash),
        rule(&["/a"], How::Drop),
        rule(&["/b"], How::Mask),
    ];
    rules[1].database = "shop".into();
    rules[2].store = "users".into();
    let redaction = Redaction::new(&rules, &SECRET).expect("rules");
    let typed = r#"{"a":1,"b":2,"c":3}"#;
    let shown = |database, store| redaction.value(database, store, None, typed).expect("redacted");
    assert_eq!(shown("shop", "users"), r#"{"b":"***","c":3}"#);
    assert!(shown("shop", "orders").starts_with(r#"{"b":"hash-"#));
    assert!(shown("x", "users").starts_with(r#"{"a":"hash-"#));
    rules.reverse();
    let reversed = Redaction::new(&rules, &SECRET).expect("rules");
    assert_ne!(reversed.fingerprint(), redaction.fingerprint());
    assert_eq!(Redaction::new(&[], &SECRET).expect("none").fingerprint(), "");
}

#[test]
fn what_cannot_be_read_is_replaced() {
    for typed in [
        "{",
        "",
        &("[".repeat(2000) + &"]".repeat(2000)),
        r#"[{"$id":{"id":1,"value":1}},{"$id":{"id":1,"value":2}}]"#,
    ] {
        assert!(value(&["/x"], How::Mask, typed).starts_with(r#"{"$opaque""#));
    }
}

#[test]
fn the_parts_of_a_key_that_are_fields_are_hashed() {
    let hashed = |fields: &[&str], key_path: &str, key: &str| {
        redaction(fields, How::Drop)
            .key("d", "s", Some(&path(key_path)), key)
            .expect("a key")
            .map(|key| key.replace(char::is_alphanumeric, ""))
    };
    let whole = Some("\"-\"".to_owned());
    assert_eq!(hashed(&["/id"], "\"id\"", "7"), whole);
    assert_eq!(hashed(&["/user"], "\"user.id\"", "7"), whole);
    assert_eq!(hashed(&["/*/id"], "\"user.id\"", "7"), whole);
    assert_eq!(hashed(&[""], "\"\"", "7"), whole);
    assert_eq!(hashed(&["@key"], "null", "7"), whole);
    assert_eq!(hashed(&["@key"], "\"id\"", "[1,2]"), whole);
    assert_eq!(hashed(&["/user/mail", ""], "null", "7"), None);
    assert_eq!(hashed(&["/user/mail", "/i"], "\"id\"", "7"), None);
    assert_eq!(hashed(&["/id/0"], "\"id\"", "\"a\""), Some("\"\"".into()));
    assert_eq!(
        hashed(&["/tags/*", "/tags/0"], "\"tags\"", "[1,[2]]"),
        Some("[\"-\",\"-\"]".into())
    );
    assert_eq!(
        hashed(
            &["/b"],
            r#"["a","b"]"#,
            "[{\"$date\":\"1970-01-01T00:00:00.000Z\"},2]"
        )
        .map(|key| key.ends_with(",\"-\"]")),
        Some(true)
    );
    let redacted = redaction(&["/b"], How::Drop);
    let key = redacted.key("d", "s", Some(&path(r#"["a","b"]"#)), "[1,2]");
    assert!(is_redacted(&key.expect("a key").expect("redacted")));
    for text in [
        "1",
        "\"hash-\"",
        "\"hash-0123456789abcdef0123456789abcde\"",
        "[\"xhash-0123456789abcdef0123456789abcdef\"]",
    ] {
        assert!(!is_redacted(text), "{text}");
    }
    // Not of the store's form.
    assert_eq!(hashed(&["/b"], r#"["a","b"]"#, "\"secret\""), whole);
}

#[test]
fn a_body_is_redacted_in_all_its_places_and_nowhere_else() {
    let redaction = Redaction::new(
        &[Rule {
            database: "shop".into(),
            store: "users".into(),
            fields: vec!["/mail".into()],
            how: How::Mask,
        }],
        &SECRET,
    )
    .expect("rules");
    let key = redaction
        .key("shop", "users", Some(&path("\"mail\"")), "\"ann@x\"")
        .expect("a key")
        .expect("redacted");

    let commit = r#"{"commit":{"bucket":"","database":"shop","version":1,"began_at":1,"committed_at":2,"key_paths":{"users":"mail"},"operations":[{"put":{"store":"users","key":"ann@x","value":{"mail":"ann@x", "n":1}}},{"delete":{"store":"users","key":"ann@x"}},{"delete_range":{"store":"users","range":{"lower":"ann@x","upper":"ann@x","lower_open":false,"upper_open":false}}},{"delete_range":{"store":"users","range":{"lower":"ann@x","lower_open":false,"upper_open":false}}},{"clear":{"store":"users"}},{"put":{"store":"log","key":"ann@y","value":{"mail":"ann@y"}}},{"delete_range":{"store":"log","range":{"lower":1,"lower_open":false,"upper_open":false}}}]}}"#;
    let expected = format!(
        r#"{{"commit":{{"bucket":"","database":"shop","version":1,"began_at":1,"committed_at":2,"key_paths":{{"users":"mail"}},"operations":[{{"put":{{"store":"users","key":{key},"value":{{"mail":"***","n":1}}}}}},{{"delete":{{"store":"users","key":{key}}}}},{{"delete":{{"store":"users","key":{key}}}}},{{"delete_unknown":{{"store":"users"}}}},{{"clear":{{"store":"users"}}}},{{"put":{{"store":"log","key":"ann@y","value":{{"mail":"ann@y"}}}}}},{{"delete_range":{{"store":"log","range":{{"lower":1,"lower_open":false,"upper_open":false}}}}}}]}}}}"#
    );
    assert_eq!(redaction.body(commit), expected);

    let snapshot = r#"{"snapshot":{"bucket":"","database":"shop","version":1,"store":"users","key_path":"mail","began_at":1,"read_at":2,"after":"ann@x","until":"ann@x","records":[{"key":"ann@x","value":{"mail":"ann@x"}}]}}"#;
    let redacted = redaction.body(snapshot);
    assert_eq!(redacted.matches(&key).count(), 3, "{redacted}");
    assert!(redacted.starts_with(r#"{"snapshot":{"unordered":true,"bucket""#) && !redacted.contains("ann"));
    let crate::commit::Body::Snapshot(read) = serde_json::from_str(&redacted).expect("a body") else {
        panic!("a snapshot")
    };
    assert!(read.unordered && read.key_path.is_some());

    let records = r#"{"records":{"bucket":"","database":"shop","version":1,"store":"users","key_path":"mail","began_at":1,"read_at":2,"present":[{"key":"ann@x","value":{"mail":"ann@x"}}],"absent":["ann@z"]}}"#;
    let redacted = redaction.body(records);
    assert!(redacted.contains(&key) && !redacted.contains("ann"), "{redacted}");

    for (body, expected) in [
        (r#"{"commit":{"database":1}}"#, r#"{"commit":null}"#),
        (r#"{"snapshot":{"secret":1}}"#, r#"{"unreadable":null}"#),
        (r#"{"secret":1}"#, r#"{"unreadable":null}"#),
        ("secret", r#"{"unreadable":null}"#),
        (
            r#"{"gap":{"reason":"r","stores":[]}}"#,
            r#"{"gap":{"reason":"r","stores":[]}}"#,
        ),
    ] {
        assert_eq!(redaction.body(body), expected);
    }
}

#[test]
fn an_upgrade_that_exchanges_stores_keeps_keys_and_values_together() {
    let redaction = redaction(&["/mail"], How::Mask);
    let schema =
        |store: &str, change: &str| format!(r#"{{"schema":{{"store":"{store}","change":{change}}}}}"#);
    let put = |store: &str| {
        format!(r#"{{"put":{{"store":"{store}","key":"KEY","value":{{"mail":"MAIL","id":"ID"}}}}}}"#)
    };
    // `a` has its key in `mail`, is renamed to `b`, and another `a` is made whose key is in `id`.
    let operations = [
        put("a"),
        schema("a", r#"{"rename_store":{"to":"b"}}"#),
        schema(
            "a",
            r#"{"create_store":{"key_path":"id","auto_increment":false}}"#,
        ),
        put("a"),
        put("b"),
        schema("b", r#"{"delete_store":{}}"#),
        schema(
            "b",
            r#"{"create_store":{"key_path":null,"auto_increment":false}}"#,
        ),
        put("b"),
    ];
    let body = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":1,"committed_at":2,"key_paths":{{"a":"mail"}},"operations":[{}]}}}}"#,
        operations.join(",")
    );
    let redacted = redaction.body(&body);
    assert!(!redacted.contains("MAIL"));
    let kept: Vec<bool> = redacted
        .split(r#""put""#)
        .skip(1)
        .map(|put| put.contains("KEY"))
        .collect();
    assert_eq!(kept, [false, true, false, true]);
}

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
    /// The promise: what a pointer leads to in the plain form occurs nowhere any more, and what is left is a whole typed value.
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
            serde_json::from_str(include_str!("../../../docs/schema/value.schema.json")).expect("JSON");
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
                let redacted = redaction.key("d", "s", Some(&path), &text).expect("a key");
                Key::parse(&redacted.unwrap_or(text)).expect("a key")
            };
            prop_assert_eq!(key(&a) == key(&b), a == b);
            if how == How::Hash {
                let value = redaction.value("d", "s", Some(&path), &format!(r#"{{"k":{a}}}"#)).expect("concerned");
                prop_assert_eq!(value, format!(r#"{{"k":{}}}"#, key(&a)));
            }
        }
    }

    #[test]
    fn whatever_comes_is_answered(text in r#"(\{"\$(id|ref|map|set|bytes|sparse|date|object|error|boxed)":|[\[\]{},1]|"(a|id|value|buffer|items|cause)":|\}){0,16}"#, pointer in any_pointer()) {
        let _ = value(&[&pointer, "/*/*"], How::Hash, &text);
        let redaction = redaction(&[&pointer, "@key"], How::Mask);
        let _ = redaction.body(&text);
    }
}
