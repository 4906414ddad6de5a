//! The loop that all sinks share.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    failpoint,
    journal::{
        JournalError,
        progress::{
            Progress,
            condition::{Condition, Notice, Problem},
        },
        read::Reader,
    },
    timing,
};

/// The states of a sink that passes events on: with nothing wrong, and with something.
const RUNNING: &str = "running";
pub(super) const INCOMPLETE: &str = "incomplete";
pub(super) const PROFILE_COPIED: &str = "profile_copied";
/// The state of a sink that leaves some keys to another profile.
pub const NOT_OWNER: &str = "not_owner";

/// The state of a sink that passes nothing on because a host with a copy of its journal does.
pub(super) const PROFILE_IN_USE: &str = "profile_in_use";

/// Whether a sink in this state passes events on.
pub fn passes_on(state: &str) -> bool {
    [RUNNING, INCOMPLETE, PROFILE_COPIED, NOT_OWNER].contains(&state)
}

/// Whether this state means that another browser profile, or a copy of this one, writes in its
/// place.
pub fn is_about_others(state: &str) -> bool {
    [PROFILE_COPIED, PROFILE_IN_USE, NOT_OWNER].contains(&state)
}

/// Something that passes events on.
pub trait Sink: Send {
    /// Its name in the journal.
    fn name(&self) -> &'static str;

    /// Passes on some of the events after this one and says how far it came: no further than it was
    /// only if there are none.
    fn step(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError>;

    /// After an error: the last number that its server says was given out, if this journal did not.
    fn taken(&mut self) -> Option<u64> {
        None
    }

    /// This host ends; others need not wait for it.
    fn end(&mut self) {}

    /// Looks after its server while there is nothing to pass on after this event.
    fn idle(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError>;
}

/// How far a step came.
#[derive(Debug, Default)]
pub struct Step {
    /// All events up to this one have been passed on.
    pub reached: u64,
    /// What is to be said about single events.
    pub notices: Vec<Notice>,
    /// What is wrong all the same, and stays so until a person does something about it: one word
    /// that never changes its meaning, and what to do.
    pub trouble: Option<(&'static str, Problem)>,
}

/// Why a step came no further.
#[derive(Debug)]
pub struct StepError {
    /// Events up to this one have been passed on all the same.
    pub reached: Option<u64>,
    /// One word that never changes its meaning, such as `unreachable`.
    pub state: &'static str,
    /// What and what to do.
    pub trouble: Problem,
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        Self {
            reached: None,
            state: "journal_failed",
            trouble: Problem {
                fix: crate::failure::Failure::fix(&error),
                message: error.to_string(),
            },
        }
    }
}

/// How the journal's thread tells the sinks that there is something, or that it is time to end.
#[derive(Default)]
pub struct Wake {
    inner: Mutex<Signal>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy)]
struct Signal {
    head: u64,
    /// Set once nothing more will come: how long there is to pass the rest on.
    deadline: Option<Instant>,
}

impl Wake {
    /// There are events up to this one.
    pub fn advance(&self, head: u64) {
        let mut signal = self.lock();
        signal.head = signal.head.max(head);
        drop(signal);
        self.changed.notify_all();
    }

    /// Nothing more will come.
    pub fn finish(&self, deadline: Instant) {
        self.lock().deadline = Some(deadline);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Signal> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while there is nothing, at most this long.
    fn wait(&self, patience: Duration, nothing: impl Fn(&Signal) -> bool) -> Signal {
        let (signal, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |signal| nothing(signal))
            .unwrap_or_else(PoisonError::into_inner);
        *signal
    }
}

/// A sink with what it needs to run.
pub struct Runner<S> {
    sink: S,
    reader: Reader,
    progress: Progress,
    wake: std::sync::Arc<Wake>,
    reached: u64,
    pause: Duration,
    condition: Condition,
    /// How often a step has failed since the last one that came further.
    attempts: u64,
}

impl<S: Sink> Runner<S> {
    /// Resumes where the sink's last run came to.
    pub fn new(
        sink: S,
        reader: Reader,
        progress: Progress,
        wake: std::sync::Arc<Wake>,
    ) -> Result<Self, JournalError> {
        // Events start anywhere: a new sink's offset lies before the first of them, where there is
        // nothing to pass on.
        let (saved, tail) = (progress.reached()?, reader.tail()?);
        let reached = saved.max(tail);
        if reached > saved {
            progress.save(reached, &[])?;
        }
        Ok(Self {
            sink,
            reader,
            progress,
            wake,
            reached,
            pause: timing::sinks::first_backoff(),
            condition: running(),
            attempts: 0,
        })
    }

    /// Runs until the end: all passed on, or the time is up, or the server is away when the end
    /// comes.
    pub fn run(mut self) {
        self.work();
        self.tell(self.progress.finish());
        self.sink.end();
    }

    fn work(&mut self) {
        loop {
            let reached = self.reached;
            let signal = self.rest(timing::sinks::idle(), |signal| {
                signal.head <= reached && signal.deadline.is_none()
            });
            if let Some(deadline) = signal.deadline
                && (self.reached >= signal.head || Instant::now() >= deadline)
            {
                return;
            }
            let step = if self.reached < signal.head {
                self.sink.step(&self.reader, self.reached)
            } else {
                self.sink.idle(&self.reader, self.reached)
            };
            match step {
                Ok(step) => {
                    self.pause = timing::sinks::first_backoff();
                    self.attempts = 0;
                    self.advance(step.reached, &step.notices);
                    self.set_condition(match step.trouble {
                        None => running(),
                        Some((state, trouble)) => Condition {
                            state,
                            problem: Some(trouble),
                            attempts: 0,
                        },
                    });
                }
                Err(error) => {
                    if let Some(reached) = error.reached.filter(|reached| *reached > self.reached) {
                        self.attempts = 0;
                        self.advance(reached, &[]);
                    }
                    self.attempts += 1;
                    self.set_condition(Condition {
                        state: error.state,
                        problem: Some(error.trouble),
                        attempts: self.attempts,
                    });
                    if let Some(taken) = self.sink.taken() {
                        self.renumber(taken);
                    }
                    if signal.deadline.is_some() {
                        return;
                    }
                    // Jitter, so that hosts that lost one server do not come back in step.
                    self.rest(self.pause.mul_f64(0.5 + fastrand::f64()), |signal| {
                        signal.deadline.is_none()
                    });
                    self.pause = (self.pause * 2).min(timing::sinks::longest_backoff());
                }
            }
        }
    }

    /// Waits while there is nothing, at most this long, and sees to it that the progress is written
    /// meanwhile.
    fn rest(&self, patience: Duration, nothing: impl Fn(&Signal) -> bool) -> Signal {
        let end = Instant::now() + patience;
        let mut settled = self.progress.is_saved();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let patience = if settled {
                left
            } else {
                left.min(timing::sinks::PROGRESS_POLL)
            };
            let signal = self.wake.wait(patience, &nothing);
            if settled || !nothing(&signal) || Instant::now() >= end {
                return signal;
            }
            let saved = self.progress.save_pending();
            // What cannot be written now is written later.
            settled = saved.is_err() || self.progress.is_saved();
            self.tell(saved);
        }
    }

    fn advance(&mut self, reached: u64, notices: &[Notice]) {
        if reached <= self.reached {
            return;
        }
        self.reached = reached;
        failpoint::pass("sink.passed");
        self.tell(self.progress.save(reached, notices));
    }

    /// Gives events numbers that no other host has given out. If that fails it is tried again with
    /// the next connection.
    fn renumber(&self, taken: u64) {
        match self.progress.renumber(self.reached, taken) {
            Ok(head) => {
                self.reader.forget_recent();
                self.wake.advance(head);
            }
            Err(error) => tracing::warn!("{}: events have not got new numbers: {error}", self.sink.name()),
        }
    }

    /// Not fatal: the offset in the file is only older than need be, and the sinks take repetition.
    fn tell(&self, saved: Result<(), JournalError>) {
        if let Err(error) = saved {
            tracing::warn!("the progress of {} was not saved: {error}", self.sink.name());
        }
    }

    fn set_condition(&mut self, condition: Condition) {
        if condition == self.condition {
            return;
        }
        let is_known = condition.state == self.condition.state && condition.problem == self.condition.problem;
        if is_known {
            tracing::debug!(
                "{}: {} for the {}. time",
                self.sink.name(),
                condition.state,
                condition.attempts
            );
        } else if let Some(trouble) = &condition.problem {
            tracing::warn!("{}: {}: {}", self.sink.name(), condition.state, trouble.message);
        } else {
            tracing::info!("{}: {}", self.sink.name(), condition.state);
        }
        self.tell(self.progress.set_condition(&condition));
        self.condition = condition;
    }
}

fn running() -> Condition {
    Condition {
        state: RUNNING,
        problem: None,
        attempts: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Author, Journal};
    use std::sync::{Arc, mpsc};

    /// Records its calls and does nothing.
    struct CallRecorder(mpsc::Sender<&'static str>);

    impl CallRecorder {
        fn record(&self, what: &'static str, after: u64) -> Step {
            let _receiver_gone = self.0.send(what);
            Step {
                reached: after,
                ..Step::default()
            }
        }
    }

    impl Sink for CallRecorder {
        fn name(&self) -> &'static str {
            "recorder"
        }

        fn step(&mut self, _reader: &Reader, after: u64) -> Result<Step, StepError> {
            Ok(self.record("step", after))
        }

        fn idle(&mut self, _reader: &Reader, after: u64) -> Result<Step, StepError> {
            Ok(self.record("idle", after))
        }
    }

    #[test]
    fn sink_idles_when_journal_is_new() {
        let directory = tempfile::tempdir().expect("a directory");
        let author = Author {
            browser: "b".to_owned(),
            profile: "p".to_owned(),
        };
        let journal = Journal::open(directory.path(), author).expect("a journal");
        let (sender, calls) = mpsc::channel();
        let progress = Progress::open(journal.path(), journal.turn(), "recorder").expect("progress");
        let reader = Reader::open(journal.path()).expect("a reader");
        let wake = Arc::new(Wake::default());
        let runner =
            Runner::new(CallRecorder(sender), reader, progress, Arc::clone(&wake)).expect("a runner");
        wake.advance(journal.head());
        let thread = std::thread::spawn(move || runner.run());
        let next = || calls.recv_timeout(Duration::from_secs(10)).expect("a call");
        // Not again and again: there is nothing to do but to look after the server.
        assert_eq!([next(), next()], ["idle", "idle"]);
        wake.finish(Instant::now());
        thread.join().expect("it ends");
    }
}
