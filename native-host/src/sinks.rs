//! What reads the journal and passes it on, one thread each, every one from its own offset.
//!
//! **Invariants:** a sink reads the journal and never talks to stdin; a sink that cannot work waits
//! and tries again, it never skips and never lets the journal wait.
//!
//! - [`runner`]: the loop they share: wait, step, save, back off.
//! - [`redis`]: stream and channels, exactly once and in order.
//! - [`memcached`]: the newest value of every record.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    config::Config,
    journal::{Journal, JournalError, progress::Progress, read::Reader, tokens::Tokens},
    threads, timing,
};

pub mod memcached;
pub mod redis;
pub mod runner;

use self::runner::{Runner, Sink, Wake};

/// The names that stand in the journal's tables, and in what `tail` and `status` print.
pub const REDIS: &str = "redis";
/// See [`REDIS`].
pub const MEMCACHED: &str = "memcached";

/// What to do about two hosts of one profile.
const COPIED_FIX: &str = "Use one of the two only; when the other one has ended this one goes on by itself, and nothing is lost. To use both, remove the extension \
    from the copy and add it again: that makes a new profile id.";

/// The sinks that run.
pub struct Sinks {
    wake: Arc<Wake>,
    threads: Vec<JoinHandle<()>>,
}

impl Sinks {
    /// Starts those that the configuration has switched on.
    pub fn start(config: &Config, journal: &Journal, profile: &str) -> Result<Self, JournalError> {
        let mut sinks = Self {
            wake: Arc::default(),
            threads: Vec::new(),
        };
        let tokens = || Tokens::open(journal.path(), journal.turn());
        match &config.redis {
            Some(config) => {
                sinks.run(journal, redis::RedisSink::new(config.clone(), profile, tokens()?))?;
            }
            None => Progress::disable(journal.path(), &journal.turn(), REDIS)?,
        }
        match config.fed_memcached() {
            Some(config) => {
                sinks.run(journal, memcached::MemcachedSink::new(config, profile, tokens()?))?;
            }
            None => Progress::disable(journal.path(), &journal.turn(), MEMCACHED)?,
        }
        Ok(sinks)
    }

    fn run(&mut self, journal: &Journal, sink: impl Sink + 'static) -> Result<(), JournalError> {
        let progress = Progress::open(journal.path(), journal.turn(), sink.name())?;
        let reader = Reader::beside(journal.path(), journal.recent())?;
        let runner = Runner::new(sink, reader, progress, Arc::clone(&self.wake))?;
        let thread = threads::spawn(move || runner.run())
            .map_err(|error| JournalError::file(journal.path(), error))?;
        self.threads.push(thread);
        Ok(())
    }

    /// There are events up to this one.
    pub fn wake(&self, head: u64) {
        self.wake.advance(head);
    }

    /// Lets them pass on what is there, for at most this long. What is left waits in the journal
    /// for the next start.
    pub fn finish(self, patience: Duration) {
        self.wake.finish(Instant::now() + patience);
        let deadline = Instant::now() + patience;
        for thread in self.threads {
            // A sink may sit in a call to a server that hangs; the end of the process ends it.
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(timing::sinks::END_POLL);
            }
        }
    }
}
