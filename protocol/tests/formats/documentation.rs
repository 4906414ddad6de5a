//! Holds `docs/formats.md` and the JSON Schemas to the code, and the code to them.

// A test that cannot read its own inputs has failed, and says so best by panicking.
#![allow(clippy::expect_used)]

use protocol::{
    event::Event,
    key::Key,
    name::{Names, Template},
    value::plain,
};
use serde_json::Value;

// The package is called idb-relay-protocol; the workspace knows it as `protocol`.
use idb_relay_protocol as protocol;

const FORMATS: &str = include_str!("../../../docs/formats.md");

fn schema(text: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(text).expect("a schema is JSON")).expect("a schema")
}

fn value_schema() -> jsonschema::Validator {
    schema(include_str!("../../../docs/schema/value.schema.json"))
}

fn event_schema() -> jsonschema::Validator {
    schema(include_str!("../../../docs/schema/event.schema.json"))
}

/// The part of the page between a heading and the next one.
fn section(heading: &str) -> &'static str {
    let (_, rest) = FORMATS
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading:?}"));
    rest.split("\n#").next().expect("a split has a first part")
}

/// The pieces of code in a table's cells, row by row.
fn rows(section: &str) -> Vec<Vec<Vec<&str>>> {
    section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells
                .map(|cell| cell.split('`').skip(1).step_by(2).collect())
                .collect()
        })
        .collect()
}

#[test]
fn every_typed_form_on_the_page_is_one() {
    let schema = value_schema();
    let rows = rows(section("### Typed"));
    assert_eq!(rows.len(), 17, "a row for each line of the table");
    for row in rows {
        for example in &row[0] {
            let value: Value = serde_json::from_str(example).expect("an example is JSON");
            assert!(schema.is_valid(&value), "{example}");
            plain(example, 1000).unwrap_or_else(|error| panic!("{example}: {error}"));
        }
    }
}

#[test]
fn the_schema_refuses_what_is_no_typed_value() {
    let schema = value_schema();
    for text in [
        r#"{"$date":1}"#,
        r#"{"$unknown":1}"#,
        r#"[{"$number":1}]"#,
        r#"{"a":{"$bytes":{"type":"Uint8Array","base64":"A"}}}"#,
        r#"{"$object":{"a":1}}"#,
        r#"{"$map":[[1]]}"#,
    ] {
        assert!(
            !schema.is_valid(&serde_json::from_str(text).expect("JSON")),
            "{text}"
        );
    }
    // More than one member makes it a plain object, with any names.
    for text in [r#"{"$date":1,"a":2}"#, "{}", r#"{"":{"$ref":1}}"#] {
        assert!(
            schema.is_valid(&serde_json::from_str(text).expect("JSON")),
            "{text}"
        );
    }
}

#[test]
fn plain_forms_are_as_the_page_says() {
    let rows = rows(section("### Plain"));
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(plain(row[0][0], 1000).expect("a plain form"), row[1][0]);
    }
}

#[test]
fn keys_on_the_page_are_canonical() {
    let examples: Vec<&str> = section("## Keys")
        .lines()
        .nth(1)
        .expect("a first line")
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    assert_eq!(examples.len(), 6);
    for example in examples {
        assert_eq!(Key::parse(example).expect("a key").to_string(), example);
    }
}

#[test]
fn names_are_as_the_page_says() {
    let template = Template::memcached_key("idb:{origin}:{database}:{store}:{key}").expect("the default");
    let names = Names {
        origin: "http://localhost:8080",
        bucket: "",
        database: "shop",
        store: "orders",
    };
    let rows = rows(section("## Names"));
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(template.record_name(names, row[0][0]), row[1][0]);
    }
}

#[test]
fn the_event_on_the_page_is_one() {
    let (_, rest) = section("## Events").split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("an end");
    let value: Value = serde_json::from_str(example).expect("JSON");
    let schema = event_schema();
    assert!(schema.is_valid(&value));
    let event: Event<'_> = serde_json::from_str(example).expect("an event");
    let written: Value = serde_json::to_value(&event).expect("JSON");
    assert_eq!(written, value, "reading and writing loses nothing");

    // A worker that wrote is reported by its kind and its address only.
    let by_worker = |writer: Value| {
        let mut event = value.clone();
        event["source"]["writer"] = writer;
        event
    };
    let url = "http://localhost:8080/worker.js";
    for kind in ["worker", "shared_worker", "service_worker"] {
        let written = by_worker(serde_json::json!({"kind": kind, "url": url}));
        assert!(schema.is_valid(&written), "{kind}");
        let text = written.to_string();
        let event: Event<'_> = serde_json::from_str(&text).expect("an event");
        assert_eq!(serde_json::to_value(&event).expect("JSON"), written);
    }
    for wrong in [
        serde_json::json!({"kind": "page", "url": url}),
        serde_json::json!({"kind": "worker"}),
        serde_json::json!({"kind": "worker", "url": url, "id": 1}),
        serde_json::json!({"kind": "worker", "url": "a".repeat(1025)}),
    ] {
        assert!(!schema.is_valid(&by_worker(wrong.clone())), "{wrong}");
    }

    for (change, reason) in [
        (("op", Value::from("x")), "an unknown operation"),
        (("op", Value::from("t")), "a truncate with a key"),
        (("extra", Value::from(1)), "an unknown field"),
    ] {
        let mut wrong = value.clone();
        wrong[change.0] = change.1;
        assert!(!schema.is_valid(&wrong), "{reason}");
    }
}

#[test]
fn a_gap_says_how_many_and_nothing_else_does() {
    let (_, rest) = section("## Events").split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("an end");
    let write: Value = serde_json::from_str(example).expect("JSON");
    let mut gap = write.clone();
    gap["op"] = "g".into();
    gap["gap"] = 3.into();
    gap["after"] = Value::Null;
    let fields = gap.as_object_mut().expect("an object");
    for only_of_writes in ["key", "before", "transaction"] {
        fields.remove(only_of_writes);
    }
    let schema = event_schema();
    assert!(schema.is_valid(&gap));
    let text = gap.to_string();
    let event: Event<'_> = serde_json::from_str(&text).expect("an event");
    assert_eq!(event.gap, Some(3));
    let changed = |event: &Value, name: &str, value: Option<Value>| {
        let mut event = event.clone();
        let fields = event.as_object_mut().expect("an object");
        match value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
        event
    };
    for (wrong, reason) in [
        (changed(&gap, "gap", None), "a gap without a count"),
        (changed(&gap, "gap", Some(0.into())), "a gap of none"),
        (
            changed(&gap, "before", Some(1.into())),
            "a gap with a value before",
        ),
        (
            changed(&gap, "transaction", Some(write["transaction"].clone())),
            "a gap in a transaction",
        ),
        (changed(&write, "gap", Some(1.into())), "a write with a gap"),
    ] {
        assert!(!schema.is_valid(&wrong), "{reason}");
    }
}

#[test]
fn error_codes_are_all_on_the_page() {
    use protocol::wire::host::ErrorCode::{
        Config, FrameTooLong, HelloExpected, HostAway, JournalFailed, JournalFormat, JournalLocked,
        MalformedDelivery, MalformedMessage, MalformedQuestion, OriginNotCaptured, ProtocolMismatch,
        QuestionFailed,
    };
    for code in [
        ProtocolMismatch,
        HelloExpected,
        FrameTooLong,
        MalformedMessage,
        MalformedDelivery,
        OriginNotCaptured,
        Config,
        JournalLocked,
        JournalFormat,
        JournalFailed,
        MalformedQuestion,
        QuestionFailed,
        HostAway,
    ] {
        let text = serde_json::to_string(&code).expect("JSON");
        assert!(
            section("## Messages").contains(&format!("`{}`", text.trim_matches('"'))),
            "{text}"
        );
    }
}

#[test]
fn the_questions_on_the_page_are_questions() {
    let rows: Vec<_> = rows(section("### The inspector's questions"))
        .into_iter()
        .filter(|row| row[0].first().is_some_and(|cell| cell.starts_with('{')))
        .collect();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let question: Result<protocol::wire::inspector::Question, _> = serde_json::from_str(row[0][0]);
        question.unwrap_or_else(|error| panic!("{}: {error}", row[0][0]));
    }
}
