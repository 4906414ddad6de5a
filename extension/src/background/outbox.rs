//! The deliveries that the host does not have on disk yet, in the order in which they came.
//!
//! Invariants: an entry leaves only by an acknowledgement, or because its origin turns out not to be enabled; what is on its
//! way to the host is bounded, a single larger one travels alone; the entries of a context stay in order.

use std::collections::{BTreeMap, HashMap, VecDeque};

use protocol::message::Page;
use serde_json::value::RawValue;

/// How many bytes may be on their way to the host unacknowledged.
pub const HOST_WINDOW: usize = 16 * 1024 * 1024;

/// The body of a delivery, as its document sent it.
#[derive(Debug)]
pub enum Content {
    /// In one piece.
    Whole(Box<RawValue>),
    /// All its parts.
    Parts(Vec<String>),
}

/// What is sent in the place of a commit that the background has failed on: the host has the origin's stores read again.
const LOST: &str = r#"{"gap":{"reason":"the extension failed on a commit, twice","stores":[]}}"#;

/// The same for what was read: nothing, for another reading would fare no better.
const UNREADABLE: &str = r#"{"unreadable":null}"#;

impl Content {
    /// What is sent in its place. It is not looked into but for its first letters.
    #[must_use]
    pub fn left_out(&self) -> Self {
        let begin = match self {
            Self::Whole(body) => body.get(),
            Self::Parts(parts) => parts.first().map_or("", String::as_str),
        };
        let instead = if begin.starts_with("{\"commit\"") {
            LOST
        } else {
            UNREADABLE
        };
        Self::Parts(vec![instead.to_owned()])
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Whole(body) => body.get().len(),
            Self::Parts(parts) => parts.iter().map(String::len).sum(),
        }
    }
}

/// A delivery for the host.
#[derive(Debug)]
pub struct Entry {
    /// The document's id.
    pub context: String,
    /// The document, as the browser reported it.
    pub page: Page<'static>,
    /// The delivery's number.
    pub sequence: u64,
    /// The body. It is redacted when it leaves, by the rules of that moment.
    pub content: Content,
}

impl Entry {
    fn size(&self) -> usize {
        self.content.size()
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Outbox {
    /// By their order of arrival.
    entries: BTreeMap<u64, Entry>,
    /// Each context's entries: (sequence, arrival).
    contexts: HashMap<String, VecDeque<(u64, u64)>>,
    arrivals: u64,
    /// The arrival from which on nothing was handed out yet.
    unsent: u64,
    in_flight: usize,
    /// How many bytes all entries take.
    bytes: usize,
}

impl Outbox {
    /// Takes a delivery; one that is here already is left out.
    pub fn push(&mut self, entry: Entry) {
        let context = self.contexts.entry(entry.context.clone()).or_default();
        if let Some(&(sequence, _)) = context.back()
            && entry.sequence <= sequence
        {
            return;
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        context.push_back((entry.sequence, arrival));
        self.bytes += entry.size();
        self.entries.insert(arrival, entry);
    }

    /// Whether deliveries of this context wait.
    pub fn holds_of(&self, context: &str) -> bool {
        self.contexts.get(context).is_some_and(|held| !held.is_empty())
    }

    /// Whether deliveries of another origin wait under the name of this context.
    pub fn holds_of_another(&self, context: &str, origin: &str) -> bool {
        let held = self.contexts.get(context).and_then(VecDeque::front);
        held.and_then(|(_, arrival)| self.entries.get(arrival))
            .is_some_and(|entry| entry.page.origin != origin)
    }

    /// How many deliveries are not on disk yet.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether all are.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The next delivery, if it may be sent now.
    pub fn next_to_send(&mut self) -> Option<&Entry> {
        let (&arrival, entry) = self.entries.range(self.unsent..).next()?;
        let size = entry.size();
        if self.in_flight > 0 && self.in_flight + size > HOST_WINDOW {
            return None;
        }
        self.unsent = arrival + 1;
        self.in_flight += size;
        Some(entry)
    }

    /// The host has all deliveries of the context up to this one.
    pub fn acknowledge(&mut self, context: &str, up_to: u64) {
        let Some(held) = self.contexts.get_mut(context) else {
            return;
        };
        while let Some(&(sequence, arrival)) = held.front()
            && sequence <= up_to
        {
            held.pop_front();
            remove(
                &mut self.entries,
                &mut self.in_flight,
                &mut self.bytes,
                self.unsent,
                arrival,
            );
        }
        if held.is_empty() {
            self.contexts.remove(context);
        }
    }

    /// A new host: all that was in transit is sent again.
    pub fn rewind(&mut self) {
        self.unsent = 0;
        self.in_flight = 0;
    }

    /// Drops what comes from origins that are not allowed.
    pub fn retain(&mut self, allowed: impl Fn(&str) -> bool) {
        let unwanted: Vec<String> = self
            .entries
            .values()
            .filter(|entry| !allowed(&entry.page.origin))
            .map(|entry| entry.context.clone())
            .collect();
        for context in unwanted {
            self.forget(&context);
        }
    }

    /// Drops everything of a context.
    pub fn forget(&mut self, context: &str) {
        for (_, arrival) in self.contexts.remove(context).unwrap_or_default() {
            remove(
                &mut self.entries,
                &mut self.in_flight,
                &mut self.bytes,
                self.unsent,
                arrival,
            );
        }
    }
}

fn remove(
    entries: &mut BTreeMap<u64, Entry>,
    in_flight: &mut usize,
    bytes: &mut usize,
    unsent: u64,
    arrival: u64,
) {
    if let Some(entry) = entries.remove(&arrival) {
        *bytes -= entry.size();
        if arrival < unsent {
            *in_flight -= entry.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(context: &str, sequence: u64, length: usize) -> Entry {
        Entry {
            context: context.into(),
            page: Page {
                origin: format!("http://{context}").into(),
                tab: 1,
                frame: 0,
            },
            sequence,
            content: Content::Parts(vec![" ".repeat(length)]),
        }
    }

    fn drained(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| {
            let entry = outbox.next_to_send()?;
            Some(format!("{}{}", entry.context, entry.sequence))
        })
        .collect()
    }

    #[test]
    fn entries_go_out_in_order_once_and_again_after_a_rewind() {
        let mut outbox = Outbox::default();
        for (context, sequence) in [("a", 1), ("b", 1), ("a", 2), ("a", 1), ("a", 2)] {
            outbox.push(entry(context, sequence, 0));
        }
        assert_eq!(drained(&mut outbox), ["a1", "b1", "a2"]);
        outbox.acknowledge("a", 1);
        outbox.acknowledge("unknown", 7);
        outbox.rewind();
        assert_eq!(drained(&mut outbox), ["b1", "a2"]);
        outbox.acknowledge("a", 2);
        outbox.acknowledge("b", 9);
        outbox.rewind();
        assert!(drained(&mut outbox).is_empty());
        assert_eq!((outbox.in_flight, outbox.bytes), (0, 0));
        assert!(outbox.contexts.is_empty());
    }

    #[test]
    fn what_is_not_allowed_goes_even_if_it_was_on_its_way() {
        let mut outbox = Outbox::default();
        for (context, sequence) in [("a", 1), ("b", 1), ("a", 2)] {
            outbox.push(entry(context, sequence, 0));
        }
        drained(&mut outbox);
        outbox.retain(|origin| origin == "http://b");
        outbox.rewind();
        assert_eq!(drained(&mut outbox), ["b1"]);
    }

    #[test]
    fn what_is_on_its_way_is_bounded_but_a_large_delivery_travels_alone() {
        let mut outbox = Outbox::default();
        outbox.push(entry("a", 1, HOST_WINDOW * 2));
        outbox.push(entry("a", 2, HOST_WINDOW / 2));
        outbox.push(entry("b", 1, HOST_WINDOW));
        assert_eq!(drained(&mut outbox), ["a1"]);
        outbox.acknowledge("a", 1);
        assert_eq!(drained(&mut outbox), ["a2"]);
        outbox.forget("a");
        assert_eq!(drained(&mut outbox), ["b1"]);
    }
}
