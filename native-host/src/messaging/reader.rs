//! The thread that reads stdin. It knows frames, not messages.

use std::{io::Read, sync::Arc, thread};

use super::{frame, queue::Queue};

/// Reads frames from the stream into a queue until the stream ends or breaks.
///
/// The thread is not joined: blocked in a read, it ends with the process.
pub(crate) fn start(mut stream: impl Read + Send + 'static) -> Arc<Queue> {
    let queue = Arc::new(Queue::default());
    let filled = Arc::clone(&queue);
    thread::spawn(move || {
        loop {
            match frame::read(&mut stream, protocol::MAX_MESSAGE_TO_HOST) {
                Ok(Some(frame)) => filled.put(frame),
                Ok(None) => return filled.end(Ok(())),
                Err(error) => return filled.end(Err(error)),
            }
        }
    });
    queue
}
