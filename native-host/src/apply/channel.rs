//! From Pub/Sub: events that arrive while the process listens, at most once.
//!
//! Redis keeps nothing for a subscriber that is away. Missing numbers show what was missed, once a
//! later event arrives. A received event is written, however often that has to be tried. If that is
//! impossible, because another process writes now or the end was asked for, it is reported.
//!
//! A process that stands by receives the same events. It keeps those since the last signs of life
//! of the process that writes: that one may not have written them.
//!
//! - `subscriber`: what listens.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::Write,
    mem,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use redis::Connection;
use serde_json::json;

use super::{
    change::Change,
    interruption::{Interruption, fix_when_missed},
    numbers::Numbers,
    open_transactions::OpenTransactions,
    report::Report,
    session::Session,
};
use crate::{config::Config, memcached::most_bytes, timing};

mod subscriber;

use self::subscriber::{HELD, Received, Subscriber};

/// How many events are applied together, and how many bytes they may have by which no more are
/// added.
const BATCH: usize = 512;
const LARGE: usize = 1024 * 1024;

/// For how many signs of life of the one that writes what it should have written is held by who
/// stands by.
const SIGNS: u64 = 3;

/// What to do about events that were missed.
const FIX_MISSED: &str = "Pub/Sub delivers at most once. Without --pubsub nothing is missed: the stream is read instead, and Memcached is filled from it at the first start.";

/// The received events, and what became of them.
pub(super) struct Channels {
    subscriber: Subscriber,
    /// We write, or have written and not seen another process do so.
    writes: bool,
    /// The last event of each profile that was taken in hand, by us or by the process that wrote
    /// before.
    known: HashMap<String, u64>,
    /// What was taken in hand and is not known to be in Memcached.
    in_hand: Vec<Change>,
    /// Events that the writing process may not have written yet, each with the number of signs of
    /// life that it had given by then.
    window: VecDeque<(u64, Change)>,
    /// The bytes of the values in it.
    held: usize,
    signs: u64,
    numbers: Numbers,
}

/// Listens to all channels until the result is dropped.
pub(super) fn listen(config: &Config) -> Channels {
    let stream = config.redis.as_ref().and_then(|redis| redis.stream.clone());
    Channels {
        // Hosts may publish beside the stream, or without one.
        numbers: Numbers::new(if stream.is_some() {
            vec![stream, None]
        } else {
            vec![None]
        }),
        subscriber: Subscriber::open(config),
        writes: false,
        known: HashMap::new(),
        in_hand: Vec::new(),
        window: VecDeque::new(),
        held: 0,
        signs: 0,
    }
}

impl Channels {
    /// This process writes, and no other one writes what it receives. `is_clean`: the process that
    /// wrote before has reported what it left behind.
    pub(super) fn take<W: Write>(
        &mut self,
        config: &Config,
        report: &mut Report<W>,
        is_clean: bool,
        is_unbroken: bool,
    ) -> Result<(), Interruption> {
        if self.writes && !is_unbroken {
            // Another process may have written younger values meanwhile.
            self.leave(config, report, "another process has written meanwhile")?;
        }
        self.writes = true;
        self.held = 0;
        for (_, change) in mem::take(&mut self.window) {
            if is_clean {
                self.pass(&change);
            } else {
                self.accept(report, change)?;
            }
        }
        Ok(())
    }

    /// Another process writes; `is_alive`: it has shown a sign of life since the last time.
    pub(super) fn stand_by<W: Write>(
        &mut self,
        config: &Config,
        redis: &mut Connection,
        report: &mut Report<W>,
        is_alive: bool,
    ) -> Result<(), Interruption> {
        self.leave(config, report, "another process writes now")?;
        while let Some(change) = self.next_change(config) {
            // The one that writes says so.
            let url = config.redis.as_ref().map_or("", |redis| redis.url.as_str());
            let fault = self.numbers.fault(redis, &change);
            if fault.map_err(|error| Interruption::redis(&error, url))?.is_some() {
                continue;
            }
            self.held += change.value_bytes();
            self.window.push_back((self.signs, change));
            self.shorten_window();
        }
        self.signs += u64::from(is_alive);
        self.shorten_window();
        Ok(())
    }

    /// Drops the events that the writing process has written by now, and the oldest if there is no
    /// room for them.
    fn shorten_window(&mut self) {
        while let Some((sign, _)) = self.window.front()
            && (sign + SIGNS <= self.signs || self.held > HELD)
        {
            let is_old = sign + SIGNS <= self.signs;
            if let Some((_, change)) = self.window.pop_front() {
                self.held -= change.value_bytes();
                if is_old {
                    self.pass(&change);
                } else {
                    // It is a hole in the numbers, which is reported if we take over.
                    let before = change.sequence.saturating_sub(1);
                    self.known.entry(change.profile).or_insert(before);
                }
            }
        }
    }

    /// Gives up the events that were received and not written, and reports them.
    pub(super) fn leave<W: Write>(
        &mut self,
        config: &Config,
        report: &mut Report<W>,
        why: &str,
    ) -> Result<(), Interruption> {
        if !mem::take(&mut self.writes) {
            return Ok(());
        }
        let mut left: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut changes = mem::take(&mut self.in_hand);
        while let Some(change) = changes.pop().or_else(|| self.next_change(config)) {
            left.entry(change.profile).or_default().push(change.sequence);
        }
        self.known.clear();
        for (profile, mut numbers) in left {
            numbers.sort_unstable();
            for run in numbers.chunk_by(|one, next| next - one <= 1) {
                let (Some(first), Some(last)) = (run.first(), run.last()) else {
                    continue;
                };
                let count = last.saturating_sub(*first).saturating_add(1);
                report.print(
                    "gap",
                    format_args!(
                        "gap: {count} events of profile {profile} were received and not written ({first} to {last}), for {why}; what they changed may be \
                         stale in Memcached"
                    ),
                    json!({"profile": profile, "first": first, "last": last, "events": count, "fix": FIX_MISSED}),
                )?;
            }
        }
        Ok(())
    }

    /// The next event that was received already.
    fn next_change(&mut self, config: &Config) -> Option<Change> {
        while let Ok(received) = self.subscriber.next(Duration::ZERO) {
            if let Received::Event(event) = received
                && let Ok(change) = Change::read(&event, &config.memcached, most_bytes("", None))
            {
                return Some(change);
            }
        }
        None
    }

    /// Notes that the process that writes, or wrote before us, has taken an event in hand.
    fn pass(&mut self, change: &Change) {
        let known = self.known.entry(change.profile.clone()).or_default();
        *known = change.sequence.max(*known);
    }

    /// Takes an event in hand, unless it was taken before.
    fn accept<W: Write>(&mut self, report: &mut Report<W>, change: Change) -> Result<(), Interruption> {
        let last = self.known.get(&change.profile).copied();
        if last >= Some(change.sequence) {
            return Ok(());
        }
        if let Some(last) = last
            && change.sequence > last + 1
        {
            report.gap(&change.profile, last + 1, change.sequence - 1, FIX_MISSED)?;
        }
        self.pass(&change);
        self.in_hand.push(change);
        Ok(())
    }
}

/// Brings the received events to Memcached until something interrupts it.
pub(super) fn follow<W: Write>(
    session: &mut Session<'_, W>,
    channels: &mut Channels,
) -> Result<(), Interruption> {
    if channels.subscriber.is_open() {
        session.report.state("applying", "listening")?;
    }
    loop {
        session.go_on()?;
        if !channels.in_hand.is_empty() {
            // If it fails it stays in hand.
            // What changes hands is not filled from here: nothing is known of what came before.
            let owned = match session.owned(&channels.in_hand)? {
                Some(owned) => owned,
                None => session.owned(&channels.in_hand)?.unwrap_or_default(),
            };
            let changes = channels.in_hand.iter().zip(owned);
            let targets = changes
                .filter(|(_, is_owned)| *is_owned)
                .filter_map(|(change, _)| change.target.as_ref());
            session.put_newest(targets)?;
            channels.in_hand.clear();
            session.report.flush()?;
        }
        match channels.subscriber.next(timing::apply::NO_EVENT) {
            Ok(received) => apply_received(session, channels, received)?,
            Err(RecvTimeoutError::Timeout) => {
                session.keep()?;
                // What changes hands is not filled from here, either.
                session.look_after_owners()?;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(Interruption::Asked),
        }
    }
}

/// Applies this event, and what was received by now, up to a bound.
fn apply_received<W: Write>(
    session: &mut Session<'_, W>,
    channels: &mut Channels,
    first: Received,
) -> Result<(), Interruption> {
    let (mut next, mut bytes) = (Some(first), 0);
    let mut open = OpenTransactions::default();
    let mut kept = Instant::now();
    while let Some(received) = next {
        match received {
            Received::Event(event) => {
                bytes += event.len();
                let most = session.cache.most_bytes();
                let problem = match Change::read(&event, &session.config.memcached, most) {
                    Ok(change) => {
                        let fault = channels.numbers.fault(&mut session.redis, &change);
                        let fault = fault.map_err(|error| session.redis_failed(&error))?;
                        if fault.is_none() {
                            bytes += change.value_bytes();
                            open.note(&change);
                            channels.accept(session.report, change)?;
                        }
                        fault
                    }
                    Err(error) => Some(error.to_string()),
                };
                if let Some(problem) = problem {
                    session.report.print(
                        "unreadable",
                        format_args!("a message is no event and is left out: {problem}"),
                        json!({"problem": problem}),
                    )?;
                }
            }
            Received::Listening => session.report.state("applying", "listening")?,
            Received::Deaf(Interruption::Trouble { state, trouble, .. }) => {
                let fix = fix_when_missed(&trouble.fix);
                session.report.trouble(state, &trouble.message, &fix)?;
            }
            Received::Deaf(stop) => return Err(stop),
        }
        next = if open.are_worth_waiting_for() && bytes < HELD {
            await_rest(session, channels, &open, &mut kept)?
        } else if bytes < LARGE && channels.in_hand.len() < BATCH {
            channels.subscriber.next(Duration::ZERO).ok()
        } else {
            None
        };
    }
    Ok(())
}

/// Waits for the rest of a transaction, and keeps the lease, which was kept last at `kept`. `None`:
/// nothing came for so long that the rest is lost, or its host has ended.
fn await_rest<W: Write>(
    session: &mut Session<'_, W>,
    channels: &mut Channels,
    open: &OpenTransactions,
    kept: &mut Instant,
) -> Result<Option<Received>, Interruption> {
    loop {
        if kept.elapsed() >= timing::apply::NO_EVENT {
            session.go_on()?;
            session.keep()?;
            *kept = Instant::now();
        }
        match channels.subscriber.next(timing::apply::NO_EVENT) {
            Ok(received) => return Ok(Some(received)),
            Err(RecvTimeoutError::Timeout) if open.are_worth_waiting_for() => {}
            Err(_) => return Ok(None),
        }
    }
}
