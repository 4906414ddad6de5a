use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::key::{Key, tests::any_key};

mod bodies;
mod bounds;
mod properties;
mod upgrades;
mod values;

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

const ORIGIN: &str = "https://shop.example";

/// A store of database `d` or another one.
fn store<'s>(database: &'s str, store: &'s str, key_path: Option<&'s RawValue>) -> Store<'s> {
    Store {
        origin: ORIGIN,
        database,
        store,
        key_path,
    }
}

fn value(fields: &[&str], how: How, typed: &str) -> String {
    redaction(fields, how)
        .value(store("d", "s", None), typed)
        .unwrap_or_else(|| typed.to_owned())
}

fn path(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}
