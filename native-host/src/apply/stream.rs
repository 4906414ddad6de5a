//! From the stream: every event, once it is acknowledged, is in Memcached.
//!
//! Transactions are applied atomically: what a record holds in the middle of one never was in the
//! database.
//!
//! An entry is acknowledged after its record was written and the offsets were noted, so the next
//! process applies what a killed one has not finished. It does so in one batch, of each record only
//! the newest: in smaller steps a record that the killed process had brought up to date already
//! could go back.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    mem,
};

use redis::RedisError;
use serde_json::json;

use super::{
    cache::ServerStatus,
    change::{Change, Target},
    group::{self, End, Entry, Extent, Group},
    interruption::Interruption,
    numbers::Numbers,
    session::Session,
};

mod fill;
mod lost;
mod pending;

use self::{lost::Lost, pending::PendingChanges};

/// What is to be done when events are gone for good.
const FIX_GAP: &str = "Run `idb-relay verify --repair` where the browsers concerned are: it puts right what differs, if it reaches this Memcached \
    and these servers, key and value stand in its configuration, too. Raise redis.max_stream_length if the stream was cut too early.";

/// How many entries are behind when it is worth telling how far it has come.
const BACKLOG: usize = 2000;

/// A session that reads a stream.
pub(super) struct Stream<'s, 'a, W> {
    session: &'s mut Session<'a, W>,
    group: &'s mut Group,
    /// The last entry that was given to a consumer of the group.
    last: String,
    backlog: Backlog,
    lost: Lost,
    numbers: Numbers,
}

/// What is caught up with.
#[derive(Default)]
struct Backlog {
    /// How many entries there were; `None` if that is unknown.
    all: Option<usize>,
    /// How many of them are done.
    done: usize,
}

impl<'s, 'a, W: Write> Stream<'s, 'a, W> {
    /// Joins the group, creating it if need be.
    pub fn join(session: &'s mut Session<'a, W>, group: &'s mut Group) -> Result<Self, Interruption> {
        let numbers = Numbers::new(vec![Some(group.stream().to_owned())]);
        let mut stream = Self {
            session,
            group,
            last: String::new(),
            backlog: Backlog::default(),
            lost: Lost::default(),
            numbers,
        };
        stream.agree()?;
        stream.find_place()?;
        stream.recall_holes()?;
        Ok(stream)
    }

    /// Finds out, or settles, by what a server is known that has been filled.
    fn agree(&mut self) -> Result<(), Interruption> {
        let key = self.session.lease.memory_key();
        let remembered = redis::cmd("GET").arg(&key).query(&mut self.session.redis);
        let remembered: Option<String> = self.asked(remembered)?;
        let agreed = self.session.cache.agree(remembered.clone())?.to_owned();
        if remembered.as_deref() != Some(&agreed) {
            let set = self
                .session
                .lease
                .run(&mut self.session.redis, &["SET", &key, &agreed]);
            self.leased(set)?;
        }
        Ok(())
    }

    /// Follows the stream until something stops it.
    pub fn follow(&mut self) -> Result<(), Interruption> {
        self.fill_what_is_empty()?;
        let mut in_hand = self.claim_pending()?;
        if !in_hand.goes_on() {
            self.finish(&mem::take(&mut in_hand))?;
        }
        let tidied = self
            .session
            .lease
            .tidy(&mut self.session.redis, self.group.name());
        self.asked(tidied)?;
        loop {
            self.session.go_on()?;
            let read = self
                .group
                .read(self.session.lease, &mut self.session.redis, &self.last);
            let entries = self.leased(read)?;
            let is_end = entries.is_empty();
            if let Some(last) = entries.last() {
                self.last.clone_from(&last.id);
                self.add_entries(&mut in_hand, entries)?;
            }
            if !in_hand.ids.is_empty() {
                if !in_hand.goes_on() {
                    let in_hand = mem::take(&mut in_hand);
                    self.finish(&in_hand)?;
                    self.tell_progress(in_hand.ids.len())?;
                } else if is_end {
                    self.wait()?;
                }
                continue;
            }
            self.fill_what_is_empty()?;
            if !self.arrive()? {
                continue;
            }
            self.session.report.state("applying", "up to date; following")?;
            self.backlog = Backlog::default();
            self.wait()?;
        }
    }

    /// Waits a while for something to come.
    fn wait(&mut self) -> Result<(), Interruption> {
        let waited = self
            .group
            .wait(self.session.lease, &mut self.session.redis, &self.last);
        self.asked(waited)
    }

    fn find_place(&mut self) -> Result<(), Interruption> {
        let extent = self.group.extent(&mut self.session.redis);
        let Some(extent) = self.asked(extent)? else {
            return Err(Interruption::trouble(
                "no_stream",
                format!("there is no stream {:?} in Redis yet", self.group.stream()),
                "Nothing to do if no page has written yet. Else: is redis.stream the same here and where the hosts run, and is it the \
                 same server? Is redis.stream \"\" there? Then use --pubsub.",
            ));
        };
        let place = self.group.place(&mut self.session.redis);
        if let Some(last) = self.asked(place)? {
            self.last = last;
            return self.tell_backlog(&extent);
        }
        // Servers that hold nothing of ours are filled with what the stream ends in, without going
        // through all that was before. Servers that do hold something have what the events up to
        // their offsets say, and need the rest.
        let (after, count) = if self.standings(&[])?.iter().any(|standing| standing.filled) {
            let gone = extent.added.and_then(|added| added.checked_sub(extent.length));
            ("0-0".to_owned(), gone)
        } else {
            (extent.last.clone(), extent.added)
        };
        let created = self
            .group
            .create(self.session.lease, &mut self.session.redis, &after, count);
        if !self.asked(created)? {
            return Err(Interruption::LeaseLost);
        }
        self.last = after;
        self.tell_backlog(&extent)
    }

    /// Says how much there is to catch up with, if there is something.
    fn tell_backlog(&mut self, extent: &Extent) -> Result<(), Interruption> {
        let all = self.lag(extent)?;
        self.backlog = Backlog { all, done: 0 };
        let text = match all {
            Some(0) => return Ok(()),
            Some(all) => format!("catching up: {all} events in the stream"),
            None => format!("catching up: some of {} events in the stream", extent.length),
        };
        Ok(self.session.report.state("catching_up", text)?)
    }

    /// How many entries are still to be read; `None` if that is unknown.
    fn lag(&mut self, extent: &Extent) -> Result<Option<usize>, Interruption> {
        let position = redis::cmd("GET")
            .arg(self.session.lease.position_key())
            .query(&mut self.session.redis);
        let position: Option<String> = self.asked(position)?;
        Ok(group::lag(extent, &self.last, position.as_deref()))
    }

    /// Brings what is in hand to Memcached and acknowledges its entries.
    fn finish(&mut self, in_hand: &PendingChanges) -> Result<(), Interruption> {
        let PendingChanges { changes, ids, .. } = in_hand;
        while !self.apply(changes)? {
            // A server is empty, or another writer noted something: look again.
            self.session.go_on()?;
            self.fill_what_is_empty()?;
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let acknowledged = self
            .group
            .acknowledge(self.session.lease, &mut self.session.redis, &ids);
        if !self.asked(acknowledged)? {
            return Err(Interruption::LeaseLost);
        }
        self.session.report.flush()?;
        Ok(())
    }

    /// The event of an entry; what cannot be read is said and left out.
    fn read(&mut self, entry: &Entry) -> Result<Option<Change>, Interruption> {
        let memcached = &self.session.config.memcached;
        let most = self.session.cache.most_bytes();
        let read = |event| Change::read(event, memcached, most);
        let problem = match entry.event.as_deref().map(read) {
            Some(Ok(change)) => match self.number_fault(&change)? {
                None => return Ok(Some(change)),
                Some(problem) => problem,
            },
            Some(Err(error)) => error.to_string(),
            None => "it has no field \"event\" with text in it".to_owned(),
        };
        self.session.report.print(
            "unreadable",
            format_args!("entry {} is no event and is left out: {problem}", entry.id),
            json!({"id": entry.id, "problem": problem}),
        )?;
        Ok(None)
    }

    /// Why no host has given an event its number, if so.
    fn number_fault(&mut self, change: &Change) -> Result<Option<String>, Interruption> {
        let fault = self.numbers.fault(&mut self.session.redis, change);
        self.asked(fault)
    }

    /// Applies changes, each at most once to each server; `false` if something came in between and
    /// it must be done again.
    fn apply(&mut self, changes: &[Change]) -> Result<bool, Interruption> {
        let mut profiles: Vec<&str> = changes.iter().map(|change| change.profile.as_str()).collect();
        profiles.sort_unstable();
        profiles.dedup();
        let standings = self.standings(&profiles)?;
        if standings.iter().any(|standing| !standing.filled) {
            return Ok(false);
        }
        let Some(owned) = self.session.owned(changes)? else {
            return Ok(false);
        };
        self.note_holes(changes, &standings)?;
        let mut targets: Vec<&Target> = Vec::new();
        let mut reached: BTreeMap<usize, HashMap<&str, u64>> = BTreeMap::new();
        for (change, is_owned) in changes.iter().zip(owned) {
            // Events about whole stores are noted where the profile is looked for first, so that
            // the numbers have no holes there.
            let home = self.session.cache.home_of(&change.profile);
            let server = change
                .target
                .as_ref()
                .map_or(home, |target| self.session.cache.server_of(&target.name));
            if standings
                .get(server)
                .and_then(|standing| standing.offset(&change.profile))
                < Some(change.sequence)
                && is_owned
            {
                targets.extend(&change.target);
            }
            for index in [home, server] {
                let known = standings
                    .get(index)
                    .and_then(|standing| standing.offset(&change.profile));
                if known < Some(change.sequence) {
                    let last = reached
                        .entry(index)
                        .or_default()
                        .entry(&change.profile)
                        .or_default();
                    *last = change.sequence.max(*last);
                }
            }
        }
        self.put_newest(&targets)?;
        for (index, offsets) in &reached {
            let fence = self.session.fence(*index)?;
            let Some(standing) = standings.get(*index) else {
                continue;
            };
            if !self.session.cache.note(*index, standing, offsets, fence)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn standings(&mut self, profiles: &[&str]) -> Result<Vec<ServerStatus>, Interruption> {
        (0..self.session.cache.addresses().len())
            .map(|index| self.session.cache.standing(index, profiles.iter().copied()))
            .collect()
    }

    fn tell_progress(&mut self, more: usize) -> Result<(), Interruption> {
        self.backlog.done += more;
        let Backlog { all, done } = self.backlog;
        if all.is_some_and(|all| all <= done) && done >= BACKLOG {
            // Hosts have written on, faster than this.
            let extent = self.group.extent(&mut self.session.redis);
            let extent = self.asked(extent)?.unwrap_or_default();
            self.backlog.all = self.lag(&extent)?.map(|lag| done + lag);
        }
        if self.backlog.all.is_none_or(|all| all >= BACKLOG) {
            self.session
                .report
                .progress("catching up", done, self.backlog.all)?;
        }
        Ok(())
    }

    fn asked<T>(&self, answer: Result<T, RedisError>) -> Result<T, Interruption> {
        answer.map_err(|error| self.session.redis_failed(&error))
    }

    fn leased<T>(&self, answer: Result<Option<T>, RedisError>) -> Result<T, Interruption> {
        self.asked(answer)?.ok_or(Interruption::LeaseLost)
    }
}
