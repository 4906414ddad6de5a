//! Call stacks of writes: parsing the text of an engine, and finding the stack of an event.

use std::collections::VecDeque;

use protocol::{
    table::Table,
    wire::inspector::{Trace, Traced},
};

use super::row::EventRow;

/// The most transactions whose stacks are kept, and the most bytes that these take.
const MAX_TRANSACTIONS: usize = 5000;
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The name of the hook's script in stacks (`xtask/src/build/page.rs`). Its frames are not the
/// page's.
const HOOK_SCRIPT: &str = "indexedDB";

/// One call of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFrame {
    /// Empty for an anonymous function.
    pub function: String,
    pub url: String,
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1.
    pub column: u32,
}

impl StackFrame {
    /// The file name with line and column: `app.js:12:5`.
    pub fn short_location(&self) -> String {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
        format!("{name}:{}:{}", self.line, self.column)
    }

    /// The URL with line and column.
    pub fn location(&self) -> String {
        format!("{}:{}:{}", self.url, self.line, self.column)
    }
}

/// Parses a stack of V8 (`    at f (url:1:2)`) or `SpiderMonkey` (`f@url:1:2`). Leaves out the
/// hook's frames.
pub fn parse_stack(stack: &str) -> Vec<StackFrame> {
    let frames = stack.lines().filter_map(|line| {
        let line = line.trim();
        if let Some(call) = line.strip_prefix("at ") {
            let (function, location) = match call.strip_suffix(')').and_then(|call| call.rsplit_once(" (")) {
                Some((function, location)) => (function, location),
                None => ("", call),
            };
            parse_frame(function, location)
        } else {
            let (function, location) = line.rsplit_once('@')?;
            parse_frame(function, location)
        }
    });
    frames.filter(|frame| frame.url != HOOK_SCRIPT).collect()
}

fn parse_frame(function: &str, location: &str) -> Option<StackFrame> {
    let (rest, column) = location.rsplit_once(':')?;
    let (url, line) = rest.rsplit_once(':')?;
    Some(StackFrame {
        function: function.trim().to_owned(),
        url: url.strip_prefix("async ").unwrap_or(url).to_owned(),
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    })
}

/// The stacks received so far, by transaction; the oldest are dropped.
#[derive(Debug, Default)]
pub struct Stacks {
    by_transaction: Table<String, Vec<Traced>>,
    order: VecDeque<String>,
    bytes: usize,
}

/// About how many bytes the stacks of a transaction take.
fn size_in_bytes(writes: &[Traced]) -> usize {
    let size = |write: &Traced| {
        let key = write.key.as_ref().map_or(0, |key| key.get().len());
        size_of::<Traced>() + write.store.len() + write.stack.len() + key
    };
    writes.iter().map(size).sum()
}

impl Stacks {
    pub fn insert(&mut self, trace: Trace) {
        self.bytes += size_in_bytes(&trace.writes);
        self.order.push_back(trace.transaction.clone());
        let replaced = self.by_transaction.insert(trace.transaction, trace.writes);
        self.bytes -= replaced.as_deref().map_or(0, size_in_bytes);
        while (self.order.len() > MAX_TRANSACTIONS || self.bytes > MAX_BYTES)
            && let Some(oldest) = self.order.pop_front()
        {
            let dropped = self.by_transaction.remove(&oldest);
            self.bytes -= dropped.as_deref().map_or(0, size_in_bytes);
        }
    }

    /// The stack of an event's write.
    ///
    /// `earlier`: the number of earlier events of the same transaction and record.
    pub fn find(&self, row: &EventRow, earlier: usize) -> Option<&str> {
        let transaction = row.transaction.as_ref()?;
        let writes = self.by_transaction.get(&*transaction.id)?;
        let in_store = || writes.iter().filter(|write| write.store == row.source.store);
        let with_key = || {
            let has_key = |write: &&Traced| write.key.as_ref().is_some_and(|key| key.get() == row.key());
            in_store().filter(has_key)
        };
        // A record deleted by a range or with its store has no write of its own: take the write
        // without a key.
        let found = if row.has_key {
            with_key()
                .nth(earlier)
                .or_else(|| in_store().find(|write| write.key.is_none()))
        } else {
            in_store().filter(|write| write.key.is_none()).nth(earlier)
        };
        found.map(|write| write.stack.as_str())
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::{EventLog, tests::event};
    use serde_json::value::RawValue;

    fn call(function: &str, url: &str, line: u32, column: u32) -> StackFrame {
        StackFrame {
            function: function.to_owned(),
            url: url.to_owned(),
            line,
            column,
        }
    }

    #[test]
    fn stacks_of_both_engines_are_parsed() {
        let v8 = "Error: no\n    at stackNow (indexedDB:1:99)\n    at put (indexedDB:1:9)\n    at save (http://localhost:1/app.js?v=2:12:5)\n    at async http://localhost:1/index.html:3:1\n    at new Cart (http://localhost:1/cart.js:1:2)\n    at Array.forEach (<anonymous>)\n";
        assert_eq!(
            parse_stack(v8),
            [
                call("save", "http://localhost:1/app.js?v=2", 12, 5),
                call("", "http://localhost:1/index.html", 3, 1),
                call("new Cart", "http://localhost:1/cart.js", 1, 2),
            ]
        );
        let spidermonkey = "stackNow@indexedDB:1:99\nsave@http://localhost:1/app.js:12:5\nasync*@http://localhost:1/index.html:3:1\n";
        assert_eq!(
            parse_stack(spidermonkey),
            [
                call("save", "http://localhost:1/app.js", 12, 5),
                call("async*", "http://localhost:1/index.html", 3, 1),
            ]
        );
        assert_eq!(parse_stack("nonsense\n@\nat \n"), []);
        // A script of the page with the hook's name is kept: its URL is longer.
        assert_eq!(parse_stack("f@http://localhost:1/indexedDB:1:1").len(), 1);
        let frame = call("save", "http://localhost:1/a/app.js?v=2", 12, 5);
        assert_eq!(frame.short_location(), "app.js:12:5");
        assert_eq!(frame.location(), "http://localhost:1/a/app.js?v=2:12:5");
    }

    #[test]
    fn each_event_finds_the_stack_of_its_write() {
        let write = |key: Option<&str>, stack: &str| Traced {
            store: "orders".to_owned(),
            key: key.map(|key| RawValue::from_string(key.to_owned()).expect("JSON")),
            stack: stack.to_owned(),
        };
        let mut log = EventLog::default();
        for (number, op, key) in [(1, "c", "1"), (2, "u", "1"), (3, "d", "2")] {
            log.append(&event(number, op, key, "1")).expect("an event");
        }
        let row = |place| log.row(place).expect("a row");
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
        assert_eq!(stacks.find(row(0), 0), None);
        stacks.insert(Trace {
            transaction: "c:1".to_owned(),
            writes,
        });
        let found = [(0, 0), (1, 1), (2, 0)].map(|(place, earlier)| stacks.find(row(place), earlier));
        assert_eq!(found, [Some("first"), Some("second"), Some("range")]);
        for number in 0..MAX_TRANSACTIONS {
            stacks.insert(Trace {
                transaction: format!("d:{number}"),
                writes: Vec::new(),
            });
        }
        assert_eq!(stacks.find(row(0), 0), None, "bounded");
        assert_eq!(stacks.by_transaction.len(), MAX_TRANSACTIONS);
        for number in 0..100 {
            stacks.insert(Trace {
                transaction: format!("e:{number}"),
                writes: vec![write(None, &"x".repeat(MAX_BYTES / 10))],
            });
        }
        assert!(stacks.by_transaction.len() < 10 && stacks.bytes <= MAX_BYTES);
    }
}
