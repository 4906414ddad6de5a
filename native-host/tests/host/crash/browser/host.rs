//! The host's messages, and what the browser does on them.

use std::collections::VecDeque;

use protocol::wire::{bridge::Read, host::FromHost};

use super::Browser;
use crate::crash::model::{Body, HOMES};

impl Browser {
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
