//! The questions that are answered one after the other.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
};

use protocol::{
    MAX_MESSAGE_FROM_HOST,
    wire::{
        host::HostError,
        inspector::{Answer, Question, Reply, Store},
    },
};

use super::{entry, fail, failed, health::health, record};
use crate::{
    config::Config,
    failure::Failure as _,
    journal::read::{Reader, StoreSummary},
    messaging::writer::Outbox,
};

/// What of a message is left for what an answer holds.
const ROOM: usize = MAX_MESSAGE_FROM_HOST - 1024;

/// The thread's own.
pub(super) struct QueryWorker {
    config: Config,
    journal: PathBuf,
    questions: Receiver<(u64, Question)>,
    outbox: Outbox,
    reader: Option<Reader>,
}

impl QueryWorker {
    pub(super) fn new(
        config: Config,
        journal: &Path,
        questions: Receiver<(u64, Question)>,
        outbox: Outbox,
    ) -> Self {
        Self {
            config,
            journal: journal.to_owned(),
            questions,
            outbox,
            reader: None,
        }
    }

    /// Runs until the sender of its questions is dropped.
    pub(super) fn run(mut self) {
        while let Ok((id, question)) = self.questions.recv() {
            match self.answer(&question) {
                Ok(reply) => self.outbox.answer(Answer { id, reply }),
                Err(error) => fail(&self.outbox, id, error),
            }
        }
    }

    fn answer(&mut self, question: &Question) -> Result<Reply, HostError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.journal).map_err(|error| error.to_message())?,
        };
        let reply = match question {
            Question::Health {} => {
                Reply::Health(health(&self.config, &reader).map_err(|error| error.to_message())?)
            }
            Question::Stores {} => Reply::Stores(stores(&reader)?),
            Question::Record(address) => Reply::Record(record::record(&self.config, &reader, address)?),
            Question::Entry { number } => Reply::Entry(entry::entry(&self.config, &reader, *number)?),
            Question::Compare { .. } | Question::Doctor {} | Question::Feed(_) | Question::Resync { .. } => {
                return Err(failed(
                    "this host cannot answer that question".to_owned(),
                    "Update idb-relay to the extension's version.",
                ));
            }
        };
        self.reader = Some(reader);
        Ok(reply)
    }
}

/// The stores, as many as fit a message.
fn stores(reader: &Reader) -> Result<Vec<Store>, HostError> {
    let stores: Vec<Store> = reader
        .stores()
        .map_err(|error| error.to_message())?
        .into_iter()
        .map(
            |StoreSummary {
                 place,
                 version,
                 complete,
                 pending_reads,
                 records,
                 ..
             }| Store {
                origin: place.origin,
                bucket: place.bucket,
                database: place.database,
                version,
                store: place.store,
                records,
                complete,
                pending_reads,
            },
        )
        .collect();
    let bytes = serde_json::to_string(&stores).map_or(usize::MAX, |text| text.len());
    if bytes > ROOM {
        return Err(failed(
            format!("{} stores are too many for one message", stores.len()),
            "`idb-relay ls` shows them.",
        ));
    }
    Ok(stores)
}
