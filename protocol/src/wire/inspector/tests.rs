//! The messages as they are documented.

use super::*;

#[test]
fn questions_and_answers_read_as_documented() {
    let ask = FromInspector::Ask(Ask {
        id: 7,
        question: Question::Feed(Since {
            past: 100,
            ..Since::default()
        }),
    });
    let text = serde_json::to_string(&ask).expect("JSON");
    assert_eq!(
        text,
        r#"{"ask":{"id":7,"question":{"feed":{"event":null,"past":100,"passed":{}}}}}"#
    );
    assert_eq!(
        serde_json::from_str::<FromInspector>(&text).expect("a message"),
        ask
    );
    let all = r#"{"compare":{"repair":false}}"#;
    let question: Question = serde_json::from_str(all).expect("a question");
    assert_eq!(serde_json::to_string(&question).expect("JSON"), all);
    let answer = r#"{"answer":{"id":7,"reply":{"feed":{"tail":0,"head":1,"events":[{"after":{"$number":"-0"}}],"passages":[],"notices":[],"next":{"event":1,"past":0,"passed":{}}}}}}"#;
    let parsed: ToInspector = serde_json::from_str(answer).expect("a message");
    assert_eq!(serde_json::to_string(&parsed).expect("JSON"), answer);
}

#[test]
fn what_stands_for_a_large_value_is_known_for_it() {
    let marker = left_out("feed", 70_000);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(marker.get()).expect("JSON"),
        serde_json::json!({"$opaque": {"type": "Object", "reason": "too large for the feed: 70000 bytes"}})
    );
    assert_eq!(left_out_bytes(marker.get()), Some(70_000));
    for value in [
        "1",
        r#"{"$opaque":{"reason":"a CryptoKey stays in its browser","type":"CryptoKey"}}"#,
        r#"{"$object":{"$opaque":{"reason":"too large for the feed: 1 bytes"}}}"#,
    ] {
        assert_eq!(left_out_bytes(value), None, "{value}");
    }
}
