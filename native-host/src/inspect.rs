//! Answers the inspector's questions ([`protocol::wire::inspector`]).
//!
//! **Invariants:** it reads the journal on connections of its own and never writes to it; it never
//! talks to stdin, and to stdout only through the one writer, behind everything else. Nothing is
//! remembered about inspectors but their open questions, and those are bounded.
//!
//! - `feed`: questions that wait for news, on a thread of their own.
//! - `query_worker`: those that are answered one after the other. One thread answers what the
//!   journal knows, another what a server has to be asked for, which may not answer for long.
//! - `compare_worker`: comparisons with Memcached, on a thread of their own.
//! - `doctor_worker`: what `idb-relay doctor` finds, likewise.
//! - [`health`]: the host, the journal, the sinks and how late they are; `status` shows the same.
//! - `record`: one record, in the mirror and in Memcached. `entry`: an event in the Redis stream.
//! - `cut`: large values left out, so that an answer fits a message.

use std::{
    path::Path,
    sync::mpsc::{self, SyncSender, TrySendError},
};

use protocol::wire::{
    host::{ErrorCode, HostError},
    inspector::{Answer, Ask, MAX_QUESTIONS, Question, Reply, Since},
};

use crate::{compare::Scope, config::Config, messaging::writer::Outbox, threads};

mod compare_worker;
mod cut;
mod doctor_worker;
mod entry;
mod feed;
pub mod health;
mod query_worker;
mod record;

use self::{
    compare_worker::{CompareWorker, Task},
    feed::Feeds,
    query_worker::QueryWorker,
};

/// The threads, as long as it is there.
pub(crate) struct Inspection {
    outbox: Outbox,
    feeds: SyncSender<(u64, Since)>,
    desk: SyncSender<(u64, Question)>,
    finder: SyncSender<(u64, Question)>,
    comparer: SyncSender<Task>,
    doctor_worker: SyncSender<u64>,
}

impl Inspection {
    /// Starts them. They open the journal when they are first asked something, and are not joined:
    /// they only read, and a repair may end anywhere.
    pub(crate) fn start(config: &Config, journal: &Path, outbox: &Outbox) -> Self {
        let (feeds, waiting) = mpsc::sync_channel(MAX_QUESTIONS);
        let thread = Feeds::new(journal, waiting, outbox.clone());
        start(move || thread.run());
        let [desk, finder] = [(); 2].map(|()| {
            let (desk, waiting) = mpsc::sync_channel(MAX_QUESTIONS);
            let thread = QueryWorker::new(config.clone(), journal, waiting, outbox.clone());
            start(move || thread.run());
            desk
        });
        let (comparer, waiting) = mpsc::sync_channel(MAX_QUESTIONS);
        let thread = CompareWorker::new(config.clone(), journal, waiting, outbox.clone());
        start(move || thread.run());
        let (doctor_worker, waiting) = mpsc::sync_channel(MAX_QUESTIONS);
        let (own, answers) = (config.clone(), outbox.clone());
        start(move || doctor_worker::run(own, &waiting, &answers));
        Self {
            outbox: outbox.clone(),
            feeds,
            desk,
            finder,
            comparer,
            doctor_worker,
        }
    }

    /// Takes a question; its answer follows. Never waits.
    pub(crate) fn ask(&self, ask: Ask) {
        let full = match ask.question {
            Question::Feed(since) => is_full(&self.feeds.try_send((ask.id, since))),
            Question::Compare {
                origin,
                bucket,
                database,
                store,
                repair,
            } => {
                let scope = Scope {
                    origin,
                    bucket,
                    database,
                    store,
                };
                let task = Task {
                    id: ask.id,
                    scope,
                    repair,
                };
                is_full(&self.comparer.try_send(task))
            }
            Question::Doctor {} => is_full(&self.doctor_worker.try_send(ask.id)),
            question @ (Question::Record(_) | Question::Entry { .. }) => {
                is_full(&self.finder.try_send((ask.id, question)))
            }
            question => is_full(&self.desk.try_send((ask.id, question))),
        };
        // The threads end only after this does; a question that no thread takes for another reason
        // is one of a session at its end.
        if full {
            fail(&self.outbox, ask.id, too_many());
        }
    }
}

fn is_full<T>(sent: &Result<(), TrySendError<T>>) -> bool {
    sent.is_err()
}

fn fail(outbox: &Outbox, id: u64, error: HostError) {
    outbox.answer(Answer {
        id,
        reply: Reply::Failed(error),
    });
}

fn too_many() -> HostError {
    failed(
        format!("{MAX_QUESTIONS} questions wait for their answers already"),
        "Close panels that are not needed, or ask again later.",
    )
}

/// A question that makes sense and has no answer.
fn failed(message: String, fix: &str) -> HostError {
    HostError {
        code: ErrorCode::QuestionFailed,
        message,
        fix: fix.to_owned(),
        context: None,
        sequence: None,
    }
}

/// Starts a thread that answers; without one its questions are refused.
fn start(run: impl FnOnce() + Send + 'static) {
    if let Err(error) = threads::spawn(run) {
        tracing::error!("no thread for the inspector's questions: {error}");
    }
}
