//! Typed values: finding what is redacted, and writing what is left.
//!
//! First every place that a pointer leads to is marked, references followed. Then the marks spread: an object that stands inside of
//! a marked place is marked itself, wherever its other places are, until nothing new is found. What is then written has no
//! reference to anything that is not there.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt::Write as _,
};

use super::{How, MASK, hash::Hasher, pointer::Step};
use crate::json::{self, Json};

/// How deep references are followed into each other when a value is hashed. What lies deeper does not count.
const MAX_DEPTH: usize = 256;

/// What can be written in the place of a value that cannot be read.
const UNREADABLE: &str = r#"{"$opaque":{"type":"Object","reason":"unreadable for redaction"}}"#;

/// The value with these fields redacted.
pub(super) fn redacted(typed: &str, fields: &[(Vec<Step>, How)], hasher: &Hasher) -> String {
    let Ok(root) = Json::parse(typed) else {
        return UNREADABLE.to_owned();
    };
    let Some(shared) = Shared::of(&root) else {
        return UNREADABLE.to_owned();
    };
    let mut marks = Marks {
        shared,
        marked: HashMap::new(),
        seen: HashSet::new(),
    };
    for (index, (steps, how)) in fields.iter().enumerate() {
        marks.follow(&root, index, steps, *how);
    }
    if marks.marked.is_empty() {
        return typed.to_owned();
    }
    marks.spread();
    let mut writer = Writer {
        out: String::with_capacity(typed.len()),
        marks: &marks,
        hasher,
    };
    if marks.of(&root) == Some(How::Drop) {
        writer.out.push_str("null");
    } else {
        writer.value(&root);
    }
    writer.out
}

/// What a typed value is made of, as far as pointers and marks are concerned.
enum Form<'j, 'a> {
    /// Nothing inside.
    Scalar,
    Array(&'j [Json<'a>]),
    /// A plain object, escaped or not.
    Plain(&'j [(&'a str, Json<'a>)]),
    /// One of the other forms: its name without quotes, and its content.
    Typed(&'a str, &'j Json<'a>),
}

fn form<'j, 'a>(json: &'j Json<'a>) -> Form<'j, 'a> {
    match json {
        Json::Array(items) => Form::Array(items),
        Json::Object(members) => match &members[..] {
            [(name, content)] if json::unquoted(name).starts_with('$') => {
                match (json::unquoted(name), content) {
                    ("$object", Json::Object(members)) => Form::Plain(members),
                    (name, content) => Form::Typed(name, content),
                }
            }
            members => Form::Plain(members),
        },
        _ => Form::Scalar,
    }
}

/// The typed values directly inside of one, in order.
fn inside<'j, 'a>(json: &'j Json<'a>) -> Vec<&'j Json<'a>> {
    match form(json) {
        Form::Array(items) => items.iter().collect(),
        Form::Plain(members) => members.iter().map(|(_, value)| value).collect(),
        Form::Typed("$map", Json::Array(pairs)) => pairs.iter().flat_map(elements).collect(),
        Form::Typed("$set", Json::Array(items)) => items.iter().collect(),
        Form::Typed("$boxed", content) => vec![content],
        Form::Typed("$id", content) => content.get("value").into_iter().collect(),
        Form::Typed("$error", content) => content.get("cause").into_iter().collect(),
        Form::Typed("$bytes", content) => content.get("buffer").into_iter().collect(),
        Form::Typed("$sparse", content) => items(content).iter().map(|(_, value)| value).collect(),
        Form::Typed("$platform", Json::Object(members)) => members.iter().map(|(_, value)| value).collect(),
        Form::Scalar | Form::Typed(..) => Vec::new(),
    }
}

/// The elements of an array; of anything else none.
fn elements<'j, 'a>(json: &'j Json<'a>) -> &'j [Json<'a>] {
    match json {
        Json::Array(items) => items,
        _ => &[],
    }
}

/// The items of a `$sparse`.
fn items<'j, 'a>(content: &'j Json<'a>) -> &'j [(&'a str, Json<'a>)] {
    match content.get("items") {
        Some(Json::Object(members)) => members,
        _ => &[],
    }
}

/// The id of a `$ref`.
fn reference<'a>(json: &Json<'a>) -> Option<&'a str> {
    match form(json) {
        Form::Typed("$ref", Json::Number(id)) => Some(id),
        _ => None,
    }
}

/// Whether all keys of a map are strings: then its plain form is an object.
fn has_names(pairs: &[Json<'_>]) -> bool {
    pairs
        .iter()
        .all(|pair| matches!(elements(pair), [Json::String(_), _]))
}

/// A node of the tree; it neither moves nor changes while it is looked at.
fn address(json: &Json<'_>) -> usize {
    std::ptr::from_ref(json).addr()
}

/// The first places of objects that occur more than once: the `$id`s by their ids.
struct Shared<'j, 'a>(HashMap<&'a str, &'j Json<'a>>);

impl<'j, 'a> Shared<'j, 'a> {
    /// `None` if an id names two objects, which no encoder writes.
    fn of(root: &'j Json<'a>) -> Option<Self> {
        let mut shared = HashMap::new();
        let mut rest = vec![root];
        while let Some(json) = rest.pop() {
            if let Form::Typed("$id", content) = form(json)
                && let Some(Json::Number(id)) = content.get("id")
                && shared.insert(*id, json).is_some()
            {
                return None;
            }
            rest.extend(inside(json));
        }
        Some(Self(shared))
    }

    /// What stands at this place: a reference leads to its `$id`.
    fn place(&self, json: &'j Json<'a>) -> &'j Json<'a> {
        reference(json)
            .and_then(|id| self.0.get(id).copied())
            .unwrap_or(json)
    }
}

/// What is redacted.
struct Marks<'j, 'a> {
    shared: Shared<'j, 'a>,
    /// By address; a shared object by that of its `$id`.
    marked: HashMap<usize, (How, &'j Json<'a>)>,
    /// Where each field's pointer has been followed already, and from which step on: objects that share much have very many paths.
    seen: HashSet<(usize, usize, usize)>,
}

impl<'j, 'a> Marks<'j, 'a> {
    fn mark(&mut self, place: &'j Json<'a>, how: How) -> bool {
        match self.marked.get(&address(place)) {
            Some((known, _)) if *known <= how => false,
            _ => {
                self.marked.insert(address(place), (how, place));
                true
            }
        }
    }

    /// Marks what the steps lead to from here.
    fn follow(&mut self, json: &'j Json<'a>, field: usize, steps: &[Step], how: How) {
        let place = self.shared.place(json);
        let Some((step, rest)) = steps.split_first() else {
            self.mark(place, how);
            return;
        };
        if !self.seen.insert((address(place), field, steps.len())) {
            return;
        }
        let content = match form(place) {
            Form::Typed("$id", content) => match content.get("value") {
                Some(value) => value,
                None => return,
            },
            _ => place,
        };
        match form(content) {
            Form::Plain(members) => self.follow_members(members, field, step, rest, how),
            Form::Array(items) => self.follow_elements(items, field, step, rest, how),
            Form::Typed("$set", Json::Array(items)) => self.follow_elements(items, field, step, rest, how),
            Form::Typed("$sparse", content) => self.follow_members(items(content), field, step, rest, how),
            Form::Typed("$map", Json::Array(pairs)) => self.follow_pairs(pairs, field, step, rest, how),
            Form::Typed("$boxed", content) => self.follow(content, field, steps, how),
            Form::Typed("$error", _) if step.leads_into(&["name", "message", "stack", "cause"]) => {
                self.mark(place, how);
            }
            Form::Typed("$regexp", _) if step.leads_into(&["source", "flags"]) => {
                self.mark(place, how);
            }
            Form::Typed("$blob", _)
                if step.leads_into(&["type", "size", "name", "lastModified", "base64", "sha256"]) =>
            {
                self.mark(place, how);
            }
            Form::Typed("$bytes", _) if step.leads_into_bytes() => {
                self.mark(place, how);
            }
            Form::Typed("$platform", Json::Object(members))
                if step.is_index() || members.iter().any(|(name, _)| step.leads_to(name)) =>
            {
                self.mark(place, how);
            }
            Form::Scalar | Form::Typed(..) => {}
        }
    }

    fn follow_members(
        &mut self,
        members: &'j [(&'a str, Json<'a>)],
        field: usize,
        step: &Step,
        rest: &[Step],
        how: How,
    ) {
        for (_, value) in members.iter().filter(|(name, _)| step.leads_to(name)) {
            self.follow(value, field, rest, how);
        }
    }

    fn follow_elements(&mut self, items: &'j [Json<'a>], field: usize, step: &Step, rest: &[Step], how: How) {
        for (index, item) in items.iter().enumerate() {
            if step.leads_to_index(index) {
                self.follow(item, field, rest, how);
            }
        }
    }

    fn follow_pairs(&mut self, pairs: &'j [Json<'a>], field: usize, step: &Step, rest: &[Step], how: How) {
        if has_names(pairs) {
            for pair in pairs.iter().map(elements) {
                if let [Json::String(name), value] = pair
                    && step.leads_to(name)
                {
                    self.follow(value, field, rest, how);
                }
            }
            return;
        }
        for (index, pair) in pairs.iter().map(elements).enumerate() {
            if !step.leads_to_index(index) {
                continue;
            }
            match rest.split_first() {
                // The pair as a whole.
                None => pair.iter().for_each(|item| self.follow(item, field, rest, how)),
                Some((step, rest)) => self.follow_elements(pair, field, step, rest, how),
            }
        }
    }

    /// Marks the objects that stand inside of marked places.
    fn spread(&mut self) {
        let mut rest: Vec<(How, &'j Json<'a>)> = self.marked.values().copied().collect();
        let mut done = HashSet::new();
        while let Some((how, json)) = rest.pop() {
            let place = self.shared.place(json);
            if !done.insert((address(place), how)) {
                continue;
            }
            if matches!(form(place), Form::Typed("$id", _)) {
                self.mark(place, how);
            }
            rest.extend(inside(place).into_iter().map(|json| (how, json)));
        }
    }

    /// What becomes of the value at this place.
    fn of(&self, json: &'j Json<'a>) -> Option<How> {
        let place = self.shared.place(json);
        let marked = |json| Some(self.marked.get(&address(self.shared.place(json)))?.0);
        let content = match form(place) {
            Form::Typed("$id", content) => content.get("value").unwrap_or(place),
            _ => place,
        };
        marked(place).or_else(|| match form(content) {
            // Neither can do without.
            Form::Typed("$bytes", content) => marked(content.get("buffer")?),
            Form::Typed("$boxed", content) => marked(content),
            _ => None,
        })
    }
}

struct Writer<'m, 'j, 'a> {
    out: String,
    marks: &'m Marks<'j, 'a>,
    hasher: &'m Hasher,
}

impl<'j, 'a> Writer<'_, 'j, 'a> {
    fn value(&mut self, json: &'j Json<'a>) {
        match self.marks.of(json) {
            Some(How::Hash) => {
                let mut expanded = String::new();
                let shared = &self.marks.shared;
                Expansion {
                    shared,
                    visited: HashMap::new(),
                }
                .write(json, 0, &mut expanded);
                let hash = self.hasher.value(&expanded);
                self.quote(&hash);
            }
            Some(How::Mask) => self.quote(MASK),
            // Whoever could leave it out has not asked for it.
            Some(How::Drop) => self.out.push_str("null"),
            None => self.content(json),
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

    /// What is left of a plain object; one that now looks like another form is escaped.
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

/// Writes a value without references, for hashing: equal values have equal texts, wherever they stand.
struct Expansion<'m, 'j, 'a> {
    shared: &'m Shared<'j, 'a>,
    /// Shared objects that were written, in order.
    visited: HashMap<usize, usize>,
}

impl<'j, 'a> Expansion<'_, 'j, 'a> {
    fn write(&mut self, json: &'j Json<'a>, depth: usize, out: &mut String) {
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
