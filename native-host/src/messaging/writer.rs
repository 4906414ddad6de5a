//! The thread that owns stdout. Everything else hands it messages.

use std::{
    io::Write,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
};

use protocol::message::FromHost;

use super::frame;

/// The way to stdout.
pub(super) struct Outbox {
    messages: Sender<FromHost>,
    thread: JoinHandle<()>,
}

impl Outbox {
    /// Starts the thread that writes to the stream from now on.
    pub(super) fn start(stream: impl Write + Send + 'static) -> Self {
        let (messages, waiting) = mpsc::channel();
        let thread = thread::spawn(move || write_all(stream, &waiting));
        Self { messages, thread }
    }

    /// Sends a message, after all earlier ones. A browser that no longer listens is noticed at the end of stdin, not here.
    pub(super) fn send(&self, message: FromHost) {
        let _stream_broke = self.messages.send(message);
    }

    /// Waits until everything is written.
    pub(super) fn close(self) {
        drop(self.messages);
        let _panicked = self.thread.join();
    }
}

fn write_all(mut stream: impl Write, messages: &Receiver<FromHost>) {
    for message in messages {
        let bytes = match serde_json::to_vec(&message) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!("a message could not be written as JSON: {error}");
                continue;
            }
        };
        match frame::write(&mut stream, &bytes, protocol::MAX_MESSAGE_FROM_HOST) {
            Ok(()) => {}
            Err(error @ frame::FrameError::TooLong { .. }) => tracing::error!("{error}"),
            Err(error) => return tracing::warn!("{error}"),
        }
    }
}
