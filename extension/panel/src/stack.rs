//! Where a write was called from: the engines' stack texts as frames, and which write an event came of.

use std::collections::VecDeque;

use protocol::{
    inspect::{Trace, Traced},
    table::Table,
};

use crate::model::Row;

/// Of how many transactions the stacks are kept, and how many bytes they may take together.
const BOUND: usize = 5000;
const BOUND_BYTES: usize = 32 * 1024 * 1024;

/// What stacks call our own script in a page (`xtask/src/build/page.rs`); its calls are no part of the page's.
const HOOK: &str = "indexedDB";

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function; empty if it has no name.
    pub function: String,
    /// The script; empty where it is none that could be opened.
    pub url: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

impl Frame {
    /// `app.js:12:5`, with as much of the address as tells it from others.
    pub fn place(&self) -> String {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
        format!("{name}:{}:{}", self.line, self.column)
    }

    /// The whole address.
    pub fn location(&self) -> String {
        format!("{}:{}:{}", self.url, self.line, self.column)
    }
}

/// The frames of a stack as V8 (`    at f (url:1:2)`) or `SpiderMonkey` (`f@url:1:2`) words it, without our own.
pub fn frames(stack: &str) -> Vec<Frame> {
    let frames = stack.lines().filter_map(|line| {
        let line = line.trim();
        if let Some(call) = line.strip_prefix("at ") {
            let (function, place) = match call.strip_suffix(')').and_then(|call| call.rsplit_once(" (")) {
                Some((function, place)) => (function, place),
                None => ("", call),
            };
            frame(function, place)
        } else {
            let (function, place) = line.rsplit_once('@')?;
            frame(function, place)
        }
    });
    frames.filter(|frame| frame.url != HOOK).collect()
}

fn frame(function: &str, place: &str) -> Option<Frame> {
    let (rest, column) = place.rsplit_once(':')?;
    let (url, line) = rest.rsplit_once(':')?;
    Some(Frame {
        function: function.trim().to_owned(),
        url: url.strip_prefix("async ").unwrap_or(url).to_owned(),
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    })
}

/// The stacks that have come.
#[derive(Debug, Default)]
pub struct Stacks {
    by_transaction: Table<String, Vec<Traced>>,
    order: VecDeque<String>,
    bytes: usize,
}

/// What a transaction's stacks take, about.
fn bytes(writes: &[Traced]) -> usize {
    let of = |write: &Traced| {
        let key = write.key.as_ref().map_or(0, |key| key.get().len());
        size_of::<Traced>() + write.store.len() + write.stack.len() + key
    };
    writes.iter().map(of).sum()
}

impl Stacks {
    /// Those of a transaction.
    pub fn take(&mut self, trace: Trace) {
        self.bytes += bytes(&trace.writes);
        self.order.push_back(trace.transaction.clone());
        let known = self.by_transaction.insert(trace.transaction, trace.writes);
        self.bytes -= known.as_deref().map_or(0, bytes);
        while (self.order.len() > BOUND || self.bytes > BOUND_BYTES)
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.by_transaction.remove(&oldest);
            self.bytes -= gone.as_deref().map_or(0, bytes);
        }
    }

    /// Where an event's write was called from. `before`: how many events of its transaction, ahead of it, are of the same record.
    pub fn of(&self, row: &Row, before: usize) -> Option<&str> {
        let transaction = row.transaction.as_ref()?;
        let writes = self.by_transaction.get(&*transaction.id)?;
        let of_store = || writes.iter().filter(|write| write.store == row.source.store);
        let keyed = || {
            let is = |write: &&Traced| write.key.as_ref().is_some_and(|key| key.get() == row.key());
            of_store().filter(is)
        };
        // A record that went with a range, with its store or with a new name has no operation of its own.
        let found = if row.has_key {
            keyed()
                .nth(before)
                .or_else(|| of_store().find(|write| write.key.is_none()))
        } else {
            of_store().filter(|write| write.key.is_none()).nth(before)
        };
        found.map(|write| write.stack.as_str())
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, tests::event};
    use serde_json::value::RawValue;

    fn call(function: &str, url: &str, line: u32, column: u32) -> Frame {
        Frame {
            function: function.to_owned(),
            url: url.to_owned(),
            line,
            column,
        }
    }

    #[test]
    fn both_engines_words_are_read() {
        let v8 = "Error: no\n    at stackNow (indexedDB:1:99)\n    at put (indexedDB:1:9)\n    at save (http://localhost:1/app.js?v=2:12:5)\n    at async http://localhost:1/index.html:3:1\n    at new Cart (http://localhost:1/cart.js:1:2)\n    at Array.forEach (<anonymous>)\n";
        assert_eq!(
            frames(v8),
            [
                call("save", "http://localhost:1/app.js?v=2", 12, 5),
                call("", "http://localhost:1/index.html", 3, 1),
                call("new Cart", "http://localhost:1/cart.js", 1, 2),
            ]
        );
        let spidermonkey = "stackNow@indexedDB:1:99\nsave@http://localhost:1/app.js:12:5\nasync*@http://localhost:1/index.html:3:1\n";
        assert_eq!(
            frames(spidermonkey),
            [
                call("save", "http://localhost:1/app.js", 12, 5),
                call("async*", "http://localhost:1/index.html", 3, 1),
            ]
        );
        assert_eq!(frames("nonsense\n@\nat \n"), []);
        // A page's own script of that name is none of ours.
        assert_eq!(frames("f@http://localhost:1/indexedDB:1:1").len(), 1);
        let place = call("save", "http://localhost:1/a/app.js?v=2", 12, 5);
        assert_eq!(place.place(), "app.js:12:5");
        assert_eq!(place.location(), "http://localhost:1/a/app.js?v=2:12:5");
    }

    #[test]
    fn each_event_finds_its_write() {
        let write = |key: Option<&str>, stack: &str| Traced {
            store: "orders".to_owned(),
            key: key.map(|key| RawValue::from_string(key.to_owned()).expect("JSON")),
            stack: stack.to_owned(),
        };
        let mut model = Model::default();
        for (number, op, key) in [(1, "c", "1"), (2, "u", "1"), (3, "d", "2")] {
            model.read(&event(number, op, key, "1")).expect("an event");
        }
        let row = |place| model.row(place).expect("a row");
        let store = row(0).source.store.clone();
        let mut stacks = Stacks::default();
        let mut writes = vec![
            write(Some("1"), "first"),
            write(Some("1"), "second"),
            write(None, "range"),
        ];
        for write in &mut writes {
            write.store.clone_from(&store);
        }
        assert_eq!(stacks.of(row(0), 0), None);
        stacks.take(Trace {
            transaction: "c:1".to_owned(),
            writes,
        });
        let found = [(0, 0), (1, 1), (2, 0)].map(|(place, before)| stacks.of(row(place), before));
        assert_eq!(found, [Some("first"), Some("second"), Some("range")]);
        for number in 0..BOUND {
            stacks.take(Trace {
                transaction: format!("d:{number}"),
                writes: Vec::new(),
            });
        }
        assert_eq!(stacks.of(row(0), 0), None, "bounded");
        assert_eq!(stacks.by_transaction.len(), BOUND);
        for number in 0..100 {
            stacks.take(Trace {
                transaction: format!("e:{number}"),
                writes: vec![write(None, &"x".repeat(BOUND_BYTES / 10))],
            });
        }
        assert!(stacks.by_transaction.len() < 10 && stacks.bytes <= BOUND_BYTES);
    }
}
