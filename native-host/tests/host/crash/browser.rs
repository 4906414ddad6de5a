//! The browser's side: documents that commit and read, and a background that keeps what the host
//! has not acknowledged.
//!
//! What `extension/content/isolated/bridge.js` and `extension/src/background/` promise, and no
//! more: numbers without gaps, order within a document, everything unacknowledged again to the next
//! host, one survey of what is there when a document loads or the host asks for it. Time is the
//! model's own: it passes with what is done, so that rounds need not wait for clocks to part; the
//! host goes by it, too.

use std::collections::{HashSet, VecDeque};

use fastrand::Rng;
use protocol::message::{FromHost, Read};

use super::clock::Clock;
use super::model::{Body, HOMES, Home, Key, Transaction, World, buckets, inventory};

/// A delivery that the background keeps.
#[derive(Debug, Clone)]
struct Entry {
    context: String,
    sequence: u64,
    /// Its message, or its parts.
    messages: Vec<String>,
}

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

/// A document tells everything that is there, a piece at a time.
#[derive(Debug, Default)]
struct Survey {
    todo: VecDeque<Piece>,
    /// The delivery that must be on disk before it goes on.
    awaited: u64,
    /// It is a question about a stretch: what is read next if the host's mirror has another, and if
    /// it has the same.
    asked: Option<[Option<Piece>; 2]>,
    /// The host has said that it is the same.
    is_alike: bool,
}

#[derive(Debug, Clone)]
enum Piece {
    Inventory(&'static str),
    Store {
        home: Home,
        store: String,
        after: Option<Key>,
        version: Option<u64>,
        /// The host has another stretch there: its records are sent.
        differs: bool,
    },
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

    fn entry(&mut self, index: usize, sequence: u64, body: &str) -> Entry {
        let context = &self.contexts[index];
        let name = context.name.clone();
        let page = format!(
            r#""page":{{"origin":"{}","tab":1,"frame":0}}"#,
            self.origins[context.origin]
        );
        // Now and then a small one is cut as if it were large.
        let limit = if self.rng.u8(..) < 20 {
            1 + body.len() / 3
        } else {
            500_000
        };
        let messages = if body.len() > limit {
            let parts = cut(body, limit);
            let count = parts.len();
            let part = |(index, text): (usize, &str)| {
                let text = serde_json::to_string(text).expect("a string");
                format!(
                    r#"{{"part":{{"context":"{name}",{page},"part":{{"sequence":{sequence},"index":{index},"count":{count},"text":{text}}}}}}}"#
                )
            };
            parts.into_iter().enumerate().map(part).collect()
        } else {
            vec![format!(
                r#"{{"delivery":{{"context":"{name}","sequence":{sequence},{page},"body":{body}}}}}"#
            )]
        };
        Entry {
            context: name,
            sequence,
            messages,
        }
    }

    /// Reads on, if the last piece is on disk.
    fn survey(&mut self, index: usize) {
        let origin = self.contexts[index].origin;
        if self.contexts[index].survey.is_none() {
            if !std::mem::take(&mut self.contexts[index].survey_again) {
                return;
            }
            self.clock.pass(400);
            let mut todo = VecDeque::from([Piece::Inventory("")]);
            todo.extend(buckets(&self.world, origin).into_iter().map(Piece::Inventory));
            self.contexts[index].survey = Some(Survey {
                todo,
                ..Survey::default()
            });
        }
        let context = &mut self.contexts[index];
        let Some(survey) = &mut context.survey else {
            return;
        };
        if survey.awaited > context.acknowledged {
            return;
        }
        let is_alike = std::mem::take(&mut survey.is_alike);
        if let Some(next) = survey.asked.take() {
            let next = next.into_iter().nth(usize::from(is_alike)).flatten();
            if let Some(piece) = next {
                survey.todo.push_front(piece);
            }
        }
        let Some(piece) = survey.todo.pop_front() else {
            context.survey = None;
            return;
        };
        let skew = context.skew;
        let (began_at, read_at) = self.span();
        let span = (began_at + skew, read_at + skew);
        if let Some(body) = self.piece(index, piece, span) {
            let sequence = self.deliver(index, body);
            if let Some(survey) = &mut self.contexts[index].survey {
                survey.awaited = sequence;
            }
        }
    }

    /// Reads a piece and puts what follows it on the list. Nothing, if what was to be read has
    /// changed meanwhile.
    fn piece(&mut self, index: usize, piece: Piece, span: (i64, i64)) -> Option<String> {
        let context = &mut self.contexts[index];
        let survey = context.survey.as_mut()?;
        match piece {
            Piece::Inventory(bucket) => {
                let origin = context.origin;
                let stores = self
                    .world
                    .databases
                    .iter()
                    .filter(|(home, _)| home.origin == origin && home.bucket == bucket)
                    .flat_map(|(home, database)| {
                        database.stores.keys().map(|store| Piece::Store {
                            home: *home,
                            store: store.clone(),
                            after: None,
                            version: None,
                            differs: false,
                        })
                    });
                for (place, piece) in stores.enumerate() {
                    survey.todo.insert(place, piece);
                }
                Some(inventory(&self.world, origin, bucket, span))
            }
            Piece::Store {
                home,
                store,
                after,
                version,
                differs,
            } => {
                let found = self.world.databases.get(&home);
                let there = found.filter(|database| {
                    database.stores.contains_key(&store)
                        && version.is_none_or(|version| version == database.version)
                });
                let Some(database) = there else {
                    context.survey_again = true;
                    return None;
                };
                let count = [1, 3, 16, 64, 200][self.rng.usize(..5)];
                let is_asked = !differs && self.rng.bool();
                let body = Body(&home);
                let (body, until) = if is_asked {
                    body.digests(&self.world, &store, after, count, span)
                } else {
                    body.snapshot(&self.world, &store, after, count, span)
                };
                let piece = |after, differs| Piece::Store {
                    home,
                    store: store.clone(),
                    after,
                    version: Some(database.version),
                    differs,
                };
                let next = until.map(|until| piece(Some(until), false));
                if is_asked {
                    survey.is_alike = false;
                    survey.asked = Some([Some(piece(after, true)), next]);
                } else if let Some(next) = next {
                    survey.todo.push_front(next);
                }
                Some(body)
            }
        }
    }

    /// A message from the host that is for the browser.
    pub fn receive(&mut self, message: FromHost) -> Result<(), String> {
        match message {
            FromHost::Acknowledged { context, sequence } => self.acknowledged(&context, sequence)?,
            FromHost::Matched {
                context, sequence, ..
            } => {
                let context = self.contexts.iter_mut().find(|known| known.name == context);
                if let Some(survey) = context.and_then(|context| context.survey.as_mut())
                    && survey.awaited == sequence
                {
                    survey.is_alike = true;
                }
            }
            FromHost::Snapshot { origin } => {
                let number = self.rng.usize(..100);
                if let Some(index) = self
                    .number_of(&origin)
                    .and_then(|origin| self.of_origin(number, origin))
                {
                    self.contexts[index].survey_again = true;
                }
            }
            FromHost::Read {
                origin,
                bucket,
                database,
                store,
                keys,
            } => {
                let read = Read {
                    bucket: bucket.into(),
                    database: database.into(),
                    store: store.into(),
                    keys,
                };
                let number = self.rng.usize(..100);
                if let Some(origin) = self.number_of(&origin)
                    && let Some(index) = self.of_origin(number, origin)
                {
                    self.read(index, origin, &read)?;
                }
            }
            FromHost::Error(_) | FromHost::Hello(_) | FromHost::Servers { .. } | FromHost::Unseen { .. } => {}
            FromHost::Answer(answer) => return Err(format!("the browser did not ask for {answer:?}")),
        }
        Ok(())
    }

    fn number_of(&self, origin: &str) -> Option<usize> {
        self.origins.iter().position(|known| known == origin)
    }

    fn read(&mut self, index: usize, origin: usize, read: &Read<'_>) -> Result<(), String> {
        let home = HOMES.iter().find(|home| {
            home.origin == origin && home.bucket == read.bucket && home.database == read.database
        });
        let Some(home) = home else {
            return Err(format!("the host asks for what never was: {read:?}"));
        };
        // The host has let some time pass, by its own clock.
        self.clock.pass(600);
        let skew = self.contexts[index].skew;
        let (began_at, read_at) = self.span();
        let span = (began_at + skew, read_at + skew);
        let body = Body(home).records(&self.world, &read.store, &read.keys, span);
        self.deliver(index, body);
        Ok(())
    }

    fn acknowledged(&mut self, name: &str, sequence: u64) -> Result<(), String> {
        if let Some(context) = self.contexts.iter_mut().find(|context| context.name == name) {
            if sequence > context.sequence {
                return Err(format!("{name}:{sequence} is acknowledged and was never sent"));
            }
            context.acknowledged = context.acknowledged.max(sequence);
        }
        let sent = std::mem::take(&mut self.unsent);
        let mut kept = VecDeque::with_capacity(self.outbox.len());
        for (place, entry) in self.outbox.drain(..).enumerate() {
            if entry.context == name && entry.sequence <= sequence {
                let id = format!("{name}:{}", entry.sequence);
                if self.eventful.remove(&id) {
                    self.acknowledged.push(id);
                }
                if self.old.len() < 20 && entry.messages.len() < 3 {
                    self.old.push(entry);
                }
            } else {
                self.unsent += usize::from(place < sent);
                kept.push_back(entry);
            }
        }
        self.outbox = kept;
        Ok(())
    }
}

fn send_together(bundle: &mut Vec<&str>, send: &mut impl FnMut(&str)) {
    match bundle[..] {
        [] => {}
        [message] => send(message),
        _ => send(&format!("[{}]", bundle.join(","))),
    }
    bundle.clear();
}

/// Slices of about this many bytes.
fn cut(text: &str, bytes: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut at = bytes.min(rest.len());
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        let (part, tail) = rest.split_at(at);
        parts.push(part);
        rest = tail;
    }
    parts
}
