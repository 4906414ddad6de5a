//! A value without references, for hashing.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
};

use super::form::{Form, Shared, address, form};
use crate::json::Json;

/// How deep references are followed into each other. What lies deeper does not count.
const MAX_DEPTH: usize = 256;

/// Writes a value without references, for hashing: equal values have equal texts, wherever they stand.
pub(super) struct Expansion<'m, 'j, 'a> {
    shared: &'m Shared<'j, 'a>,
    /// Shared objects that were written, in order.
    visited: HashMap<usize, usize>,
}

impl<'m, 'j, 'a> Expansion<'m, 'j, 'a> {
    pub(super) fn new(shared: &'m Shared<'j, 'a>) -> Self {
        Self {
            shared,
            visited: HashMap::new(),
        }
    }

    pub(super) fn write(&mut self, json: &'j Json<'a>, depth: usize, out: &mut String) {
        let place = self.shared.place(json);
        if let Form::Typed("$id", content) = form(place) {
            let next = self.visited.len();
            match self.visited.entry(address(place)) {
                Entry::Occupied(known) => {
                    let _infallible = write!(out, r#"{{"$ref":{}}}"#, known.get());
                }
                Entry::Vacant(new) => {
                    new.insert(next);
                    match content.get("value") {
                        Some(value) if depth < MAX_DEPTH => self.write(value, depth + 1, out),
                        _ => out.push_str("null"),
                    }
                }
            }
            return;
        }
        self.parts(place, depth, out);
    }

    /// Also of what is no typed value itself, such as the pairs of a map.
    fn parts(&mut self, json: &'j Json<'a>, depth: usize, out: &mut String) {
        match json {
            Json::Array(items) => {
                out.push('[');
                for item in items {
                    self.write(item, depth, out);
                    out.push(',');
                }
                if !items.is_empty() {
                    out.pop();
                }
                out.push(']');
            }
            Json::Object(members) => {
                // What is escaped is no other form, whatever it looks like.
                let escaped = matches!(&members[..], [(r#""$object""#, _)]);
                out.push('{');
                for (name, value) in members {
                    out.push_str(name);
                    out.push(':');
                    if escaped {
                        self.parts(value, depth, out);
                    } else {
                        self.write(value, depth, out);
                    }
                    out.push(',');
                }
                if !members.is_empty() {
                    out.pop();
                }
                out.push('}');
            }
            scalar => scalar.write(out),
        }
    }
}
