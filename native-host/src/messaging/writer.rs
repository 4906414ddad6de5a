//! The thread that owns stdout. Everything else hands it messages.
//!
//! **Invariants:** what waits is bounded: a thread that hands over more waits until the browser has
//! read some, and so do, in turn, the messages that the browser sends meanwhile. Answers to
//! inspectors wait for everything else: an acknowledgement is held up by at most the one answer
//! that is just being written.

use std::{
    collections::VecDeque,
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use protocol::wire::{
    host::{ErrorCode, FromHost, HostError},
    inspector::{Answer, Reply},
};

use super::frame;

/// How many messages may wait. The largest, questions for records, are a good 100 KiB long; most
/// are a line.
const CAPACITY: usize = 256;

/// How many answers may wait; each is a message at most.
const ANSWERS: usize = 16;

/// The way to stdout, and the thread that writes there.
pub(crate) struct Writer {
    outbox: Outbox,
    thread: JoinHandle<()>,
}

/// The way to stdout.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<FromHost>,
    answers: VecDeque<Answer>,
    /// No more messages will come, or the writer thread has ended.
    closed: bool,
}

impl Writer {
    /// Starts the thread that writes to the stream from now on.
    pub(crate) fn start(stream: impl Write + Send + 'static) -> Self {
        let outbox = Outbox::default();
        let written = outbox.clone();
        let thread = thread::spawn(move || {
            written.write_all(stream);
            // Later messages would only pile up.
            written.change(|waiting| waiting.closed = true);
        });
        Self { outbox, thread }
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Waits until everything is written. What is sent from now on is dropped.
    pub(crate) fn close(self) {
        self.outbox.change(|waiting| waiting.closed = true);
        let _panicked = self.thread.join();
    }
}

impl Outbox {
    /// Sends a message, after all earlier ones, once there is room. A browser that no longer
    /// listens is noticed at the end of stdin, not here.
    pub(crate) fn send(&self, message: FromHost) {
        let full = |waiting: &mut Waiting| waiting.messages.len() >= CAPACITY && !waiting.closed;
        let mut waiting = self
            .0
            .changed
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if !waiting.closed {
            waiting.messages.push_back(message);
            self.0.changed.notify_all();
        }
    }

    /// Sends an answer once there is room, and nothing else to send.
    pub(crate) fn answer(&self, answer: Answer) {
        let full = |waiting: &mut Waiting| waiting.answers.len() >= ANSWERS && !waiting.closed;
        let mut waiting = self
            .0
            .changed
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if !waiting.closed {
            waiting.answers.push_back(answer);
            self.0.changed.notify_all();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that holds the lock can panic.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message; nothing once it is closed and all is taken.
    fn next(&self) -> Option<FromHost> {
        let idle = |waiting: &mut Waiting| {
            waiting.messages.is_empty() && waiting.answers.is_empty() && !waiting.closed
        };
        let mut waiting = self
            .0
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        self.0.changed.notify_all();
        let message = waiting.messages.pop_front();
        message.or_else(|| waiting.answers.pop_front().map(FromHost::Answer))
    }

    fn write_all(&self, mut stream: impl Write) {
        while let Some(message) = self.next() {
            let mut written = write(&mut stream, &message);
            if let (
                Err(error @ frame::FrameError::TooLong { length, .. }),
                FromHost::Answer(Answer { id, .. }),
            ) = (&written, &message)
            {
                tracing::error!("{error}");
                // An inspector that gets no answer asks nothing more.
                written = write(&mut stream, &FromHost::Answer(too_long(*id, *length)));
            }
            match written {
                Ok(()) => {}
                Err(error @ frame::FrameError::TooLong { .. }) => tracing::error!("{error}"),
                Err(error) => return tracing::warn!("{error}"),
            }
        }
    }
}

/// Writes a message as a frame. One that cannot be put into JSON is left out.
fn write(stream: &mut impl Write, message: &FromHost) -> Result<(), frame::FrameError> {
    match serde_json::to_vec(message) {
        Ok(bytes) => frame::write(stream, &bytes, protocol::MAX_MESSAGE_FROM_HOST),
        Err(error) => {
            tracing::error!("a message could not be written as JSON: {error}");
            Ok(())
        }
    }
}

/// What is answered in place of an answer that no message takes.
fn too_long(id: u64, bytes: usize) -> Answer {
    Answer {
        id,
        reply: Reply::Failed(HostError {
            code: ErrorCode::QuestionFailed,
            message: format!("the answer takes {bytes} bytes, more than a message may"),
            fix: "Use `idb-relay ls`, `get` or `tail` in a terminal.".to_owned(),
            context: None,
            sequence: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_that_is_too_long_is_replaced_by_an_error() {
        let outbox = Outbox::default();
        let message = "x".repeat(protocol::MAX_MESSAGE_FROM_HOST);
        let mut long = too_long(7, 0);
        if let Reply::Failed(error) = &mut long.reply {
            error.message = message;
        }
        outbox.answer(long);
        outbox.change(|waiting| waiting.closed = true);
        let mut written = Vec::new();
        outbox.write_all(&mut written);
        let text = String::from_utf8_lossy(&written);
        assert!(
            text.contains(r#""id":7"#) && text.contains("more than a message may"),
            "{text:.200}"
        );
    }

    #[test]
    fn answers_wait_for_everything_else() {
        let outbox = Outbox::default();
        outbox.answer(Answer {
            id: 1,
            reply: Reply::Done {},
        });
        outbox.send(FromHost::Acknowledged {
            context: "c".to_owned(),
            sequence: 1,
        });
        outbox.change(|waiting| waiting.closed = true);
        outbox.send(FromHost::Snapshot {
            origin: "dropped".to_owned(),
        });
        assert!(matches!(outbox.next(), Some(FromHost::Acknowledged { .. })));
        assert!(matches!(outbox.next(), Some(FromHost::Answer(_))));
        assert!(outbox.next().is_none());
    }

    #[test]
    fn who_sends_more_than_is_read_waits_and_nothing_is_lost() {
        let outbox = Outbox::default();
        let count = 3 * CAPACITY as u64;
        let acknowledged = |sequence| FromHost::Acknowledged {
            context: "c".to_owned(),
            sequence,
        };
        std::thread::scope(|scope| {
            scope.spawn(|| (0..count).for_each(|sequence| outbox.send(acknowledged(sequence))));
            for expected in 0..count {
                let Some(FromHost::Acknowledged { sequence, .. }) = outbox.next() else {
                    panic!("no acknowledgement")
                };
                assert_eq!(sequence, expected);
                assert!(outbox.lock().messages.len() <= CAPACITY);
            }
        });
        let done = |id| Answer {
            id,
            reply: Reply::Done {},
        };
        std::thread::scope(|scope| {
            scope.spawn(|| (0..count).for_each(|id| outbox.answer(done(id))));
            for expected in 0..count {
                let Some(FromHost::Answer(Answer { id, .. })) = outbox.next() else {
                    panic!("no answer")
                };
                assert_eq!(id, expected);
                assert!(outbox.lock().answers.len() <= ANSWERS);
            }
        });
        // Nor does it wait for one who does not listen any more.
        (0..CAPACITY as u64).for_each(|sequence| outbox.send(acknowledged(sequence)));
        std::thread::scope(|scope| {
            scope.spawn(|| outbox.send(acknowledged(0)));
            outbox.change(|waiting| waiting.closed = true);
        });
        assert_eq!(outbox.lock().messages.len(), CAPACITY);
    }
}
