use super::*;

#[test]
fn a_commit_keeps_keys_and_values_as_they_were_written() {
    let text = r#"{"commit":{"database":"shop","version":3,"began_at":1,"committed_at":2,"operations":[{"put":{"store":"a\n","key":-0,"value":{"x":"\ud800","n":1.0}}},{"delete_range":{"store":"b","range":{"lower":[1],"lower_open":true,"upper_open":false}}},{"clear":{"store":"b"}}]}}"#;
    let body: Body<'_> = serde_json::from_str(text).expect("a body");
    assert_eq!(serde_json::to_string(&body).expect("JSON"), text);
    let Body::Commit(commit) = body else {
        panic!("a commit")
    };
    assert!(matches!(&commit.operations[0], Operation::Put { key, .. } if key.get() == "-0"));
    assert_eq!(commit.operations[2].store(), "b");
}

#[test]
fn body_is_a_reading_by_its_beginning_as_by_its_content() {
    for (text, is_read) in [
        (
            r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[]}}"#,
            false,
        ),
        (
            r#"{"snapshot":{"database":"d","version":1,"store":"s","began_at":1,"read_at":1,"records":[]}}"#,
            true,
        ),
        (
            r#"{"digests":{"database":"d","version":1,"store":"s","stretches":[{"began_at":1,"read_at":1,"records":0,"digest":""}]}}"#,
            true,
        ),
        (
            r#"{"records":{"database":"d","version":1,"store":"s","began_at":1,"read_at":1,"present":[],"absent":[]}}"#,
            true,
        ),
        (
            r#"{"store_list":{"began_at":1,"read_at":1,"databases":[]}}"#,
            true,
        ),
        (
            r#"{"deletion":{"database":"d","began_at":1,"deleted_at":1}}"#,
            false,
        ),
        (r#"{"gap":{"reason":"r","stores":[]}}"#, false),
        (r#"{"skipped":{"reason":"r"}}"#, true),
    ] {
        let body: Body<'_> = serde_json::from_str(text).expect(text);
        assert_eq!(
            (is_reading(text), body.is_reading()),
            (is_read, is_read),
            "{text}"
        );
    }
}
