//! What a process does between taking the lease and losing it, whichever way events come.
//!
//! **Invariant:** nothing is written to Memcached but by [`Session::put`], which looks up what it
//! builds on, and whose fence is older than the last proof that the lease is ours.

use std::{
    collections::HashMap,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use redis::Connection;

use super::{
    batch_size::BatchSize,
    cache::{Cache, server},
    change::Target,
    interruption::Interruption,
    lease::{LENGTH, Lease},
    owners::Owners,
    report::Report,
};
use crate::{config::Config, timing};

/// How often a name is tried that another process writes to. Every try looks it up again; a process
/// that loses so often is not alone.
const TRIES: usize = 50;

/// A process that has the lease.
pub(super) struct Session<'a, W> {
    pub config: &'a Config,
    pub redis: Connection,
    pub cache: Cache,
    pub lease: &'a mut Lease,
    /// How much is written at once: it has to arrive before the fence.
    pub batch_size: &'a mut BatchSize,
    pub report: &'a mut Report<W>,
    pub ended: &'a AtomicBool,
    pub owners: Owners,
    /// When the clocks were looked at last, and for each server what follows from it.
    pub fences: Option<(Instant, Vec<u32>)>,
}

/// What a name is to hold on its server.
struct Wanted<'t> {
    name: &'t str,
    value: Option<&'t [u8]>,
    /// Why it is nothing although the record has a value.
    refused: Option<String>,
}

impl<W: Write> Session<'_, W> {
    /// Waits until no write can land any more that any process sent before we took the lease. If
    /// the servers' clocks were read after the last of these was sent, and before now, they have to
    /// move on from there.
    pub fn settle(&mut self, clocks: Option<Vec<u32>>) -> Result<(), Interruption> {
        self.report.state(
            "taking_over",
            format_args!(
                "taking over: waiting until what was sent to Memcached before has arrived (up to {LENGTH} s)"
            ),
        )?;
        let first = match clocks {
            Some(clocks) => clocks,
            None => self.cache.clocks()?,
        };
        loop {
            self.go_on()?;
            let now = self.cache.clocks()?;
            if first.iter().zip(&now).all(|(first, now)| *now >= first + LENGTH) {
                return Ok(());
            }
            self.keep()?;
            thread::sleep(timing::apply::CLOCK_POLL);
        }
    }

    /// Fails with [`Interruption::Asked`] if the end was asked for.
    pub fn go_on(&self) -> Result<(), Interruption> {
        if self.ended.load(Ordering::Relaxed) {
            Err(Interruption::Asked)
        } else {
            Ok(())
        }
    }

    /// Asks whether the lease is ours, and keeps it.
    pub fn keep(&mut self) -> Result<(), Interruption> {
        let kept = self
            .lease
            .keep(&mut self.redis)
            .map_err(|error| self.redis_failed(&error))?;
        if !kept {
            return Err(Interruption::LeaseLost);
        }
        self.cache.kept();
        Ok(())
    }

    /// The date from which on nothing lands on a server that is sent there now.
    pub fn fence(&mut self, index: usize) -> Result<u32, Interruption> {
        let stale = |(set, _): &(Instant, _)| set.elapsed() > timing::apply::FENCE_FRESH;
        if self.fences.as_ref().is_none_or(stale) {
            let set = Instant::now();
            let clocks = self.cache.clocks()?;
            self.keep()?;
            self.fences = Some((set, clocks.into_iter().map(Cache::fence).collect()));
        }
        let fences = self.fences.as_ref().map(|(_, fences)| fences);
        Ok(fences.and_then(|fences| fences.get(index)).copied().unwrap_or(0))
    }

    /// Brings the records of one server to hold this; each name stands once.
    pub fn put(&mut self, index: usize, targets: &[&Target]) -> Result<(), Interruption> {
        let mut rest = targets;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|target| {
                bytes += target.value.as_ref().map_or(0, String::len);
                bytes <= self.batch_size.bytes()
            });
            let (piece, more) = rest.split_at(fits.count().max(1));
            self.put_piece(index, piece)?;
            rest = more;
        }
        Ok(())
    }

    fn put_piece(&mut self, index: usize, targets: &[&Target]) -> Result<(), Interruption> {
        let mut open: Vec<Wanted<'_>> = targets.iter().map(|target| self.wanted(index, target)).collect();
        for _ in 0..TRIES {
            let fence = self.fence(index)?;
            let began = Instant::now();
            let names: Vec<&str> = open.iter().map(|wanted| wanted.name).collect();
            let seen = self.cache.look(index, &names)?;
            let writes: Vec<(server::Write<'_>, &server::Seen)> = open
                .iter()
                .zip(&seen)
                .map(|(wanted, seen)| ((wanted.name, wanted.value), seen))
                .collect();
            let done = self.cache.write(index, &writes, fence);
            self.batch_size.learn(began.elapsed());
            let done = done?;
            let mut still = Vec::new();
            for (wanted, done) in open.into_iter().zip(done) {
                if done {
                    let refused = wanted.refused.as_deref();
                    self.report
                        .applied(wanted.name, wanted.value.is_some(), refused)?;
                } else {
                    still.push(wanted);
                }
            }
            if still.is_empty() {
                return Ok(());
            }
            open = still;
        }
        Err(Interruption::trouble(
            "contended",
            format!(
                "memcached at {}: another program keeps writing to {} of our keys",
                self.cache.addresses().get(index).map_or("", String::as_str),
                open.len()
            ),
            "One group of apply feeds a Memcached, and nothing else: write memcached.mode = \"off\" where the hosts run, use the \
             same --group everywhere, and keep the application from writing these keys.",
        ))
    }

    fn wanted<'t>(&self, index: usize, target: &'t Target) -> Wanted<'t> {
        let value = target.value.as_deref().map(str::as_bytes);
        let mut wanted = Wanted {
            name: &target.name,
            value,
            refused: target.refused.clone(),
        };
        if let Some(value) = value
            && !self.cache.takes(index, &target.name, value)
        {
            let length = value.len();
            wanted.value = None;
            wanted.refused = Some(format!(
                "{length} bytes are more than the server takes (see its option -I)"
            ));
        }
        wanted
    }

    /// Brings records to hold what these targets say, the later ones of a name before the earlier
    /// ones.
    pub fn put_newest<'t>(&mut self, targets: impl Iterator<Item = &'t Target>) -> Result<(), Interruption> {
        let mut newest: HashMap<&str, &Target> = HashMap::new();
        for target in targets {
            newest.insert(&target.name, target);
        }
        let mut by_server: HashMap<usize, Vec<&Target>> = HashMap::new();
        for (name, target) in newest {
            by_server
                .entry(self.cache.server_of(name))
                .or_default()
                .push(target);
        }
        for (index, targets) in by_server {
            self.put(index, &targets)?;
        }
        Ok(())
    }

    /// What an error of Redis means.
    pub fn redis_failed(&self, error: &redis::RedisError) -> Interruption {
        Interruption::redis(
            error,
            self.config.redis.as_ref().map_or("", |redis| redis.url.as_str()),
        )
    }
}
