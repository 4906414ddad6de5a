//! The shared vectors, read by Rust: what the page's encoder writes is what this crate reads. The
//! browsers' side of the same file is tested in `tests/tests/browsers/vectors.rs`.

// A test that cannot read its own inputs has failed, and says so best by panicking.
#![allow(clippy::expect_used)]

use idb_relay_protocol::{json::Json, value::plain};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    name: String,
    typed: String,
    plain: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../tests/vectors/values.json")).expect("the vectors")
}

#[test]
fn plain_forms_agree() {
    let wrong: Vec<String> = vectors()
        .iter()
        .filter(|vector| plain(&vector.typed, 1 << 20).as_deref() != Ok(&vector.plain))
        .map(|vector| {
            format!(
                "{}: {} gives {:?}, not {}",
                vector.name,
                vector.typed,
                plain(&vector.typed, 1 << 20),
                vector.plain
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn typed_forms_keep_to_the_schema() {
    let schema = serde_json::from_str(include_str!("../../../docs/schema/value.schema.json")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for vector in vectors() {
        // serde_json's values cannot hold lone surrogates; the schema says nothing about strings'
        // content.
        let Ok(value) = serde_json::from_str(&vector.typed) else {
            assert!(vector.typed.contains("\\u"), "{}", vector.name);
            continue;
        };
        assert!(schema.is_valid(&value), "{}: {}", vector.name, vector.typed);
    }
}

#[test]
fn typed_forms_are_written_as_they_were_read() {
    for vector in vectors() {
        let mut text = String::new();
        Json::parse(&vector.typed).expect("JSON").write(&mut text);
        assert_eq!(text, vector.typed, "{}", vector.name);
    }
}
