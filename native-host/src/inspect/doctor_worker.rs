//! `idb-relay doctor` on demand, on a thread of its own: servers that are away let it wait.

use std::sync::mpsc::Receiver;

use protocol::wire::inspector::{Answer, Reply};

use crate::{config::Config, doctor, messaging::writer::Outbox};

/// Runs until the sender of its questions is dropped.
pub(super) fn run(config: Config, questions: &Receiver<u64>, outbox: &Outbox) {
    let config = Ok(config);
    while let Ok(id) = questions.recv() {
        let checks = doctor::examine(&config);
        let reply = Reply::Doctor(checks.into_iter().map(Into::into).collect());
        outbox.answer(Answer { id, reply });
    }
}
