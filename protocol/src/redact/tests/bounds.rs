//! What a page may cost the background: depth, work and length have bounds, however objects refer
//! to each other.

use std::thread;

use super::*;
use crate::{
    json::MAX_PARTS,
    key::MAX_TEXT,
    redact::{key::MAX_PATHS, work},
};

/// A record whose `secret` holds so many objects, each of which refers to the next; the last one
/// refers to the first.
fn ring(objects: usize) -> String {
    let mut text = r#"{"secret":["#.to_owned();
    for id in 1..=objects {
        let next = id % objects + 1;
        let comma = if id > 1 { "," } else { "" };
        let _infallible = write!(
            text,
            r#"{comma}{{"$id":{{"id":{id},"value":{{"number":{id},"next":{{"$ref":{next}}}}}}}}}"#
        );
    }
    text + "]}"
}

/// The same without the way back.
fn chain(objects: usize) -> String {
    ring(objects).replace(r#""next":{"$ref":1}}}}]"#, r#""next":null}}}]"#)
}

/// Objects that all refer to one that is as long as they are together.
fn star(objects: usize) -> String {
    let long = "1,".repeat(objects * 10) + "1";
    let first = format!(r#"{{"$id":{{"id":1,"value":[{long}]}}}}"#);
    format!(r#"{{"secret":[{first}{}]}}"#, r#",{"$ref":1}"#.repeat(objects))
}

/// So many objects, each an array so deep, with the one before at the bottom.
fn deep(objects: usize, levels: usize) -> String {
    let mut text = r#"{"secret":["#.to_owned();
    for id in 1..=objects {
        let inner = match id - 1 {
            0 => "0".to_owned(),
            before => format!(r#"{{"$ref":{before}}}"#),
        };
        let comma = if id > 1 { "," } else { "" };
        let _infallible = write!(
            text,
            r#"{comma}{{"$id":{{"id":{id},"value":{}{inner}{}}}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        );
    }
    text + "]}"
}

#[test]
fn redaction_depth_does_not_grow_with_references() {
    for how in [How::Hash, How::Mask, How::Drop] {
        // An unoptimised frame takes several times the stack that it takes in the browser, which
        // has 1 MiB.
        let small = thread::Builder::new().stack_size(4 << 20);
        let worker = small.spawn(move || {
            for fields in [["/secret"], ["/secret/*"], ["/secret/39"], ["/secret/39/0"]] {
                let redacted = value(&fields, how, &deep(40, 325));
                assert!(!redacted.contains("$opaque"), "{fields:?} {redacted}");
            }
            value(&["/secret/*"], how, &deep(100, 500));
        });
        worker.expect("a thread").join().expect("no panic");
    }
}

#[test]
fn redaction_work_is_linear_in_length() {
    for shape in [ring, chain, star] {
        for fields in [
            &["/secret/*"][..],
            &["/secret"],
            &["/secret/*/next"],
            &["/*/*/number", "/secret/0"],
        ] {
            for how in [How::Hash, How::Mask, How::Drop] {
                let redaction = redaction(fields, how);
                let work = |objects| {
                    let typed = shape(objects);
                    work::take();
                    redaction.value(store("d", "s", None), &typed);
                    (typed.len(), work::take())
                };
                let (short, little) = work(1000);
                let (long, much) = work(4000);
                assert!(
                    little < 20 * short && much < 20 * long,
                    "{fields:?} {how:?}: {little} steps for {short} bytes, {much} for {long}"
                );
                assert!(
                    much * short < little * long * 2,
                    "{fields:?} {how:?}: {little} steps for {short} bytes, {much} for {long}"
                );
            }
        }
    }
}

#[test]
fn a_value_that_grows_past_the_room_is_named_too_large() {
    let long = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(4_000));
    let redacted = value(&["/a/*"], How::Hash, &long);
    assert_eq!(redacted, r#"{"$opaque":{"type":"Object","reason":"too large"}}"#);
    // Several values of one body share the room: those that came first are whole.
    let half = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(1_000));
    let put = |key| format!(r#"{{"put":{{"store":"s","key":{key},"value":{half}}}}}"#);
    let body = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{},{}]}}}}"#,
        put(1),
        put(2)
    );
    let redaction = redaction(&["/a/*"], How::Hash);
    let redacted = redaction.body(ORIGIN, &body);
    assert_eq!(redacted.matches("too large").count(), 1);
    assert!(redacted.len() < body.len() + MAX_GROWTH + 200);
}

#[test]
fn value_with_too_many_values_inside_is_named() {
    let list = |length: usize| format!(r#"{{"cards":[{}0]}}"#, "0,".repeat(length - 1));
    let fields = [
        "/cards/*/number",
        "/cards/*/cvc",
        "/cards/*/expiry",
        "/cards/*/holder",
    ];
    let named = r#"{"$opaque":{"type":"Object","reason":"too large for redaction"}}"#;
    // Six looks at each.
    let most = MAX_RECORD_LOOKS / 6 - 2;
    assert!(value(&fields, How::Drop, &list(most)) == list(most));
    assert_eq!(value(&fields, How::Drop, &list(most + 1)), named);
    // Those beside it are not.
    let put = |key, value: &str| format!(r#"{{"put":{{"store":"s","key":{key},"value":{value}}}}}"#);
    let body = |values: &[String]| {
        let puts: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(key, value)| put(key, value))
            .collect();
        format!(
            r#"{{"commit":{{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{}]}}}}"#,
            puts.join(",")
        )
    };
    let redaction = redaction(&fields, How::Drop);
    let long = list(most + 1);
    let some = [list(9), long.clone(), list(9)];
    let redacted = redaction.body(ORIGIN, &body(&some)).into_owned();
    assert!(redacted == body(&[list(9), named.to_owned(), list(9)]));
    // However many there are, no more work is done than for the largest body.
    work::take();
    redaction.body(ORIGIN, &body(&vec![list(most); 40]));
    let work = work::take();
    assert!(work < 2 * MAX_LOOKS, "{work}");
}

#[test]
fn long_key_path_is_compared_with_no_field() {
    let redaction = redaction(&["@key"], How::Hash);
    let body = |path: &str| {
        format!(
            r#"{{"snapshot":{{"database":"d","version":1,"store":"s","began_at":1,"read_at":2,"key_path":{path},"records":[{{"key":1,"value":{{"a":1}}}}]}}}}"#
        )
    };
    let wide = format!("[{}\"a\"]", "\"a\",".repeat(40_000));
    let deep = format!("\"{}a\"", "a.".repeat(600));
    for path in [&wide, &deep] {
        assert_eq!(redaction.body(ORIGIN, &body(path)), r#"{"unreadable":null}"#);
    }
    assert!(redaction.body(ORIGIN, &body("\"a\"")).contains("hash-"));
}

/// So many lists of one buffer of so many bytes, each so many times.
fn lists_of_a_buffer(lists: usize, bytes: usize, times: usize) -> String {
    let buffer = format!(
        r#"{{"$bytes":{{"type":"ArrayBuffer","base64":"{}"}}}}"#,
        "AAAA".repeat(bytes / 3)
    );
    let list = format!("[{}]", vec![r#"{"$ref":1}"#; times].join(","));
    format!(
        r#"{{"shared":{{"$id":{{"id":1,"value":{buffer}}}}},"secret":[{}]}}"#,
        vec![list; lists].join(",")
    )
}

#[test]
fn hashing_writes_out_references_up_to_a_bound() {
    // One value that might be a key, and many: each of them is short enough for one.
    for (field, lists, times) in [
        ("/secret", 1, 2_000),
        ("/secret/*", 2_000, 1),
        ("/secret/*", 200, 10),
    ] {
        let typed = lists_of_a_buffer(lists, 90_000, times);
        work::take();
        let redacted = value(&[field], How::Hash, &typed);
        let work = work::take();
        assert!(
            work < 4 * MAX_RECORD_LOOKS * BYTES_A_LOOK,
            "{field} {lists}: {work}"
        );
        let is_hashed = redacted.contains("hash-");
        let is_named = redacted == r#"{"$opaque":{"type":"Object","reason":"too large for redaction"}}"#;
        assert!(
            is_hashed != is_named && is_named == (lists > 1),
            "{field} {lists}: {redacted}"
        );
    }
    // All records of a body share the bound.
    let put = |key: usize| {
        let value = lists_of_a_buffer(6, 90_000, 1);
        format!(r#"{{"put":{{"store":"s","key":{key},"value":{value}}}}}"#)
    };
    let puts: Vec<String> = (0..40).map(put).collect();
    let body = commit(&puts.join(","));
    let redaction = redaction(&["/secret/*"], How::Hash);
    work::take();
    let redacted = redaction.body(ORIGIN, &body);
    let work = work::take();
    assert!(work < 4 * MAX_LOOKS * BYTES_A_LOOK, "{work}");
    assert!(redacted.contains("hash-") && redacted.contains("too large for redaction"));
}

/// The body of a commit with these operations.
fn commit(operations: &str) -> String {
    format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{operations}]}}}}"#
    )
}

#[test]
fn hash_of_a_long_list_does_not_tell_how_its_buffers_are_shared() {
    for times in [2, 20] {
        let typed = lists_of_a_buffer(1, 90_000, times);
        let shared = typed.find(r#"{"$bytes""#).expect("a buffer");
        let buffer = &typed[shared..typed.find(r#"}},"secret""#).expect("its end")];
        let apart = typed.replace(r#"{"$ref":1}"#, buffer);
        let hash = |typed: &str| {
            let redacted = value(&["/secret"], How::Hash, typed);
            redacted[redacted.rfind("hash-").expect("hashed")..].to_owned()
        };
        assert!(hash(&typed) == hash(&apart), "{times}");
    }
}

#[test]
fn work_of_names_does_not_grow_with_steps() {
    // The object is passed once for each step, and has a long name that is written with an escape.
    let long = r"\u00e9".repeat(1_000);
    let typed = format!(r#"{{"$id":{{"id":1,"value":{{"{long}":0,"a":{{"$ref":1}}}}}}}}"#);
    let deep = "/a".repeat(400) + "/k";
    work::take();
    value(&[&deep], How::Drop, &typed);
    let work = work::take();
    assert!(work < 10_000, "{work}");
}

#[test]
fn redaction_depth_does_not_grow_with_boxes() {
    let mut typed = r#"{"list":["#.to_owned();
    for id in 2..=6_000 {
        let _infallible = write!(
            typed,
            r#"{{"$id":{{"id":{id},"value":{{"$boxed":{{"$ref":{}}}}}}}}},"#,
            id - 1
        );
    }
    typed += r#"{"$id":{"id":1,"value":{"$boxed":1}}}],"secret":{"$ref":6000}}"#;
    // Two frames for each box would not fit.
    let small = thread::Builder::new().stack_size(512 << 10);
    let worker = small.spawn(move || {
        value(&["/secret/a"], How::Hash, &typed);
        value(&["/secret"], How::Hash, &typed);
    });
    worker.expect("a thread").join().expect("no panic");
}

#[test]
fn form_that_no_encoder_writes_is_unreadable() {
    let members = |count: usize| r#""m":0,"#.repeat(count);
    let bytes = |count| {
        format!(
            r#"{{"$bytes":{{{}"type":"ArrayBuffer","base64":""}}}}"#,
            members(count)
        )
    };
    for (content, is_readable) in [
        (r#"{"$id":{"id":1,"value":{}}}"#.to_owned(), true),
        (
            format!(r#"{{"$id":{{"id":1,{}"value":{{}}}}}}"#, members(1)),
            false,
        ),
        (r#"{"$id":{"id":1,"value":{"$ref":2}}}"#.to_owned(), false),
        (
            r#"{"$id":{"id":1,"value":{"$id":{"id":2,"value":{}}}}}"#.to_owned(),
            false,
        ),
        (r#"{"$id":{"value":{}}}"#.to_owned(), false),
        (bytes(3), true),
        (bytes(MAX_PARTS), false),
        // The members of the page's own object may be as many as it likes.
        (format!(r#"{{{}"a":0}}"#, members(MAX_PARTS * 2)), true),
    ] {
        let typed = format!(r#"{{"secret":1,"content":{content}}}"#);
        let redacted = value(&["/secret"], How::Mask, &typed);
        let expected = if is_readable {
            format!(r#"{{"secret":"***","content":{content}}}"#)
        } else {
            r#"{"$opaque":{"type":"Object","reason":"unreadable for redaction"}}"#.to_owned()
        };
        assert_eq!(redacted, expected, "{content}");
    }
}

#[test]
fn references_are_counted_however_they_are_spelled() {
    // It leads to itself at each of the steps, for each of its members.
    let deep = "/a".repeat(400) + "/k";
    let members = r#""m":0,"#.repeat(MAX_RECORD_LOOKS / 400);
    let typed = format!(r#"{{"$id":{{"id":1,"value":{{{members}"a":{{ "$ref" :1}}}}}}}}"#);
    assert_eq!(
        value(&[&deep], How::Drop, &typed),
        r#"{"$opaque":{"type":"Object","reason":"too large for redaction"}}"#
    );
}

#[test]
fn work_of_marks_does_not_grow_with_their_depth() {
    // A field leads to each level.
    let nested = |levels: usize| {
        let inner = format!("[{}0]", "[],".repeat(2_000));
        let typed = format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        let fields: Vec<String> = (1..=levels).map(|steps| "/0".repeat(steps)).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        work::take();
        value(&fields, How::Mask, &typed);
        work::take()
    };
    let (few, many) = (nested(5), nested(15));
    assert!(many < 2 * few, "{few} {many}");
}

#[test]
fn key_paths_of_a_body_are_compared_within_a_bound() {
    let redaction = redaction(&["@key"], How::Hash);
    let create = |store: usize, paths: usize| {
        let paths: Vec<String> = (0..paths).map(|path| format!("\"p{path}\"")).collect();
        format!(
            r#"{{"schema":{{"store":"s{store}","change":{{"create_store":{{"key_path":[{}],"auto_increment":false}}}}}}}}"#,
            paths.join(",")
        )
    };
    let upgrade = |stores: usize, paths: usize| {
        let operations: Vec<String> = (0..stores).map(|store| create(store, paths)).collect();
        let last = r#"{"put":{"store":"s0","key":1,"value":{}}}"#;
        commit(&format!("{},{last}", operations.join(",")))
    };
    work::take();
    assert_ne!(
        redaction.body(ORIGIN, &upgrade(9, MAX_PATHS)),
        r#"{"commit":null}"#
    );
    // Too many paths in one store, and too many stores with many.
    for (stores, paths) in [(1, MAX_PATHS + 1), (400, MAX_PATHS)] {
        let body = upgrade(stores, paths);
        assert_eq!(
            redaction.body(ORIGIN, &body),
            r#"{"commit":null}"#,
            "{stores} {paths}"
        );
    }
    let work = work::take();
    assert!(work < 2 * MAX_LOOKS, "{work}");
}

#[test]
fn hashes_tell_values_apart_and_not_where_they_stand() {
    let hash = |typed: &str| {
        let redacted = value(&["/a"], How::Hash, typed);
        let at = redacted.find(r#""a":"hash-"#).expect("hashed");
        redacted[at..at + 42].to_owned()
    };
    let long = "x".repeat(100);
    let same = [
        format!(r#"{{"a":{{"p":{{"x":"{long}"}},"q":{{"x":"{long}"}}}}}}"#),
        format!(r#"{{"a":{{"p":{{"$id":{{"id":1,"value":{{"x":"{long}"}}}}}},"q":{{"$ref":1}}}}}}"#),
        format!(
            r#"{{"z":{{"$id":{{"id":1,"value":{{"x":"{long}"}}}}}},"a":{{"p":{{"$ref":1}},"q":{{"$ref":1}}}}}}"#
        ),
    ];
    assert!(same.iter().all(|typed| hash(typed) == hash(&same[0])));
    assert_ne!(hash(&same[0]), hash(&same[0].replacen("xx", "xy", 1)));
    // A cycle, entered at the same object from two places; then with something else in it, far from
    // there.
    let ring = |first: &str, last: &str| {
        format!(
            r#"{{"a":{first},"b":{{"$id":{{"id":1,"value":{{"n":1,"next":{{"n":2,"next":{{"n":3,"next":{{"n":{last},"next":{{"$ref":1}}}}}}}}}}}}}}}}"#
        )
    };
    let inside = r#"{"a":{"$id":{"id":1,"value":{"n":1,"next":{"n":2,"next":{"n":3,"next":{"n":4,"next":{"$ref":1}}}}}}}}"#;
    let shared_twice = r#"{"a":{"$id":{"id":1,"value":{"n":1,"next":{"n":2,"next":{"$id":{"id":2,"value":{"n":3,"next":{"n":4,"next":{"$ref":1}}}}}}}}},"c":{"$ref":2}}"#;
    assert_eq!(hash(&ring(r#"{"$ref":1}"#, "4")), hash(inside));
    assert_eq!(hash(shared_twice), hash(inside));
    assert_ne!(hash(&ring(r#"{"$ref":1}"#, "5")), hash(inside));
    // Keys in fields have the hashes of keys, also where they are shared.
    let date = r#"{"$date":"2026-01-31T12:00:00.000Z"}"#;
    let key = format!(r#"{{"a":[[{date},"{long}"]]}}"#);
    let shared = format!(r#"{{"b":{{"$id":{{"id":1,"value":{date}}}}},"a":[[{{"$ref":1}},"{long}"]]}}"#);
    assert_eq!(hash(&key), hash(&shared));
    assert_ne!(hash(&key), hash(&key.replace("01-31", "01-30")));
}

#[test]
fn field_has_the_hash_of_a_key_up_to_the_longest_key() {
    let redaction = redaction(&["/a"], How::Hash);
    let path = path("\"a\"");
    // Brackets and quotes take two bytes a level.
    let cases = [0, 1, 3].into_iter();
    for (levels, bytes) in cases.flat_map(|levels| [(levels, MAX_TEXT), (levels, MAX_TEXT + 1)]) {
        let text = "x".repeat(bytes - 2 * levels - 2);
        let key = format!("{}\"{text}\"{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(key.len(), bytes);
        let redacted = redaction.value(store("d", "s", None), &format!(r#"{{"a":{key}}}"#));
        let redacted = redacted.expect("redacted");
        let hashed = redaction.key(store("d", "s", Some(&path)), &key);
        let hashed = hashed.expect("a key").expect("hashed");
        assert_eq!(
            redacted.contains(&hashed),
            bytes <= MAX_TEXT,
            "{bytes} bytes at {levels}: {redacted} {hashed}"
        );
    }
}
