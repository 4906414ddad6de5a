//! Keys, and whole bodies of commits.

use super::*;

#[test]
fn the_parts_of_a_key_that_are_fields_are_hashed() {
    let hashed = |fields: &[&str], key_path: &str, key: &str| {
        redaction(fields, How::Drop)
            .key(store("d", "s", Some(&path(key_path))), key)
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
    let key = redacted.key(store("d", "s", Some(&path(r#"["a","b"]"#))), "[1,2]");
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
        .key(store("shop", "users", Some(&path("\"mail\""))), "\"ann@x\"")
        .expect("a key")
        .expect("redacted");

    let commit = r#"{"commit":{"bucket":"","database":"shop","version":1,"began_at":1,"committed_at":2,"key_paths":{"users":"mail"},"operations":[{"put":{"store":"users","key":"ann@x","value":{"mail":"ann@x", "n":1}}},{"delete":{"store":"users","key":"ann@x"}},{"delete_range":{"store":"users","range":{"lower":"ann@x","upper":"ann@x","lower_open":false,"upper_open":false}}},{"delete_range":{"store":"users","range":{"lower":"ann@x","lower_open":false,"upper_open":false}}},{"clear":{"store":"users"}},{"put":{"store":"log","key":"ann@y","value":{"mail":"ann@y"}}},{"delete_range":{"store":"log","range":{"lower":1,"lower_open":false,"upper_open":false}}}]}}"#;
    let expected = format!(
        r#"{{"commit":{{"bucket":"","database":"shop","version":1,"began_at":1,"committed_at":2,"key_paths":{{"users":"mail"}},"operations":[{{"put":{{"store":"users","key":{key},"value":{{"mail":"***","n":1}}}}}},{{"delete":{{"store":"users","key":{key}}}}},{{"delete":{{"store":"users","key":{key}}}}},{{"delete_unknown":{{"store":"users"}}}},{{"clear":{{"store":"users"}}}},{{"put":{{"store":"log","key":"ann@y","value":{{"mail":"ann@y"}}}}}},{{"delete_range":{{"store":"log","range":{{"lower":1,"lower_open":false,"upper_open":false}}}}}}]}}}}"#
    );
    assert_eq!(redaction.body(ORIGIN, commit), expected);

    let snapshot = r#"{"snapshot":{"bucket":"","database":"shop","version":1,"store":"users","key_path":"mail","began_at":1,"read_at":2,"after":"ann@x","until":"ann@x","records":[{"key":"ann@x","value":{"mail":"ann@x"}}]}}"#;
    let redacted = redaction.body(ORIGIN, snapshot);
    assert_eq!(redacted.matches(&key).count(), 3, "{redacted}");
    assert!(redacted.starts_with(r#"{"snapshot":{"unordered":true,"bucket""#) && !redacted.contains("ann"));
    let crate::body::Body::Snapshot(read) = serde_json::from_str(&redacted).expect("a body") else {
        panic!("a snapshot")
    };
    assert!(read.unordered && read.key_path.is_some());

    let records = r#"{"records":{"bucket":"","database":"shop","version":1,"store":"users","key_path":"mail","began_at":1,"read_at":2,"present":[{"key":"ann@x","value":{"mail":"ann@x"}}],"absent":["ann@z"]}}"#;
    let redacted = redaction.body(ORIGIN, records);
    assert!(redacted.contains(&key) && !redacted.contains("ann"), "{redacted}");

    let digests = |store: &str| {
        format!(
            r#"{{"digests":{{"bucket":"b","database":"shop","version":1,"store":"{store}","after":"ann@w","stretches":[{{"until":"ann@x","began_at":1,"read_at":2,"records":1,"digest":"ann"}}]}}}}"#
        )
    };
    assert_eq!(
        redaction.body(ORIGIN, &digests("users")),
        r#"{"digests":{"bucket":"b","database":"shop","version":1,"store":"users","after":null,"stretches":[]}}"#
    );
    let emptied = redaction.body(ORIGIN, &digests("users")).into_owned();
    let crate::body::Body::Digests(emptied) = serde_json::from_str(&emptied).expect("a body") else {
        panic!("digests")
    };
    assert!(emptied.after.is_none() && emptied.stretches.is_empty());
    assert_eq!(redaction.body(ORIGIN, &digests("log")), digests("log"));

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
        assert_eq!(redaction.body(ORIGIN, body), expected);
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
    let redacted = redaction.body(ORIGIN, &body);
    assert!(!redacted.contains("MAIL"));
    let kept: Vec<bool> = redacted
        .split(r#""put""#)
        .skip(1)
        .map(|put| put.contains("KEY"))
        .collect();
    assert_eq!(kept, [false, true, false, true]);
}
