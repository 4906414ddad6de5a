//! The shared vectors, read by Rust: what the page's encoder writes is what this crate reads. The
//! browsers' side of the same file is tested in `tests/tests/browsers/vectors.rs`.

// A test that cannot read its own inputs has failed, and says so best by panicking.
#![allow(clippy::expect_used)]

use idb_relay_protocol::{digest::RecordsDigest, json::Json, key::Key, value::plain};
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

#[derive(Deserialize)]
struct DigestVector {
    name: String,
    records: Vec<RecordTexts>,
    digest: String,
}

#[derive(Deserialize)]
struct RecordTexts {
    key: String,
    value: String,
}

#[test]
fn digests_agree() {
    let vectors: Vec<DigestVector> =
        serde_json::from_str(include_str!("../../../tests/vectors/digests.json")).expect("the vectors");
    assert!(vectors.len() > 5);
    for DigestVector {
        name,
        records,
        digest,
    } in vectors
    {
        let mut made = RecordsDigest::default();
        for RecordTexts { key, value } in &records {
            // The host has the key in bytes, and writes its text.
            let bytes = Key::parse(key).expect(&name).to_bytes();
            let text = Key::from_bytes(&bytes).expect(&name).to_string();
            assert_eq!(&text, key, "{name}");
            made.add(&text, value);
        }
        assert_eq!(made.records(), records.len() as u64);
        assert_eq!(made.finish(), digest, "{name}");
    }
}
