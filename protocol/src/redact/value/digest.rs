//! What of a value is hashed: a text that is the same for equal values, wherever they stand.
//!
//! In that text an object or array of more than [`SHORT`] bytes is replaced by its digest, shared
//! or not. So each object is written once, however many others refer to it, and the work is linear
//! in the length of the record.
//!
//! **Invariants:**
//! - No reference is followed by recursion: what is shared has its digest before anything that
//!   refers to it is written. So no stack grows deeper than the JSON text nests.
//! - Whether an object has an `$id`, and where it stands first, changes no text.
//!
//! What looks like a key is the exception: its text has all that it refers to, written out. So such
//! a text has a bound ([`MAX_TEXT`]), and so has what all of them write by reference.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
};

use sha2::{Digest as _, Sha256};

use super::{
    components::components,
    form::{Form, Shared, address, form},
};
use crate::{json::Json, key::MAX_TEXT, redact::work};

/// What is not longer stands in the text of its parent as it is. A digest has as many digits.
const SHORT: usize = 64;

/// How often the members of a cycle are described by the descriptions of what they refer to.
const ROUNDS: usize = 3;

/// Stands for a member of a cycle that has not been described yet.
const MEMBER: &str = "~";

/// Texts of the values in one record.
pub(super) struct Digests<'m, 'j, 'a> {
    shared: &'m Shared<'j, 'a>,
    /// What stands for shared objects and for members of cycles in the text of their parents, by
    /// address.
    known: HashMap<usize, String>,
}

/// Why a value is not written as a key.
enum NoKey {
    /// It is none, or one longer than any that is kept.
    Other,
    /// References would be written out for more bytes than are left.
    Spent,
}

impl<'m, 'j, 'a> Digests<'m, 'j, 'a> {
    /// Reads all shared objects of the record.
    pub(super) fn new(shared: &'m Shared<'j, 'a>) -> Self {
        let mut digests = Self {
            shared,
            known: HashMap::new(),
        };
        let objects: Vec<&Json<'_>> = shared.all().map(|json| digests.object(json)).collect();
        let indices: HashMap<usize, usize> =
            (0..).zip(&objects).map(|(i, json)| (address(json), i)).collect();
        let edges: Vec<Vec<usize>> = objects
            .iter()
            .map(|object| digests.referents(object, &indices))
            .collect();
        for component in components(&edges) {
            match component[..] {
                [single] if !edges[single].contains(&single) => {
                    let text = shortened(digests.text(objects[single]));
                    digests.known.insert(address(objects[single]), text);
                }
                _ => {
                    let shared: Vec<_> = component.iter().map(|index| objects[*index]).collect();
                    digests.describe_cycle(&shared);
                }
            }
        }
        digests
    }

    /// The text of a value. `left`: how many bytes may still be written for references in keys;
    /// `None` if these are too few.
    pub(super) fn of(&self, json: &'j Json<'a>, left: &mut usize) -> Option<String> {
        let object = self.object(json);
        let mut key = String::new();
        match self.write_key(object, &mut key, left) {
            Ok(()) => Some(key),
            Err(NoKey::Other) => Some(self.text(object)),
            Err(NoKey::Spent) => None,
        }
    }

    /// What a place holds, without the `$id` around it.
    fn object(&self, json: &'j Json<'a>) -> &'j Json<'a> {
        let place = self.shared.place(json);
        match form(place) {
            Form::Typed("$id", content) => content.get("value").unwrap_or(place),
            _ => place,
        }
    }

    /// The shared objects that an object refers to, with those that stand inside of it, by their
    /// indices.
    fn referents(&self, object: &'j Json<'a>, indices: &HashMap<usize, usize>) -> Vec<usize> {
        let mut found = HashSet::new();
        let mut rest = vec![object];
        while let Some(json) = rest.pop() {
            work::count(1);
            for child in children(json) {
                let target = self.object(child);
                if std::ptr::eq(target, child) {
                    rest.push(child);
                } else {
                    found.extend(indices.get(&address(target)).copied());
                }
            }
        }
        let mut found: Vec<usize> = found.into_iter().collect();
        found.sort_unstable();
        found
    }

    /// An object's own text.
    fn text(&self, object: &'j Json<'a>) -> String {
        let mut out = String::new();
        self.write_parts(object, &mut out);
        out
    }

    fn write_parts(&self, json: &'j Json<'a>, out: &mut String) {
        work::count(1);
        match escaped(json) {
            Some(object) => {
                out.push_str(r#"{"$object":"#);
                self.write_children(object, out);
                out.push('}');
            }
            None => self.write_children(json, out),
        }
    }

    fn write_children(&self, json: &'j Json<'a>, out: &mut String) {
        match json {
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    self.write_child(item, out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(name);
                    out.push(':');
                    self.write_child(value, out);
                }
                out.push('}');
            }
            scalar => scalar.write(out),
        }
    }

    fn write_child(&self, json: &'j Json<'a>, out: &mut String) {
        let object = self.object(json);
        if let Some(known) = self.known.get(&address(object)) {
            out.push_str(known);
        } else if !std::ptr::eq(object, json) {
            // It refers to what no encoder writes.
            out.push_str("null");
        } else if matches!(json, Json::Array(_) | Json::Object(_)) {
            out.push_str(&shortened(self.text(json)));
        } else {
            json.write(out);
        }
    }

    /// Describes objects that lead to each other: each by what it holds, by what the others hold as
    /// seen from it, and by all of them together. Objects that differ only in who refers to whom
    /// far away may look alike.
    fn describe_cycle(&mut self, shared: &[&'j Json<'a>]) {
        let inside: HashSet<usize> = shared.iter().map(|json| address(json)).collect();
        let mut members: BTreeMap<usize, &'j Json<'a>> = BTreeMap::new();
        for object in shared {
            self.find_members(object, &inside, &mut members);
        }
        let mut descriptions: Vec<String> = members.values().map(|_| MEMBER.to_owned()).collect();
        for _ in 0..ROUNDS {
            self.know(&members, &descriptions);
            descriptions = members
                .values()
                .map(|member| digest(&self.text(member)))
                .collect();
        }
        let mut all = descriptions.clone();
        all.sort_unstable();
        let all = digest(&all.concat());
        let whole: Vec<String> = descriptions
            .iter()
            .map(|own| digest(&format!("{own}{all}")))
            .collect();
        self.know(&members, &whole);
    }

    fn know(&mut self, members: &BTreeMap<usize, &'j Json<'a>>, texts: &[String]) {
        self.known
            .extend(members.keys().copied().zip(texts.iter().cloned()));
    }

    /// Finds the objects on the way from an object back to the cycle; whether there is such a way.
    fn find_members(
        &self,
        json: &'j Json<'a>,
        inside: &HashSet<usize>,
        members: &mut BTreeMap<usize, &'j Json<'a>>,
    ) -> bool {
        work::count(1);
        let mut leads_back = false;
        for child in children(json) {
            let target = self.object(child);
            leads_back |= if std::ptr::eq(target, child) {
                self.find_members(child, inside, members)
            } else {
                inside.contains(&address(target))
            };
        }
        if leads_back {
            members.insert(address(json), json);
        }
        leads_back
    }

    /// Writes what a key looks like, and may be one: a key in a field has the hash of the key.
    fn write_key(&self, json: &'j Json<'a>, out: &mut String, left: &mut usize) -> Result<(), NoKey> {
        work::count(1);
        let Json::Array(items) = json else {
            let parts = leaf(json).ok_or(NoKey::Other)?;
            let before = out.len();
            out.extend(parts);
            work::count(out.len() - before);
            return Ok(());
        };
        out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            let object = self.object(item);
            let is_reference = !std::ptr::eq(object, item);
            let length = leaf(object).map_or(0, |parts| parts.map(str::len).iter().sum());
            // Other arrays at another place are in no key.
            if out.len() + length > MAX_TEXT || is_reference && matches!(object, Json::Array(_)) {
                return Err(NoKey::Other);
            }
            if is_reference {
                *left = left.checked_sub(length).ok_or(NoKey::Spent)?;
            }
            self.write_key(object, out, left)?;
        }
        out.push(']');
        if out.len() > MAX_TEXT {
            return Err(NoKey::Other);
        }
        Ok(())
    }
}

/// The text of a number, string, date or buffer, in pieces.
fn leaf<'a>(json: &Json<'a>) -> Option<[&'a str; 3]> {
    match json {
        Json::Number(literal) | Json::String(literal) => Some(["", literal, ""]),
        _ => match form(json) {
            Form::Typed("$date", Json::String(literal)) => Some([r#"{"$date":"#, literal, "}"]),
            Form::Typed("$number", Json::String(literal)) => Some([r#"{"$number":"#, literal, "}"]),
            Form::Typed("$bytes", content) if content.get("buffer").is_none() => {
                match content.get("base64")? {
                    Json::String(literal) => Some([r#"{"$bytes":{"base64":"#, literal, "}}"]),
                    _ => None,
                }
            }
            _ => None,
        },
    }
}

/// The object within a `$object`: it has no other form.
fn escaped<'j, 'a>(json: &'j Json<'a>) -> Option<&'j Json<'a>> {
    let Json::Object(members) = json else { return None };
    match &members[..] {
        [(r#""$object""#, object)] => Some(object),
        _ => None,
    }
}

/// The values that stand directly inside of one.
fn children<'j, 'a>(json: &'j Json<'a>) -> Vec<&'j Json<'a>> {
    match escaped(json).unwrap_or(json) {
        Json::Array(items) => items.iter().collect(),
        Json::Object(members) => members.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

/// A text as it stands in that of its parent. JSON has nothing that begins as a digest does here.
fn shortened(text: String) -> String {
    if text.len() > SHORT { digest(&text) } else { text }
}

fn digest(text: &str) -> String {
    work::count(text.len());
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold("#".to_owned(), |mut digits, byte| {
        let _infallible = write!(digits, "{byte:02x}");
        digits
    })
}
