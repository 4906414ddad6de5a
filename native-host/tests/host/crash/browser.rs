//! The browser's side: documents that commit and read, and a background that keeps what the host
//! has not acknowledged.
//!
//! What `extension/content/isolated/bridge.js` and `extension/src/background/` promise, and no
//! more: numbers without gaps, order within a document, everything unacknowledged again to the next
//! host, one survey of what is there when a document loads or the host asks for it. Time is the
//! model's own: it passes with what is done, so that rounds need not wait for clocks to part; the
//! host goes by it, too.

use std::collections::{HashSet, VecDeque};

use super::clock::Clock;
use super::model::{Body, HOMES, Home, Transaction, World};
use fastrand::Rng;

mod entry;
mod host;
mod survey;

use entry::{Entry, send_together};
use survey::Survey;

/// A document.
#[derive(Debug)]
struct Context {
    name: String,
    origin: usize,
    /// How far its clock is off.
    skew: i64,
    sequence: u64,
    /// Commits whose `complete` it has not come to handle yet.
    incomplete: Vec<(Home, Transaction, i64)>,
    /// Numbered, and still in the page's process.
    held: VecDeque<(u64, String)>,
    /// Too busy to send anything.
    busy: bool,
    survey: Option<Survey>,
    /// Another survey is to follow.
    survey_again: bool,
    acknowledged: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Browser {
    pub world: World,
    pub origins: Vec<String>,
    contexts: Vec<Context>,
    /// By their arrival in the background.
    outbox: VecDeque<Entry>,
    /// The first of the outbox that the present host has not been sent.
    unsent: usize,
    /// Some that were acknowledged, to be sent once more.
    old: Vec<Entry>,
    clock: Clock,
    rng: Rng,
    made: usize,
    /// Origins of which something went unseen or was lost: the next document to load finds it.
    pub lost: Vec<bool>,
    /// The ids of transactions that make events.
    eventful: HashSet<String>,
    /// Those of them that were acknowledged: they must be in the stream.
    pub acknowledged: Vec<String>,
}

impl Browser {
    pub fn new(origins: Vec<String>, rng: Rng, clock: Clock) -> Self {
        Self {
            world: World::default(),
            lost: vec![false; origins.len()],
            origins,
            contexts: Vec::new(),
            outbox: VecDeque::new(),
            unsent: 0,
            old: Vec::new(),
            clock,
            rng,
            made: 0,
            eventful: HashSet::new(),
            acknowledged: Vec::new(),
        }
    }

    /// Time passes; what is done takes this span.
    fn span(&mut self) -> (i64, i64) {
        let began_at = self.clock.pass(self.rng.i64(0..120));
        (began_at, self.clock.pass(self.rng.i64(0..40)))
    }

    /// A page is loaded, and read.
    pub fn load(&mut self, origin: usize) {
        self.made += 1;
        // What is lost may have been written just now.
        self.clock.pass(1000);
        self.contexts.push(Context {
            name: format!("{:08x}-{}", self.rng.u32(..), self.made),
            origin,
            skew: self.rng.i64(-100..=100),
            sequence: 0,
            incomplete: Vec::new(),
            held: VecDeque::new(),
            busy: false,
            survey: None,
            survey_again: true,
            acknowledged: 0,
        });
        self.lost[origin] = false;
    }

    pub fn has_document(&self, origin: usize) -> bool {
        self.contexts.iter().any(|context| context.origin == origin)
    }

    /// The document of this number, if one of its origin is open.
    fn of_origin(&mut self, number: usize, origin: usize) -> Option<usize> {
        let open: Vec<usize> = (0..self.contexts.len())
            .filter(|index| self.contexts[*index].origin == origin)
            .collect();
        (!open.is_empty()).then(|| open[number % open.len()])
    }

    /// A transaction of a document. If `late`, the document is too busy to handle its end for now.
    pub fn commit(
        &mut self,
        document: usize,
        home: usize,
        late: bool,
        run: impl FnOnce(&mut World, Home) -> Transaction,
    ) {
        let home = HOMES[home % HOMES.len()];
        let Some(index) = self.of_origin(document, home.origin) else {
            return;
        };
        let before = self
            .world
            .databases
            .get(&home)
            .map_or(0, |database| database.version);
        let (began_at, _) = self.span();
        let transaction = run(&mut self.world, home);
        if transaction.operations.is_empty() {
            return;
        }
        if transaction.version != before {
            // An upgrade waits until all connections are closed, and those close behind their
            // transactions' ends.
            self.complete_all(home.origin);
        }
        self.contexts[index]
            .incomplete
            .push((home, transaction, began_at));
        if !late {
            self.complete(index);
        }
    }

    /// A document comes to handle the ends of its transactions.
    fn complete(&mut self, index: usize) {
        for (home, transaction, began_at) in std::mem::take(&mut self.contexts[index].incomplete) {
            let (_, committed_at) = self.span();
            let skew = self.contexts[index].skew;
            let body = Body(&home).commit(&transaction, began_at + skew, committed_at + skew);
            let sequence = self.deliver(index, body);
            if transaction.eventful {
                let id = format!("{}:{sequence}", self.contexts[index].name);
                self.eventful.insert(id);
            }
        }
    }

    fn complete_all(&mut self, origin: usize) {
        for index in 0..self.contexts.len() {
            if self.contexts[index].origin == origin {
                self.complete(index);
            }
        }
    }

    pub fn delete_database(&mut self, document: usize, home: usize) {
        let home = HOMES[home % HOMES.len()];
        let Some(index) = self.of_origin(document, home.origin) else {
            return;
        };
        self.complete_all(home.origin);
        let (began_at, deleted_at) = self.span();
        if self.world.delete(home) {
            let skew = self.contexts[index].skew;
            let body = Body(&home).deletion(began_at + skew, deleted_at + skew);
            self.deliver(index, body);
        }
    }

    /// Writes to a database without a message to the host.
    pub fn write_unseen(&mut self, home: usize, run: impl FnOnce(&mut World, Home) -> Transaction) {
        let home = HOMES[home % HOMES.len()];
        self.span();
        run(&mut self.world, home);
        self.lost[home.origin] = true;
    }

    /// A commit for which there was no room: only a gap is reported.
    pub fn overflow(
        &mut self,
        document: usize,
        home: usize,
        run: impl FnOnce(&mut World, Home) -> Transaction,
    ) {
        let home = HOMES[home % HOMES.len()];
        let Some(index) = self.of_origin(document, home.origin) else {
            return;
        };
        self.complete(index);
        self.span();
        let transaction = run(&mut self.world, home);
        if !transaction.operations.is_empty() {
            self.deliver(index, Body(&home).gap(&transaction));
        }
    }

    /// A commit whose delivery never arrives, with another behind it that does.
    pub fn lose(
        &mut self,
        document: usize,
        home: usize,
        first: impl FnOnce(&mut World, Home) -> Transaction,
        second: impl FnOnce(&mut World, Home) -> Transaction,
    ) {
        let Some(index) = self.of_origin(document, HOMES[home % HOMES.len()].origin) else {
            return;
        };
        self.complete(index);
        self.span();
        let transaction = first(&mut self.world, HOMES[home % HOMES.len()]);
        if !transaction.operations.is_empty() {
            self.contexts[index].sequence += 1;
        }
        let after = self.contexts[index].sequence;
        self.commit(document, home, false, second);
        if self.contexts[index].sequence == after {
            // The other one did nothing: then nothing is known to be missing, and the next survey
            // finds it.
            self.contexts[index].survey_again = true;
        }
    }

    pub fn set_busy(&mut self, document: usize, busy: bool) {
        if self.contexts.is_empty() {
            return;
        }
        let index = document % self.contexts.len();
        self.contexts[index].busy = busy;
        if !busy {
            self.complete(index);
        }
    }

    /// A tab is closed. What is still in the page's process goes with it.
    pub fn close(&mut self, document: usize) {
        if self.contexts.is_empty() {
            return;
        }
        let context = self.contexts.remove(document % self.contexts.len());
        // A survey that has not come to its end may have been what was to find something.
        if !context.held.is_empty()
            || !context.incomplete.is_empty()
            || context.survey.is_some()
            || context.survey_again
        {
            self.lost[context.origin] = true;
        }
    }

    /// The browser dies, with everything in it.
    pub fn die(&mut self) {
        self.contexts.clear();
        self.outbox.clear();
        self.old.clear();
        self.unsent = 0;
        self.lost.fill(true);
    }

    /// A delivery that the host has acknowledged comes once more.
    pub fn repeat(&mut self, send: &mut impl FnMut(&str)) {
        if !self.old.is_empty() {
            let entry = &self.old[self.rng.usize(..self.old.len())];
            entry.messages.iter().for_each(|message| send(message));
        }
    }

    /// Everything that is kept goes to the host that has just started.
    pub fn rewind(&mut self) {
        self.unsent = 0;
    }

    /// Whether there is nothing to send, to wait for or to read.
    pub fn is_quiet(&self) -> bool {
        self.outbox.is_empty()
            && self.contexts.iter().all(|context| {
                context.held.is_empty()
                    && context.incomplete.is_empty()
                    && context.survey.is_none()
                    && !context.survey_again
            })
    }

    /// Whether the host has everything that was sent.
    pub fn is_sent(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Makes every document idle.
    pub fn rest(&mut self) {
        for index in 0..self.contexts.len() {
            self.set_busy(index, false);
        }
    }

    fn deliver(&mut self, index: usize, body: String) -> u64 {
        let context = &mut self.contexts[index];
        context.sequence += 1;
        context.held.push_back((context.sequence, body));
        context.sequence
    }

    /// Does what is due and sends what there is.
    pub fn pump(&mut self, send: &mut impl FnMut(&str)) {
        for index in 0..self.contexts.len() {
            if !self.contexts[index].busy {
                self.complete(index);
                self.survey(index);
                while let Some((sequence, body)) = self.contexts[index].held.pop_front() {
                    let entry = self.entry(index, sequence, &body);
                    self.outbox.push_back(entry);
                }
            }
        }
        let mut bundle = Vec::new();
        for entry in self.outbox.iter().skip(self.unsent) {
            bundle.extend(entry.messages.iter().map(String::as_str));
            if bundle.len() > 4 || self.rng.bool() {
                send_together(&mut bundle, send);
            }
        }
        send_together(&mut bundle, send);
        self.unsent = self.outbox.len();
    }
}
