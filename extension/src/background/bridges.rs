//! The documents that are connected, by the number of their port.

use std::collections::BTreeSet;

use protocol::{
    table::Table,
    wire::{host::Page, inspector::Document},
};

use protocol::problem::Problem;

use super::{identity::Sender, problems};

/// How far a bridge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not known yet whether its origin is enabled.
    Waiting,
    /// Its deliveries are taken.
    Welcome,
    /// Its deliveries are not wanted.
    Refused,
}

/// Why a document is not captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For a person.
    pub problem: Problem,
    /// Enabling the origin does not change it: the document's databases are not the origin's own.
    pub lasting: bool,
}

/// A connected document.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub struct Bridge {
    /// Who it is.
    pub sender: Sender,
    /// The document's id; empty until it has introduced itself.
    pub context: String,
    /// Hooked after the page's own scripts may have run.
    pub late: bool,
    /// Whether it asks for everything to be read once it may send.
    pub wants_survey: bool,
    /// Whether it may send.
    pub standing: Standing,
    /// Why it may not.
    pub refused: Option<Refusal>,
    /// The parts of a long delivery's body that have come so far.
    pub parts: Vec<String>,
    /// How many bytes they take.
    pub part_bytes: usize,
    /// The number of the delivery that they are of.
    pub parts_of: u64,
    /// How many alarms in a row have found no new part of it.
    pub still_alarms: u8,
    /// The delivery that there was no room for: what else comes of it is dropped.
    pub turned_away: Option<u64>,
    /// Whether it was asked for the stacks of writes.
    pub traced: bool,
    /// The stacks of deliveries that are about to come, by their numbers.
    pub stacks: Table<u64, Vec<String>>,
    /// How many bytes they take.
    pub stack_bytes: usize,
    /// It goes away, or is frozen.
    pub leaving: bool,
    /// It may have committed what it has not sent.
    pub writing: bool,
    /// A person can see it.
    pub shown: bool,
    /// The addresses of its workers' scripts.
    pub workers: Vec<String>,
    /// When it last said something, on a clock that counts messages.
    last_message: u64,
    /// When it last said something of what it reads.
    last_reading: u64,
}

impl Bridge {
    /// Where it is, as the browser says.
    pub fn page(&self) -> &Page<'static> {
        &self.sender.page
    }

    /// Whether a delivery comes too early: one before it was turned away, and comes again first.
    pub fn waits_for_earlier(&self, sequence: u64) -> bool {
        self.turned_away.is_some_and(|turned_away| sequence > turned_away)
    }

    /// Drops the parts that have come.
    pub fn drop_parts(&mut self) {
        self.parts = Vec::new();
        self.part_bytes = 0;
        self.still_alarms = 0;
    }

    /// The document as inspectors see it.
    fn document(&self) -> Document {
        let page = self.page();
        Document {
            context: self.context.clone(),
            origin: page.origin.clone().into_owned(),
            tab: page.tab,
            frame: page.frame,
            late: self.late,
            refused: self.refused.clone().map(|refusal| refusal.problem),
            workers: self.workers.clone(),
        }
    }
}

/// A document that was turned away, and is not connected any more.
#[derive(Debug)]
struct Refused {
    document: Document,
    lasting: bool,
    /// The context of the page in its tab, once that is known: with the page go its frames.
    top: Option<String>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Bridges {
    connected: Table<u32, Bridge>,
    /// The documents that were turned away, by tab and frame, until something else is there. No
    /// event says when a tab goes.
    refused: Table<(i64, i64), Refused>,
    clock: u64,
}

/// How many documents that were turned away are remembered.
const MAX_REFUSED: usize = 256;

impl Bridges {
    /// A port was opened.
    pub fn open(&mut self, port: u32, sender: Sender) {
        self.clock += 1;
        self.refused.remove(&(sender.page.tab, sender.page.frame));
        let bridge = Bridge {
            sender,
            context: String::new(),
            late: false,
            wants_survey: false,
            standing: Standing::Waiting,
            refused: None,
            parts: Vec::new(),
            part_bytes: 0,
            parts_of: 0,
            still_alarms: 0,
            turned_away: None,
            traced: false,
            stacks: Table::new(),
            stack_bytes: 0,
            leaving: false,
            writing: false,
            shown: false,
            workers: Vec::new(),
            last_message: self.clock,
            last_reading: 0,
        };
        self.connected.insert(port, bridge);
    }

    /// The document at a port has introduced itself. If it is the page in its tab, the frames of
    /// the page before are gone.
    pub fn introduce(&mut self, port: u32, context: &str, late: bool, wants_survey: bool) {
        let Some(bridge) = self.connected.get_mut(&port) else {
            return;
        };
        context.clone_into(&mut bridge.context);
        bridge.late = late;
        bridge.wants_survey |= wants_survey;
        let (tab, frame) = (bridge.page().tab, bridge.page().frame);
        if frame == 0 {
            self.refused.retain(|(of, _), refused| {
                let top = (*of == tab).then(|| refused.top.get_or_insert_with(|| context.to_owned()));
                top.is_none_or(|top| top == context)
            });
        }
    }

    /// Whether a document of another origin, whose deliveries may be taken, goes by this context.
    pub fn is_context_of_another(&self, context: &str, origin: &str) -> bool {
        self.connected.values().any(|bridge| {
            bridge.standing != Standing::Refused
                && bridge.context == context
                && bridge.page().origin != origin
        })
    }

    /// Whether another document of the origin may have committed what it has not sent. One that
    /// goes
    /// away has sent gaps.
    pub fn is_another_writing(&self, port: u32, origin: &str) -> bool {
        self.connected.iter().any(|(other, bridge)| {
            bridge.writing
                && *other != port
                && !bridge.leaving
                && bridge.standing != Standing::Refused
                && bridge.page().origin == origin
        })
    }

    /// A port was closed.
    pub fn close(&mut self, port: u32) {
        if let Some(bridge) = self.connected.remove(&port)
            && let Some(refusal) = &bridge.refused
        {
            self.note_refused(bridge.document(), refusal.lasting);
        }
    }

    /// The context of the page in a tab.
    fn top_of(&self, tab: i64) -> Option<String> {
        self.connected
            .values()
            .find(|bridge| bridge.page().tab == tab && bridge.page().frame == 0)
            .map(|bridge| bridge.context.clone())
            .filter(|context| !context.is_empty())
    }

    /// Documents that were turned away and would not be now are captured once they are loaded
    /// again.
    pub fn reconsider(&mut self, allowed: impl Fn(&str) -> bool) {
        for Refused { document, .. } in self
            .refused
            .values_mut()
            .filter(|refused| !refused.lasting && allowed(&refused.document.origin))
        {
            document.refused = Some(problems::loaded_before(&document.origin));
        }
    }

    /// The documents of a tab, or of all.
    pub fn documents(&self, tab: Option<i64>) -> Vec<Document> {
        let connected = self
            .connected
            .values()
            .filter(|bridge| !bridge.context.is_empty() || bridge.refused.is_some())
            .map(Bridge::document);
        let mut documents: Vec<Document> = connected
            .chain(self.refused.values().map(|refused| refused.document.clone()))
            .filter(|document| tab.is_none_or(|tab| document.tab == tab))
            .collect();
        documents.sort_by(|a, b| (a.tab, a.frame, &a.context).cmp(&(b.tab, b.frame, &b.context)));
        // An old port whose end is not known yet.
        documents.dedup_by(|a, b| (a.tab, a.frame, &a.context) == (b.tab, b.frame, &b.context));
        documents
    }

    /// The bridge at a port that has just said something.
    pub fn note_message(&mut self, port: u32) -> Option<&mut Bridge> {
        self.clock += 1;
        let bridge = self.connected.get_mut(&port)?;
        bridge.last_message = self.clock;
        Some(bridge)
    }

    /// The bridge at a port, which has said nothing.
    pub fn get_mut(&mut self, port: u32) -> Option<&mut Bridge> {
        self.connected.get_mut(&port)
    }

    /// How many bytes of deliveries have come that are not whole yet.
    pub fn part_bytes(&self) -> usize {
        self.connected.values().map(|bridge| bridge.part_bytes).sum()
    }

    /// The same by the origin.
    pub fn part_bytes_by_origin(&self) -> impl Iterator<Item = (&str, usize)> {
        let bridges = self.connected.values();
        bridges.map(|bridge| (&*bridge.page().origin, bridge.part_bytes))
    }

    /// The longest delivery of an origin that is not whole yet, with the port of its document.
    pub fn longest_part_of(&self, origin: &str) -> Option<(u32, u64)> {
        self.connected
            .iter()
            .filter(|(_, bridge)| bridge.page().origin == origin && bridge.part_bytes > 0)
            .max_by_key(|(_, bridge)| bridge.part_bytes)
            .map(|(port, bridge)| (*port, bridge.parts_of))
    }

    /// Counts for each delivery that is not whole that no part has come; whether there is one.
    pub fn count_still(&mut self) -> bool {
        let mut any = false;
        for bridge in self
            .connected
            .values_mut()
            .filter(|bridge| !bridge.parts.is_empty())
        {
            bridge.still_alarms = bridge.still_alarms.saturating_add(1);
            any = true;
        }
        any
    }

    /// The deliveries of which no part has come for so many alarms, with the ports of their
    /// documents.
    pub fn still(&self, alarms: u8) -> Vec<(u32, u64)> {
        self.connected
            .iter()
            .filter(|(_, bridge)| !bridge.parts.is_empty() && bridge.still_alarms >= alarms)
            .map(|(port, bridge)| (*port, bridge.parts_of))
            .collect()
    }

    /// The contexts of all that are connected.
    pub fn contexts(&self) -> BTreeSet<String> {
        self.connected
            .values()
            .map(|bridge| bridge.context.clone())
            .collect()
    }

    /// The origin of a bridge whose deliveries are taken.
    pub fn origin_of_reader(&self, port: u32) -> Option<String> {
        let bridge = self.connected.get(&port)?;
        (bridge.standing == Standing::Welcome).then(|| bridge.page().origin.to_string())
    }

    /// A document was turned away before it could introduce itself. Whether it is remembered: not
    /// if another one has come to its place.
    pub fn note_cut_off(&mut self, sender: &Sender, problem: Problem) -> bool {
        let page = &sender.page;
        let document = Document {
            context: String::new(),
            origin: page.origin.clone().into_owned(),
            tab: page.tab,
            frame: page.frame,
            late: false,
            refused: Some(problem),
            workers: Vec::new(),
        };
        self.note_refused(document, true)
    }

    /// Whether the document is remembered. The end of its port may come behind the port of the next
    /// document at its place, which must not be charged with it.
    fn note_refused(&mut self, document: Document, lasting: bool) -> bool {
        let place = (document.tab, document.frame);
        let is_replaced = self
            .connected
            .values()
            .any(|bridge| (bridge.page().tab, bridge.page().frame) == place);
        if is_replaced {
            return false;
        }
        if self.refused.len() == MAX_REFUSED {
            self.refused.pop_first();
        }
        let top = self.top_of(document.tab);
        let refused = Refused {
            document,
            lasting,
            top,
        };
        self.refused.insert(place, refused);
        true
    }

    /// All that have introduced themselves.
    pub fn introduced(&mut self) -> impl Iterator<Item = (u32, &mut Bridge)> {
        self.connected
            .iter_mut()
            .filter(|(_, bridge)| !bridge.context.is_empty())
            .map(|(port, bridge)| (*port, bridge))
    }

    /// All whose deliveries are taken.
    pub fn admitted(&mut self) -> impl Iterator<Item = (u32, &mut Bridge)> {
        self.connected
            .iter_mut()
            .filter(|(_, bridge)| bridge.standing == Standing::Welcome)
            .map(|(port, bridge)| (*port, bridge))
    }

    /// The ports of all whose deliveries are taken.
    pub fn welcome(&self) -> Vec<u32> {
        self.connected
            .iter()
            .filter(|(_, bridge)| bridge.standing == Standing::Welcome)
            .map(|(port, _)| *port)
            .collect()
    }

    /// The ports of a context: more than one while an old port's end is not known yet.
    pub fn ports_of(&self, context: &str) -> impl Iterator<Item = u32> {
        self.connected
            .iter()
            .filter(move |(_, bridge)| bridge.context == context)
            .map(|(port, _)| *port)
    }

    /// A bridge that can read records of an origin, other than these: the one that sent a message
    /// last is the least likely to be frozen.
    pub fn reader_of(&self, origin: &str, asked: &[u32]) -> Option<u32> {
        self.readers_of(origin)
            .filter(|(port, _)| !asked.contains(port))
            .max_by_key(|(_, bridge)| bridge.last_message)
            .map(|(port, _)| *port)
    }

    /// A bridge that can say what there is of an origin. If possible that of a page in a tab, whose
    /// databases are the origin's own even if a frame was taken for captured by mistake. None of
    /// those that have been silent, and the one that did so `last` only if there is no other: what
    /// it says is not confirmed by itself.
    pub fn surveyor_of(&self, origin: &str, silent: &[u32], last: Option<u32>) -> Option<u32> {
        self.readers_of(origin)
            .filter(|(port, _)| !silent.contains(port))
            .max_by_key(|(port, bridge)| {
                (
                    bridge.page().frame == 0,
                    Some(**port) != last,
                    bridge.last_message,
                )
            })
            .map(|(port, _)| *port)
    }

    /// Whether a bridge can read an origin.
    pub fn is_reader(&self, port: u32, origin: &str) -> bool {
        self.readers(origin).any(|reader| reader == port)
    }

    /// A bridge that can look for unseen writes of an origin. If possible that of a page in a tab.
    pub fn meterer_of(&self, origin: &str) -> Option<u32> {
        self.readers_of(origin)
            .filter(|(_, bridge)| bridge.shown)
            .max_by_key(|(_, bridge)| (bridge.page().frame == 0, bridge.last_message))
            .map(|(port, _)| *port)
    }

    /// The ports of the documents that can read an origin.
    pub fn readers(&self, origin: &str) -> impl Iterator<Item = u32> {
        self.readers_of(origin).map(|(port, _)| *port)
    }

    /// A bridge has just said something of what it reads.
    pub fn note_reading(&mut self, port: u32) {
        if let Some(bridge) = self.connected.get_mut(&port) {
            bridge.last_reading = bridge.last_message;
        }
    }

    /// When a bridge last said something of what it reads, on a clock that counts messages.
    pub fn last_reading(&self, port: u32) -> u64 {
        self.connected.get(&port).map_or(0, |bridge| bridge.last_reading)
    }

    /// The context of a bridge; empty until it has introduced itself.
    pub fn context_of(&self, port: u32) -> &str {
        self.connected
            .get(&port)
            .map_or("", |bridge| bridge.context.as_str())
    }

    fn readers_of(&self, origin: &str) -> impl Iterator<Item = (&u32, &Bridge)> {
        self.connected.iter().filter(move |(_, bridge)| {
            bridge.standing == Standing::Welcome && !bridge.leaving && bridge.page().origin == origin
        })
    }
}

#[cfg(test)]
mod tests;
