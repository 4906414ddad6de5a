//! Comparisons with Memcached, on a thread of their own: one may take a while, and no other
//! question has to wait for it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
    time::Instant,
};

use protocol::wire::{
    host::HostError,
    inspector::{Answer, Compared, Difference, MAX_DIFFERENCES, Reply},
};

use super::fail;
use crate::{
    apply::cache_writer::USUAL_GROUP,
    compare::{Feed, Journals, Observer, Scope, compare},
    config::Config,
    failure::Failure as _,
    journal::read::Reader,
    messaging::writer::Outbox,
    timing,
};

/// How many bytes of keys all answers to a question tell: keys may be long, and an answer must fit
/// a message.
const KEY_BYTES: usize = 256 * 1024;

/// What is to be compared.
#[derive(Debug)]
pub(super) struct Task {
    pub id: u64,
    pub scope: Scope,
    pub repair: bool,
}

/// The thread's own.
pub(super) struct CompareWorker {
    config: Config,
    journal: PathBuf,
    tasks: Receiver<Task>,
    outbox: Outbox,
}

impl CompareWorker {
    pub(super) fn new(config: Config, journal: &Path, tasks: Receiver<Task>, outbox: Outbox) -> Self {
        Self {
            config,
            journal: journal.to_owned(),
            tasks,
            outbox,
        }
    }

    /// Runs until the sender of its tasks is dropped.
    pub(super) fn run(self) {
        while let Ok(task) = self.tasks.recv() {
            let mut teller = ProgressReporter {
                id: task.id,
                outbox: &self.outbox,
                reported_at: Instant::now(),
                waiting: Vec::new(),
                differences: 0,
                bytes: 0,
            };
            match self.compare(&task, &mut teller) {
                Ok(compared) => teller.tell(compared),
                Err(error) => fail(&self.outbox, task.id, error),
            }
        }
    }

    fn compare(&self, task: &Task, teller: &mut ProgressReporter<'_>) -> Result<Compared, HostError> {
        let feed = Feed::find(&self.config, USUAL_GROUP).map_err(|error| error.to_message())?;
        let journals = Reader::open(&self.journal)
            .and_then(|reader| Journals::new(vec![reader], &self.config.journal.directory))
            .map_err(|error| error.to_message())?;
        let memcached = &self.config.memcached;
        compare(memcached, &feed, &journals, &task.scope, task.repair, teller)
            .map_err(|error| error.to_message())
    }
}

/// Answers an asker now and then.
struct ProgressReporter<'t> {
    id: u64,
    outbox: &'t Outbox,
    reported_at: Instant,
    /// Differences that the next answer tells.
    waiting: Vec<Difference>,
    /// How many all answers tell, and bytes of them.
    differences: usize,
    bytes: usize,
}

impl ProgressReporter<'_> {
    fn tell(&mut self, so_far: Compared) {
        self.reported_at = Instant::now();
        self.outbox.answer(Answer {
            id: self.id,
            reply: Reply::Compared(Compared {
                differences: std::mem::take(&mut self.waiting),
                ..so_far
            }),
        });
    }
}

impl Observer for ProgressReporter<'_> {
    fn differs(&mut self, difference: Difference) -> io::Result<()> {
        let bytes = self.bytes + difference.address.key.len() + difference.memcached_key.len();
        if self.differences < MAX_DIFFERENCES && bytes <= KEY_BYTES {
            self.differences += 1;
            self.bytes = bytes;
            self.waiting.push(difference);
        }
        Ok(())
    }

    fn advanced(&mut self, so_far: &Compared, _items: Option<(u64, u64)>) -> io::Result<()> {
        if self.reported_at.elapsed() >= timing::inspect::COMPARISON_PROGRESS {
            self.tell(so_far.clone());
        }
        Ok(())
    }
}
