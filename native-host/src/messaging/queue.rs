//! What has been read from stdin and is not journaled yet: first in, first out, bounded in bytes.
//!
//! When it is full the reader waits, the pipe fills, and the browser's side waits in turn; nothing
//! is dropped here.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::frame::FrameError;

/// How many bytes of frames may wait: what the extension has on its way at most. One frame always
/// fits, however long it is.
const CAPACITY: usize = 16 * 1024 * 1024;

/// How many frames, and how many bytes of them, one take hands out: one transaction of the journal.
/// Enough that its fsync is a small part of it, little enough that the sinks pass the one on while
/// the next is written.
const BATCH_FRAMES: usize = 1024;
const BATCH_BYTES: usize = 1024 * 1024;

#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    end: Option<Result<(), FrameError>>,
}

/// What [`Queue::take`] found.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Everything that waited, up to the size of a batch.
    Frames(Vec<Vec<u8>>),
    /// Nothing came in the given time.
    Idle,
    /// Nothing waits and nothing will come: the input ended, cleanly or not. A failure is returned
    /// once; afterwards the end is clean.
    End(Result<(), FrameError>),
}

impl Queue {
    /// Adds a frame, waiting while the queue is full.
    pub(crate) fn put(&self, frame: Vec<u8>) {
        let mut inner = self.lock();
        while inner.bytes > 0 && inner.bytes + frame.len() > CAPACITY {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.bytes += frame.len();
        inner.frames.push_back(frame);
        self.changed.notify_all();
    }

    /// No more frames will come.
    pub(crate) fn end(&self, how: Result<(), FrameError>) {
        self.lock().end.get_or_insert(how);
        self.changed.notify_all();
    }

    /// Whether the input is at its end; frames may still wait.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Takes what is there, waiting for something at most this long. It never waits for a batch to
    /// fill.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let idle = |inner: &mut Inner| inner.frames.is_empty() && inner.end.is_none();
        let (mut inner, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, idle)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.frames.is_empty() {
            return match &mut inner.end {
                Some(end) => Taken::End(std::mem::replace(end, Ok(()))),
                None => Taken::Idle,
            };
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < BATCH_FRAMES
            && let Some(frame) = inner.frames.front()
            && (taken.is_empty() || bytes + frame.len() <= BATCH_BYTES)
        {
            bytes += frame.len();
            taken.extend(inner.frames.pop_front());
        }
        inner.bytes -= bytes;
        self.changed.notify_all();
        Taken::Frames(taken)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds the lock can panic, and the queue is consistent at every step anyway.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_before_the_end() {
        let queue = Queue::default();
        assert!(matches!(queue.take(Duration::ZERO), Taken::Idle));
        queue.put(vec![1]);
        queue.put(vec![2]);
        queue.end(Err(FrameError::Truncated {
            expected: 4,
            missing: 1,
        }));
        assert!(matches!(queue.take(Duration::ZERO), Taken::Frames(frames) if frames == [[1], [2]]));
        assert!(matches!(queue.take(Duration::ZERO), Taken::End(Err(_))));
        assert!(matches!(queue.take(Duration::ZERO), Taken::End(Ok(()))));
    }

    #[test]
    fn a_full_queue_lets_the_reader_wait_and_loses_nothing() {
        let queue = Queue::default();
        let mut lengths = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..5 {
                    queue.put(vec![0; CAPACITY / 2 + 1]);
                }
                queue.end(Ok(()));
            });
            while let Taken::Frames(frames) = queue.take(Duration::from_secs(10)) {
                lengths.extend(frames.iter().map(Vec::len));
            }
        });
        assert_eq!(lengths, [CAPACITY / 2 + 1; 5]);
    }
}
