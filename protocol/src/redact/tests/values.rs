//! Values: fields, shared objects, hashes.

use super::*;

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
        // Things are redacted completely: a stack repeats the message.
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
            &["/r/top"],
            Mask,
            r#"{"r":{"$platform":{"type":"DOMRect","x":1,"y":2,"width":3,"height":4}}}"#,
            r#"{"r":"***"}"#,
        ),
        (
            &["/m/f", "/n/isIdentity"],
            Mask,
            r#"{"m":{"$platform":{"type":"DOMMatrix","m42":1}},"n":{"$platform":{"type":"DOMMatrixReadOnly","m42":1}}}"#,
            r#"{"m":"***","n":"***"}"#,
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
        other
            .value(store("d", "s", None), r#"{"a":"x"}"#)
            .expect("redacted"),
        plain
    );
}

#[test]
fn equal_values_have_equal_hashes_in_one_origin_by_one_rule_only() {
    let mut rules = [rule(&["/a", "@key"], How::Hash), rule(&["/b"], How::Hash)];
    rules[1].store = "s".into();
    let redaction = Redaction::new(&rules, &SECRET).expect("rules");
    let hash = |origin, name, typed: &str| {
        let place = Store {
            origin,
            ..store("d", name, None)
        };
        let redacted = redaction.value(place, typed).expect("redacted");
        redacted.split('"').nth(3).expect("a hash").to_owned()
    };
    let ours = hash(ORIGIN, "s", r#"{"a":"x"}"#);
    assert_eq!(ours, hash(ORIGIN, "other", r#"{"a":"x"}"#), "one rule");
    assert_ne!(
        ours,
        hash("https://evil.example", "s", r#"{"a":"x"}"#),
        "another origin"
    );
    assert_ne!(ours, hash(ORIGIN, "s", r#"{"b":"x"}"#), "another rule");
    let key = |origin, name| {
        let place = Store {
            origin,
            ..store("d", name, None)
        };
        redaction.key(place, "\"x\"").expect("a key").expect("redacted")
    };
    assert_eq!(key(ORIGIN, "s"), format!("\"{ours}\""), "a key and a field");
    assert_eq!(key(ORIGIN, "s"), key(ORIGIN, "other"));
    assert_ne!(key(ORIGIN, "s"), key("https://evil.example", "s"));
    // No name ends where another could begin.
    assert_ne!(
        hash("https://a", "s", r#"{"a":"x"}"#),
        hash("https://a{", "s", r#"{"a":"x"}"#)
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
    let shown = |database, name| {
        redaction
            .value(store(database, name, None), typed)
            .expect("redacted")
    };
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
