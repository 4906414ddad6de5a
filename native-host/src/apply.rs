//! `idb-relay apply`: from Redis to Memcached, as a process of its own, for teams whose browsers
//! are not near the cache.
//!
//! ```text
//! Redis: stream, consumer group ─▶ stream ─┐
//!        channels               ─▶ channel ┴▶ session ─▶ cache ─▶ Memcached
//!        lease ◀──────────────────────────────┘
//! ```
//!
//! Any number of processes of a group may run. The order of a record's events is that of the
//! stream, so one process at a time applies them; the others stand by.
//!
//! **Invariants** (the argument is in `docs/delivery.md`):
//! - The process that writes has the [`lease`], or writes nothing that matters: every write is
//!   refused by Memcached itself if the record was touched since it was looked up, or if it comes
//!   so late that another process may have the lease.
//! - Who takes the lease begins only when nothing older can land any more.
//! - An event is acknowledged after it is in Memcached.
//! - Values are plain: flags 0, no expiry, the bytes of the value and nothing else.
//!
//! # Layout
//!
//! - [`lease`]: which process writes.
//! - [`session`]: what the one that does may do. [`owners`], [`ownership`]: which profile's events
//!   it writes.
//! - [`stream`], [`group`]: events from the stream, with acknowledgement. `stream::fill`: servers
//!   that are empty. `stream::pending`: what others have left unfinished.
//! - [`channel`]: events from Pub/Sub, at most once.
//! - [`change`]: what an event means for Memcached. [`open_transactions`]: whose rest is to come.
//! - [`cache`]: the servers, what they remember, writes that cannot land late.
//! - [`cursor`]: how far the hosts have come. [`numbers`]: which events they can have given.
//!   [`cache_writer`]: who feeds a cache from the stream.
//! - [`batch_size`]: how much is sent at once. [`report`]: what is printed.
//! - [`interruption`]: why the work stops.

use std::{
    io::{self, Write},
    mem,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use redis::Connection;

use crate::{config::Config, timing};

mod batch_size;
pub mod cache;
pub mod cache_writer;
mod change;
mod channel;
pub mod cursor;
mod group;
mod interruption;
pub mod lease;
mod numbers;
mod open_transactions;
mod owners;
mod ownership;
mod report;
mod session;
mod stream;

use self::{
    batch_size::BatchSize,
    cache::Cache,
    channel::Channels,
    group::Group,
    interruption::Interruption,
    lease::{Lease, Takeover},
    report::Report,
    session::Session,
    stream::Stream,
};

/// What a process is to do.
#[derive(Debug)]
pub struct Options {
    /// Listen to the channels instead of reading the stream.
    pub pubsub: bool,
    /// The consumer group.
    pub group: String,
    /// This process's name in it.
    pub consumer: String,
    /// JSON instead of lines for a person.
    pub json: bool,
}

/// A process.
struct Process<'a, W> {
    config: &'a Config,
    ended: &'a AtomicBool,
    lease: Lease,
    report: Report<W>,
    /// The connections to Memcached, if nothing has failed on them.
    cache: Option<Cache>,
    /// Something that was sent to Memcached, by us or before us, may still land.
    unsettled: bool,
    /// What the servers' clocks said after all of that was sent, if that is known.
    clocks: Option<Vec<u32>>,
    /// How much is written to Memcached at once.
    batch_size: BatchSize,
    source: Source,
}

/// Where events come from.
enum Source {
    Stream(Box<Group>),
    Channels(Box<Channels>),
}

/// Applies events until the end is asked for. Fails only if the output cannot be written.
pub fn run(config: &Config, options: &Options, ended: &AtomicBool, out: impl Write) -> Result<(), io::Error> {
    let stream = config.redis.as_ref().and_then(|redis| redis.stream.as_deref());
    let source = match stream {
        Some(stream) if !options.pubsub => {
            Source::Stream(Box::new(Group::new(stream, &options.group, &options.consumer)))
        }
        _ => Source::Channels(Box::new(channel::listen(config))),
    };
    let mut name = options.consumer.clone();
    if let Source::Channels(_) = source {
        name.push_str(cache_writer::PUBSUB_SUFFIX);
    }
    let mut process = Process {
        config,
        ended,
        lease: Lease::new(stream, &options.group, &name),
        report: Report::new(out, options.json),
        cache: None,
        unsettled: true,
        clocks: None,
        batch_size: BatchSize::default(),
        source,
    };
    process.lease.attend(config);
    process.run(&options.group)
}

impl<W: Write> Process<'_, W> {
    fn run(&mut self, group: &str) -> Result<(), io::Error> {
        let mut pause = timing::apply::first_backoff();
        loop {
            let began = Instant::now();
            let was_ended = self.ended.load(Ordering::Relaxed);
            match self.attempt(group) {
                Ok(()) | Err(Interruption::Asked) => return self.leave(),
                Err(Interruption::Output(error)) => return Err(error),
                Err(Interruption::LeaseLost) => {
                    self.report.state("lease_lost", "another process may write now")?;
                    continue;
                }
                Err(Interruption::Trouble { state, trouble, .. }) => {
                    let fix = match &self.source {
                        Source::Stream(_) => trouble.fix,
                        Source::Channels(_) => interruption::fix_when_missed(&trouble.fix),
                    };
                    self.report.trouble(state, &trouble.message, &fix)?;
                    // Not before it was tried once more: who can reach Redis gives the lease back.
                    if was_ended {
                        return self.leave();
                    }
                }
            }
            if began.elapsed() > timing::apply::longest_backoff() * 5 {
                pause = timing::apply::first_backoff();
            }
            // Jitter, so that processes that lost one server do not come back in step.
            self.sleep(pause.mul_f64(0.5 + fastrand::f64()));
            pause = (pause * 2).min(timing::apply::longest_backoff());
        }
    }

    /// The end was asked for: reports what was received and will not be written, and the end.
    fn leave(&mut self) -> Result<(), io::Error> {
        if let Source::Channels(channels) = &mut self.source
            && let Err(Interruption::Output(error)) =
                channels.leave(self.config, &mut self.report, "this process was asked to end")
        {
            return Err(error);
        }
        self.report.state("ended", "ended")
    }

    /// From the connection to the first thing that goes wrong.
    fn attempt(&mut self, group: &str) -> Result<(), Interruption> {
        let mut redis = interruption::connect(self.config)?;
        self.stand_by(&mut redis, group)?;
        let source = self.lease.source();
        let opened = match self.cache.take() {
            Some(cache) => Ok(cache),
            None => Cache::open(&self.config.memcached, group, &source),
        };
        let cache = match opened {
            Ok(cache) => cache,
            Err(stop) => {
                // Another process may reach the server.
                let _runs_out = self.lease.abandon(&mut redis);
                return Err(stop);
            }
        };
        let mut session = Session {
            config: self.config,
            redis,
            cache,
            lease: &mut self.lease,
            batch_size: &mut self.batch_size,
            report: &mut self.report,
            owners: owners::Owners::default(),
            ended: self.ended,
            fences: None,
        };
        let mut worked = Ok(());
        if self.unsettled {
            worked = session.settle(self.clocks.take());
            self.unsettled = worked.is_err();
        }
        if worked.is_ok() {
            worked = match &mut self.source {
                Source::Stream(group) => {
                    Stream::join(&mut session, group).and_then(|mut stream| stream.follow())
                }
                Source::Channels(channels) => channel::follow(&mut session, channels),
            };
        }
        if let (Err(Interruption::LeaseLost), Some(pause)) = (&worked, session.lease.late()) {
            worked = Err(Interruption::late(pause, session.cache.slowest()));
        }
        let is_last = match &worked {
            Err(Interruption::Asked) => true,
            // It is not tried again.
            Err(Interruption::Trouble { .. }) => self.ended.load(Ordering::Relaxed),
            // What is in hand cannot be reported any more, so the next process must not rely on
            // that.
            _ => false,
        };
        // If the lease cannot be given back it runs out.
        if let Err(Interruption::Trouble { unanswered: true, .. }) = worked {
            self.unsettled = true;
            // Another process may reach the server.
            let _either = session.lease.abandon(&mut session.redis);
            return worked;
        }
        if is_last && !self.unsettled {
            let _either = session.lease.end(&mut session.redis, group);
        }
        let Session { cache, .. } = session;
        self.cache = Some(cache);
        worked
    }

    /// Waits until the lease is ours.
    ///
    /// What may still land when it is was sent with fences that are older than its last keeping. So
    /// the servers' clocks are looked at meanwhile: what they said after the last keeping is what
    /// has to be waited from, and most of that time has passed when the lease has run out.
    fn stand_by(&mut self, redis: &mut Connection, group: &str) -> Result<(), Interruption> {
        let url = self.config.redis.as_ref().map_or("", |redis| redis.url.as_str());
        let failed = |error| Interruption::redis(&error, url);
        self.clocks = None;
        if self.lease.keep(redis).map_err(failed)? {
            // Only a moment has passed, and no other process had it.
            return Ok(());
        }
        let mut seen: Option<(Option<u64>, Vec<u32>)> = None;
        let mut keepings = None;
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return Err(Interruption::Asked);
            }
            let taken = self.lease.take(redis).map_err(failed)?;
            if let Source::Channels(channels) = &mut self.source {
                let is_alive = mem::replace(&mut keepings, self.lease.keepings()) != self.lease.keepings();
                match &taken {
                    Takeover::By(_) => {
                        channels.stand_by(self.config, redis, &mut self.report, is_alive)?;
                    }
                    _ => channels.take(
                        self.config,
                        &mut self.report,
                        taken == Takeover::Clean,
                        self.lease.is_unbroken(),
                    )?,
                }
            }
            let seen_now = seen
                .take()
                .filter(|(keepings, _)| *keepings == self.lease.keepings());
            match taken {
                // The process that gave it back had waited for all that came before.
                Takeover::Clean => {
                    self.unsettled = false;
                    return Ok(());
                }
                Takeover::Unknown => {
                    self.unsettled = true;
                    self.clocks = seen_now.map(|(_, clocks)| clocks);
                    return Ok(());
                }
                Takeover::By(name) => self
                    .report
                    .state("standing_by", format_args!("standing by: {name} writes"))?,
            }
            seen = seen_now.or_else(|| Some((self.lease.keepings(), self.look_at_clocks(group)?)));
            self.sleep(timing::apply::stand_by());
        }
    }

    /// What the servers' clocks say, on the connections that are used later; `None` if they do not.
    fn look_at_clocks(&mut self, group: &str) -> Option<Vec<u32>> {
        let mut cache = match self.cache.take() {
            Some(cache) => cache,
            None => Cache::open(&self.config.memcached, group, &self.lease.source()).ok()?,
        };
        let clocks = cache.clocks().ok()?;
        self.cache = Some(cache);
        Some(clocks)
    }

    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.ended.load(Ordering::Relaxed) && Instant::now() < until {
            thread::sleep(timing::apply::END_POLL.min(pause));
        }
    }
}
