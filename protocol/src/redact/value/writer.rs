//! Writes the rest of a redacted value.

use std::collections::HashMap;

use super::{
    digest::Digests,
    form::{Form, address, elements, form},
    marks::Marks,
};
use crate::{
    json::{self, Json},
    redact::{MASK, Treatment as How, hash::Hasher, work},
};

pub(super) struct Writer<'m, 'j, 'a> {
    out: String,
    marks: &'m Marks<'j, 'a>,
    hasher: &'m Hasher,
    /// Read when the first value is hashed.
    digests: Option<Digests<'m, 'j, 'a>>,
    /// The hashes of shared objects, by address: each is made once.
    hashes: HashMap<usize, String>,
    /// How long the text may become, in bytes. The rest is not written.
    limit: usize,
    /// How many bytes may still be hashed by reference.
    left: usize,
    is_spent: bool,
}

/// Why a redacted value is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its text would be longer than it may be.
    TooLong,
    /// Too much would be hashed.
    TooMuch,
}

impl<'m, 'j, 'a> Writer<'m, 'j, 'a> {
    /// A writer for a text of about `length` bytes and at most `limit`, for which at most `left`
    /// are hashed by reference.
    pub(super) fn new(
        marks: &'m Marks<'j, 'a>,
        hasher: &'m Hasher,
        length: usize,
        (limit, left): (usize, usize),
    ) -> Self {
        Self {
            out: String::with_capacity(length),
            marks,
            hasher,
            digests: None,
            hashes: HashMap::new(),
            limit,
            left,
            is_spent: false,
        }
    }

    /// How many bytes may still be hashed by reference.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    pub(super) fn finish(self) -> Result<String, Refusal> {
        if self.is_spent {
            Err(Refusal::TooMuch)
        } else if self.out.len() > self.limit {
            Err(Refusal::TooLong)
        } else {
            Ok(self.out)
        }
    }

    pub(super) fn value(&mut self, json: &'j Json<'a>) {
        work::count(1);
        if self.out.len() > self.limit || self.is_spent {
            return;
        }
        match self.marks.of(json) {
            Some(How::Hash(rule)) => self.hash(rule, json),
            Some(How::Mask) => self.quote(MASK),
            // A caller that could leave it out has not asked for it.
            Some(How::Drop) => self.out.push_str("null"),
            None => self.content(json),
        }
    }

    fn hash(&mut self, rule: usize, json: &'j Json<'a>) {
        let place = address(self.marks.shared().place(json));
        if !self.hashes.contains_key(&place) {
            let shared = self.marks.shared();
            let digests = self.digests.get_or_insert_with(|| Digests::new(shared));
            let Some(text) = digests.of(json, &mut self.left) else {
                self.is_spent = true;
                self.left = 0;
                return;
            };
            work::count(text.len());
            let hash = self.hasher.value(rule, &text);
            // All other places are written once.
            if matches!(form(shared.place(json)), Form::Typed("$id", _)) {
                self.hashes.insert(place, hash.clone());
            }
            return self.quote(&hash);
        }
        if let Some(hash) = self.hashes.get(&place) {
            let hash = hash.clone();
            self.quote(&hash);
        }
    }

    fn quote(&mut self, text: &str) {
        self.out.push('"');
        self.out.push_str(text);
        self.out.push('"');
    }

    fn stays(&self, json: &'j Json<'a>) -> bool {
        self.marks.of(json) != Some(How::Drop)
    }

    fn content(&mut self, json: &'j Json<'a>) {
        match form(json) {
            Form::Array(items) => self.list(items.iter()),
            Form::Plain(members) => self.plain(members),
            Form::Typed("$set", Json::Array(items)) => {
                self.out.push_str(r#"{"$set":"#);
                let marks = self.marks;
                self.list(items.iter().filter(|item| marks.of(item) != Some(How::Drop)));
                self.out.push('}');
            }
            Form::Typed("$map", Json::Array(pairs)) => {
                self.out.push_str(r#"{"$map":["#);
                let mut first = true;
                for pair in pairs.iter().map(elements) {
                    if pair.last().is_some_and(|value| self.stays(value)) {
                        self.comma(&mut first);
                        self.list(pair.iter());
                    }
                }
                self.out.push_str("]}");
            }
            Form::Typed("$sparse", Json::Object(parts)) => {
                self.out.push_str(r#"{"$sparse":{"#);
                let mut first = true;
                for (name, part) in parts {
                    self.comma(&mut first);
                    self.out.push_str(name);
                    self.out.push(':');
                    match part {
                        Json::Object(members) if *name == r#""items""# => {
                            self.members(members);
                        }
                        part => part.write(&mut self.out),
                    }
                }
                self.out.push_str("}}");
            }
            Form::Typed(form @ ("$id" | "$error" | "$bytes" | "$platform"), Json::Object(parts)) => {
                self.out.push_str("{\"");
                self.out.push_str(form);
                self.out.push_str("\":{");
                let mut first = true;
                for (name, part) in parts {
                    let typed =
                        form == "$platform" || matches!(*name, r#""value""# | r#""cause""# | r#""buffer""#);
                    if typed && !self.stays(part) {
                        continue;
                    }
                    self.comma(&mut first);
                    self.out.push_str(name);
                    self.out.push(':');
                    if typed {
                        self.value(part);
                    } else {
                        part.write(&mut self.out);
                    }
                }
                self.out.push_str("}}");
            }
            // Nothing inside that could be marked.
            Form::Scalar | Form::Typed(..) => json.write(&mut self.out),
        }
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push(',');
        }
    }

    fn list(&mut self, items: impl Iterator<Item = &'j Json<'a>>) {
        self.out.push('[');
        let mut first = true;
        for item in items {
            self.comma(&mut first);
            self.value(item);
        }
        self.out.push(']');
    }

    /// The rest of a plain object. One that now looks like another form is escaped.
    fn plain(&mut self, members: &'j [(&'a str, Json<'a>)]) {
        let mut left = members.iter().filter(|(_, value)| self.stays(value));
        let escaped = match (left.next(), left.next()) {
            (Some((name, _)), None) => json::unquoted(name).starts_with('$'),
            _ => false,
        };
        if escaped {
            self.out.push_str(r#"{"$object":"#);
        }
        self.members(members);
        if escaped {
            self.out.push('}');
        }
    }

    fn members(&mut self, members: &'j [(&'a str, Json<'a>)]) {
        self.out.push('{');
        let mut first = true;
        for (name, value) in members {
            if self.stays(value) {
                self.comma(&mut first);
                self.out.push_str(name);
                self.out.push(':');
                self.value(value);
            }
        }
        self.out.push('}');
    }
}
