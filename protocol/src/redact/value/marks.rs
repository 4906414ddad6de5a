//! Which places of a value are redacted.

use std::collections::{HashMap, HashSet};

use super::form::{Form, Shared, address, elements, form, has_names, inside, items};
use crate::{
    json::Json,
    redact::{Treatment as How, pointer::Step, work},
    value::computed_names,
};

/// The redacted parts of a value.
pub(super) struct Marks<'j, 'a> {
    shared: Shared<'j, 'a>,
    /// By address; a shared object by that of its `$id`.
    marked: HashMap<usize, (How, &'j Json<'a>)>,
    /// The shared objects where each field's pointer has been followed already, and from which step
    /// on: objects that share much have very many paths. All other places have one.
    seen: HashSet<(usize, usize, usize)>,
}

impl<'j, 'a> Marks<'j, 'a> {
    pub(super) fn new(shared: Shared<'j, 'a>) -> Self {
        Self {
            shared,
            marked: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// The objects that occur more than once.
    pub(super) fn shared(&self) -> &Shared<'j, 'a> {
        &self.shared
    }

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
    pub(super) fn follow(&mut self, json: &'j Json<'a>, field: usize, steps: &[Step], how: How) {
        let Some((step, rest)) = steps.split_first() else {
            work::count(1);
            self.mark(self.shared.place(json), how);
            return;
        };
        let Some((place, content)) = self.enter(json, field, steps.len()) else {
            return;
        };
        match form(content) {
            Form::Plain(members) => self.follow_members(members, field, step, rest, how),
            Form::Array(items) => self.follow_elements(items, field, step, rest, how),
            Form::Typed("$set", Json::Array(items)) => self.follow_elements(items, field, step, rest, how),
            Form::Typed("$sparse", content) => self.follow_members(items(content), field, step, rest, how),
            Form::Typed("$map", Json::Array(pairs)) => self.follow_pairs(pairs, field, step, rest, how),
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
                if step.is_index()
                    || members.iter().any(|(name, _)| step.leads_to(name))
                    || computed_names().any(|name| step.leads_into(&[name])) =>
            {
                self.mark(place, how);
            }
            Form::Scalar | Form::Typed(..) => {}
        }
    }

    /// The place that a field has come to with so many steps left, and what stands there without
    /// `$id` and boxes; `None` if there is nothing inside, or the field has been there.
    ///
    /// Boxes and references may lead to each other for long: not by recursion.
    fn enter(
        &mut self,
        mut json: &'j Json<'a>,
        field: usize,
        left: usize,
    ) -> Option<(&'j Json<'a>, &'j Json<'a>)> {
        loop {
            work::count(1);
            let place = self.shared.place(json);
            let content = match form(place) {
                Form::Typed("$id", content) => {
                    if !self.seen.insert((address(place), field, left)) {
                        return None;
                    }
                    content.get("value")?
                }
                _ => place,
            };
            match form(content) {
                Form::Scalar => return None,
                Form::Typed("$boxed", boxed) => json = boxed,
                _ => return Some((place, content)),
            }
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
                // The whole pair.
                None => pair.iter().for_each(|item| self.follow(item, field, rest, how)),
                Some((step, rest)) => self.follow_elements(pair, field, step, rest, how),
            }
        }
    }

    /// Marks the objects that stand inside of marked places.
    pub(super) fn spread(&mut self) {
        let mut rest: Vec<(How, &'j Json<'a>)> = self.marked.values().copied().collect();
        // Of places that may be come to more than once: there may be millions of other values.
        let mut done = HashSet::new();
        while let Some((how, json)) = rest.pop() {
            work::count(1);
            let place = self.shared.place(json);
            let is_shared = matches!(form(place), Form::Typed("$id", _));
            let may_come_again = is_shared || self.marked.contains_key(&address(place));
            if may_come_again && !done.insert((address(place), how)) {
                continue;
            }
            if is_shared {
                self.mark(place, how);
            }
            let objects = inside(place)
                .into_iter()
                .filter(|json| !matches!(form(json), Form::Scalar));
            rest.extend(objects.map(|json| (how, json)));
        }
    }

    /// What becomes of the value at this place.
    pub(super) fn of(&self, json: &'j Json<'a>) -> Option<How> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::pointer;

    #[test]
    fn only_shared_objects_are_remembered() {
        let lists = vec!["[[0]]"; 1000].join(",");
        let shared = r#"{"$id":{"id":1,"value":[[0],{"$ref":1}]}}"#;
        let typed = format!(r#"[{lists},{shared},{{"$ref":1}}]"#);
        let tree = Json::parse(&typed).expect("JSON");
        let mut marks = Marks::new(Shared::of(&tree).expect("sound"));
        let steps = pointer::parse("/*/*/*").expect("a pointer");
        marks.follow(&tree, 0, &steps, How::Mask);
        // Reached with two steps left, and by itself with one.
        assert_eq!(marks.seen.len(), 2);
        // Each list's number; of the shared list a list, its number, and itself.
        assert_eq!(marks.marked.len(), 1003);
    }
}
