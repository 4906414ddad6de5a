use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

fn said(typed: &str) -> String {
    plain(typed, 10_000).expect("a plain form").into_owned()
}

#[test]
fn plain_is_what_json_stringify_says() {
    for (typed, expected) in [
        (r#"{"a":1,"b":"\ud800"}"#, r#"{"a":1,"b":"\ud800"}"#),
        (r#"{"$undefined":true}"#, "null"),
        (r#"{"a":{"$undefined":true},"b":2}"#, r#"{"b":2}"#),
        (r#"{"a":1,"b":{"$undefined":true}}"#, r#"{"a":1}"#),
        (
            r#"[{"$undefined":true},{"$number":"NaN"},{"$number":"-0"}]"#,
            "[null,null,0]",
        ),
        (
            r#"{"$date":"2026-01-31T12:00:00.000Z"}"#,
            r#""2026-01-31T12:00:00.000Z""#,
        ),
        (r#"{"$date":null}"#, "null"),
        (r#"{"$map":[["a",1],["b",{"$set":[1]}]]}"#, r#"{"a":1,"b":[1]}"#),
        (r#"{"$map":[[1,2]]}"#, "[[1,2]]"),
        (r#"{"$bytes":{"type":"Uint8Array","base64":"AQI="}}"#, r#""AQI=""#),
        (r#"{"$regexp":{"source":"a","flags":""}}"#, "{}"),
        (r#"{"$bigint":"9007199254740993"}"#, r#""9007199254740993""#),
        (r#"{"$boxed":true}"#, "true"),
        (
            r#"{"$sparse":{"length":3,"items":{"1":5,"x":6}}}"#,
            "[null,5,null]",
        ),
        (r#"{"$object":{"$date":1}}"#, r#"{"$date":1}"#),
        (
            r#"[{"$id":{"id":1,"value":{"a":1}}},{"$ref":1}]"#,
            r#"[{"a":1},{"a":1}]"#,
        ),
        (
            r#"{"$id":{"id":1,"value":{"self":{"$ref":1}}}}"#,
            r#"{"self":null}"#,
        ),
        (
            r#"[{"$bytes":{"type":"Uint8Array","offset":1,"length":1,"buffer":{"$id":{"id":1,"value":{"$bytes":{"type":"ArrayBuffer","base64":"AQI="}}}}}},{"$ref":1}]"#,
            r#"["Ag==","AQI="]"#,
        ),
    ] {
        assert_eq!(said(typed), expected, "{typed}");
    }
}

#[test]
fn growth_is_bounded() {
    // Each level refers twice to the one before: 2^40 leaves from 40 lines.
    let mut typed = String::from(r#"[{"$id":{"id":0,"value":[1]}}"#);
    for level in 1..40 {
        write!(
            typed,
            r#",{{"$id":{{"id":{level},"value":[{{"$ref":{0}}},{{"$ref":{0}}}]}}}}"#,
            level - 1
        )
        .expect("fits");
    }
    typed.push(']');
    assert_eq!(
        plain(&typed, 100_000),
        Err(PlainError::TooLarge { limit: 100_000 })
    );
    let holes = r#"{"$sparse":{"length":4294967295,"items":{}}}"#;
    assert!(matches!(plain(holes, 100_000), Err(PlainError::TooLarge { .. })));
    // The bound on holes is exact: the last one has no comma, the array has brackets.
    let holes = r#"{"$sparse":{"length":2,"items":{}}}"#;
    assert_eq!(plain(holes, 11).expect("a plain form"), "[null,null]");
    assert_eq!(plain(holes, 9), Err(PlainError::TooLarge { limit: 9 }));
}

#[test]
fn views_decode_only_their_part_of_a_shared_buffer() {
    let buffer: Vec<u8> = (0..=255).cycle().take(1024 * 1024).collect();
    let views = 20_000;
    let mut typed = format!(
        r#"[{{"$id":{{"id":1,"value":{{"$bytes":{{"type":"ArrayBuffer","base64":"{}"}}}}}}}}"#,
        BASE64.encode(&buffer)
    );
    for offset in 0..views {
        write!(
            typed,
            r#",{{"$bytes":{{"type":"Uint8Array","offset":{offset},"length":2,"buffer":{{"$ref":1}}}}}}"#
        )
        .expect("fits");
    }
    typed.push(']');
    let begin = std::time::Instant::now();
    let text = plain(&typed, 32 << 20).expect("a plain form").into_owned();
    // Decoding all of the buffer for each would take minutes.
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    for offset in [0, 1, 2, 3, 254, 255, views - 1] {
        let part = BASE64.encode(&buffer[offset..offset + 2]);
        assert_eq!(text.split('"').nth(3 + offset * 2), Some(&*part), "{offset}");
    }
    let past = r#"{"$bytes":{"type":"Uint8Array","offset":1,"length":2,"buffer":{"$bytes":{"type":"ArrayBuffer","base64":"AQI="}}}}"#;
    assert_eq!(said(past), r#""""#);
}

proptest! {
    #[test]
    fn plain_is_json_for_any_text(typed in r#"(\{"\$(id|ref|map|set|bytes|sparse|date|object|undefined)":|[\[\]{},1]|"a":|\}){0,16}"#) {
        if let Ok(text) = plain(&typed, 1000) {
            prop_assert!(Json::parse(&text).is_ok() || !typed.contains("\"$"), "{}", text);
        }
    }
}

#[test]
fn shared_objects_that_lead_to_one_another_end() {
    let list = |nodes: usize| {
        let mut typed = String::from(r#"[{"$id":{"id":1,"value":{}}}"#);
        for id in 2..=nodes {
            write!(
                typed,
                r#",{{"$id":{{"id":{id},"value":{{"last":{{"$ref":{}}}}}}}}}"#,
                id - 1
            )
            .expect("fits");
        }
        typed + "]"
    };
    assert_eq!(said(&list(3)), r#"[{},{"last":{}},{"last":{"last":{}}}]"#);
    let reason = "too deep".to_owned();
    assert_eq!(plain(&list(100_000), 1 << 30), Err(PlainError::Cut { reason }));
}

/// A value with this shared object, and so many members that refer to it.
fn referred(shared: &str, members: usize) -> String {
    let references: Vec<String> = (0..members)
        .map(|member| format!(r#""m{member}":{{"$ref":1}}"#))
        .collect();
    format!(r#"{{"refs":{{{}}},"shared":[{shared}]}}"#, references.join(","))
}

/// Objects, each of which says in these words where the next one is; the last one is undefined.
fn chain(links: usize, before: &str, behind: &str) -> String {
    let links: Vec<String> = (1..=links)
        .map(|id| {
            let next = if id == links {
                r#"{"$undefined":true}"#.to_owned()
            } else {
                format!(r#"{before}{{"$ref":{}}}{behind}"#, id + 1)
            };
            format!(r#"{{"$id":{{"id":{id},"value":{next}}}}}"#)
        })
        .collect();
    links.join(",")
}

#[test]
fn work_on_references_is_bounded_by_text_and_limit() {
    const LIMIT: usize = 64 * 1024;
    let names: Vec<String> = (0..1000)
        .map(|name| format!(r#""n{name}":{{"$undefined":true}}"#))
        .collect();
    let names = names.join(",");
    let long = "x".repeat(50_000);
    let base64 = "AAAA".repeat(10_000);
    let shared = |value: String| format!(r#"{{"$id":{{"id":1,"value":{value}}}}}"#);
    for shape in [
        chain(150, "", ""),
        chain(100, r#"{"$boxed":"#, "}"),
        // Each writes two bytes.
        shared(format!("{{{names}}}")),
        shared(format!(r#"{{"$blob":{{{names}}}}}"#)),
        shared(format!(r#"{{"$sparse":{{"length":0,"items":{{{names}}}}}}}"#)),
        shared(format!(r#"{{"$error":{{"name":"E","stack":"{long}"}}}}"#)),
        shared(format!(r#"{{"$opaque":{{"type":"{long}","reason":"x"}}}}"#)),
        shared(format!(r#"{{"$number":"{long}"}}"#)),
        shared(format!(
            r#"{{"$bytes":{{"type":"Uint8Array","offset":0,"length":0,"buffer":{{"$bytes":{{"type":"ArrayBuffer","base64":"{base64}"}}}}}}}}"#
        )),
    ] {
        let head = &shape[..shape.len().min(80)];
        assert!(plain(&referred(&shape, 2), LIMIT).is_ok(), "{head}");
        assert_eq!(
            plain(&referred(&shape, 5_000), LIMIT),
            Err(PlainError::TooManyReferences { limit: LIMIT }),
            "{head}"
        );
    }
}

#[test]
fn references_that_are_written_out_are_no_more_than_they_write() {
    // As much as the limit lets pass.
    let shared = r#"{"$id":{"id":1,"value":{"name":"a name","at":{"$date":"2026-01-31T12:00:00.000Z"},"tags":["a","b"]}}}"#;
    let typed = referred(shared, 10_000);
    let text = plain(&typed, 1 << 20).expect("a plain form");
    assert!(text.len() > 700_000, "{}", text.len());
}

#[test]
fn what_was_cut_has_no_plain_form() {
    let cut = r#"{"a":[{"$opaque":{"type":"Object","reason":"too deep"}}]}"#;
    let reason = "too deep".to_owned();
    assert_eq!(plain(cut, 1000), Err(PlainError::Cut { reason }));
    let key = r#"{"$opaque":{"type":"CryptoKey","reason":"not representable in JSON"}}"#;
    assert_eq!(plain(key, 1000).expect("plain"), "{}");
}
