//! Which document is asked for single records.
//!
//! Invariants: the same question goes to another document each time, until all have been asked; the
//! host is notified when the documents change of an origin that it has asked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::wire::{
    bridge::{Read, ToBridge},
    host::{Readers, ToHost},
};

use super::{Link, Relay, to_bridge};

/// How many questions are remembered.
const MAX_QUESTIONS: usize = 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// The ports that each question was put to, by its text.
    asked: BTreeMap<String, Vec<u32>>,
    /// The questions in their order.
    order: VecDeque<String>,
    /// The origins that the host has asked for, since it was last notified of their documents.
    origins: BTreeSet<String>,
}

impl Questions {
    /// Those that this question was put to before.
    fn asked(&mut self, question: String) -> &mut Vec<u32> {
        if !self.asked.contains_key(&question) {
            if self.order.len() == MAX_QUESTIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.asked.remove(&oldest);
            }
            self.order.push_back(question.clone());
        }
        self.asked.entry(question).or_default()
    }

    /// The host wants something of this origin to be read.
    pub(super) fn note_origin(&mut self, origin: &str) {
        self.origins.insert(origin.to_owned());
    }
}

impl Relay {
    /// Asks a document for records. If none of the origin is open, the next one to load brings a
    /// snapshot.
    pub(super) fn ask_reader(&mut self, origin: &str, read: Read<'_>) {
        self.questions.note_origin(origin);
        // A question that is put again begins with the same key, also if records were settled
        // meanwhile.
        let question = [
            origin,
            &read.bucket,
            &read.database,
            &read.store,
            read.keys.first().map_or("", String::as_str),
        ]
        .join("\n");
        let asked = self.questions.asked(question);
        let port = self.bridges.reader_of(origin, asked).or_else(|| {
            asked.clear();
            self.bridges.reader_of(origin, asked)
        });
        if let Some(port) = port {
            asked.push(port);
            self.actions.extend(to_bridge(port, &ToBridge::Read(read)));
        }
    }

    /// A document of this origin has come or gone.
    pub(super) fn readers_changed(&mut self, origin: &str) {
        if self.link == Link::Up
            && self.questions.origins.contains(origin)
            && self.bridges.reader_of(origin, &[]).is_some()
        {
            self.questions.origins.remove(origin);
            let readers = Readers {
                origin: origin.into(),
            };
            self.tell_host(&ToHost::<()>::Readers(readers));
        }
    }
}
