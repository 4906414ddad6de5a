//! All Memcached servers together, and what they remember of us.
//!
//! Beside the records each server holds a few small items of ours, so that what is known of a
//! server goes with it:
//!
//! - the *mark*, `idb-relay-apply:<group>`: that the server was filled. A server without it, or
//!   with another one, is empty or was left out for a while and has to be filled. It is looked up
//!   with every batch and while all is quiet, so a server that was restarted, flushed or exchanged
//!   is noticed. It says from what, in which form and with which other servers, and has a random
//!   *era*: a server that comes back into a list in which it was before has the mark of an older
//!   one.
//! - for each browser profile an *offset*, `idb-relay-apply:<group>:<profile>`: all of the
//!   profile's events up to this number that concern this server are in it. Events up to there are
//!   not applied again, wherever they come from: a Redis that was set back or emptied gets old
//!   events again, with new ids.
//!
//! - [`server`]: one server, and writes that cannot land late.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use memcache::exp::Error;
use serde_json::{Value, json};

pub mod server;

use self::server::{Seen, Server, Write};
use super::{interruption::Interruption, lease};
use crate::{config, memcached::ring::Ring};

/// What the mark of a server begins with that is being filled.
pub const FILLING: &str = "filling ";

/// Connections to all servers.
pub struct Cache {
    addresses: Vec<String>,
    servers: Vec<Server>,
    ring: Ring,
    mark: String,
    /// What is fed how; an era comes to it.
    feed: Value,
    /// What the mark says of a server that is filled.
    filled: String,
    /// Which server took longest, and how long, since the lease was known to be kept.
    slowest: Option<(usize, Duration)>,
}

/// What a server says of itself.
pub struct ServerStatus {
    /// It holds all that the stream said up to where the group is.
    pub filled: bool,
    /// The offsets that were asked for.
    offsets: HashMap<String, (Seen, Option<u64>)>,
}

impl ServerStatus {
    /// Up to which event of a profile this server has everything.
    pub fn offset(&self, profile: &str) -> Option<u64> {
        self.offsets.get(profile)?.1
    }
}

impl Cache {
    /// Connects to all servers.
    pub fn open(config: &config::Memcached, group: &str, source: &str) -> Result<Self, Interruption> {
        let servers = config
            .endpoints()
            .map(|endpoint| {
                Server::open(&endpoint).map_err(|error| Interruption::memcached(&error, endpoint.name()))
            })
            .collect::<Result<_, _>>()?;
        let feed = json!({
            "from": source, "key": config.key.to_string(), "value": config.value.name(), "servers": config.servers,
        });
        Ok(Self {
            addresses: config.servers.clone(),
            servers,
            ring: Ring::new(&config.servers),
            mark: mark_name(group),
            filled: String::new(),
            slowest: None,
            feed,
        })
    }

    /// Settles what the mark of a filled server is, from what the group remembers of it, and
    /// returns it.
    pub fn agree(&mut self, remembered: Option<String>) -> Result<&str, Interruption> {
        let mark = self.mark.clone();
        let mut found = Vec::new();
        for index in 0..self.servers.len() {
            let seen = self.ask(index, |server| server.look(&[&mark], true))?;
            found.extend(
                seen.into_iter()
                    .filter_map(|seen| String::from_utf8(seen.value?).ok()),
            );
        }
        let candidate = match remembered {
            Some(remembered) => Some(remembered),
            // Redis has forgotten it. What all servers say that say anything is as good.
            None if found.windows(2).all(|pair| pair[0] == pair[1]) => found.pop(),
            None => None,
        };
        self.filled = match candidate {
            Some(candidate) if self.is_of_this_feed(&candidate) => candidate,
            _ => {
                let mut mark = self.feed.clone();
                mark["era"] = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)).into();
                mark.to_string()
            }
        };
        Ok(&self.filled)
    }

    fn is_of_this_feed(&self, mark: &str) -> bool {
        let Ok(Value::Object(mut mark)) = serde_json::from_str(mark) else {
            return false;
        };
        mark.remove("era").is_some() && Value::Object(mark) == self.feed
    }

    /// The servers' addresses.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The server that a name belongs to.
    pub fn server_of(&self, name: &str) -> usize {
        self.ring.server(name.as_bytes())
    }

    /// The server that is asked first about a profile.
    pub fn home_of(&self, profile: &str) -> usize {
        self.server_of(&self.offset_name(profile))
    }

    /// The lease was just kept.
    pub fn kept(&mut self) {
        self.slowest = None;
    }

    /// Which server took longest since then, and how long.
    pub fn slowest(&self) -> Option<(&str, Duration)> {
        let (index, took) = self.slowest?;
        Some((self.addresses.get(index)?, took))
    }

    /// What the servers' clocks say.
    pub fn clocks(&mut self) -> Result<Vec<u32>, Interruption> {
        (0..self.servers.len())
            .map(|index| self.ask(index, Server::clock))
            .collect()
    }

    /// From what the clocks said *before* the lease was last kept: the dates from which on nothing
    /// of ours lands any more.
    ///
    /// The process that takes the lease afterwards reads the clocks later and waits until they have
    /// moved on by [`lease::LENGTH`]; so all that can still arrive then is dead.
    pub fn fence(clock: u32) -> u32 {
        clock + lease::LENGTH - 1
    }

    /// Whether a value can be held at all.
    pub fn takes(&self, index: usize, name: &str, value: &[u8]) -> bool {
        self.servers
            .get(index)
            .is_some_and(|server| server.takes(name, value))
    }

    /// The longest value that any of the servers takes.
    pub fn most_bytes(&self) -> usize {
        self.servers.iter().map(Server::most_bytes).max().unwrap_or(0)
    }

    /// How a server stands to these profiles.
    pub fn standing<'p>(
        &mut self,
        index: usize,
        profiles: impl Iterator<Item = &'p str>,
    ) -> Result<ServerStatus, Interruption> {
        let profiles: Vec<&str> = profiles.collect();
        let mut names = vec![self.mark.clone()];
        names.extend(profiles.iter().map(|profile| self.offset_name(profile)));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut seen = self.ask(index, |server| server.look(&names, true))?.into_iter();
        let mark = seen.next().and_then(|mark| mark.value);
        let offset = |seen: &Seen| std::str::from_utf8(seen.value.as_deref()?).ok()?.parse().ok();
        Ok(ServerStatus {
            filled: mark.as_deref() == Some(self.filled.as_bytes()),
            offsets: profiles
                .into_iter()
                .zip(seen)
                .map(|(profile, seen)| {
                    let number = offset(&seen);
                    (profile.to_owned(), (seen, number))
                })
                .collect(),
        })
    }

    /// Looks names up on their server.
    pub fn look(&mut self, index: usize, names: &[&str]) -> Result<Vec<Seen>, Interruption> {
        self.ask(index, |server| server.look(names, false))
    }

    /// Whether a host's sign of life is there under its name.
    pub fn has_sign(&mut self, name: &str) -> Result<bool, Interruption> {
        self.ask(self.server_of(name), |server| server.has_sign(name))
    }

    /// The same, with what they hold.
    pub fn look_with_values(&mut self, index: usize, names: &[&str]) -> Result<Vec<Seen>, Interruption> {
        self.ask(index, |server| server.look(names, true))
    }

    /// Lets a server be filled again.
    pub fn unmark(&mut self, index: usize, fence: u32) -> Result<(), Interruption> {
        let mark = self.mark.clone();
        let seen = self.look(index, &[&mark])?;
        if let Some(seen) = seen.first() {
            self.write(index, &[((&mark, None), seen)], fence)?;
        }
        Ok(())
    }

    /// Writes what was looked up; says of each whether it is as it should be now.
    pub fn write(
        &mut self,
        index: usize,
        writes: &[(Write<'_>, &Seen)],
        fence: u32,
    ) -> Result<Vec<bool>, Interruption> {
        self.ask(index, |server| server.write(writes, fence))
    }

    /// Notes up to where a server has everything of these profiles, unless another writer has noted
    /// something since it was asked. What goes wrong is only that something is applied twice.
    pub fn note(
        &mut self,
        index: usize,
        standing: &ServerStatus,
        offsets: &HashMap<&str, u64>,
        fence: u32,
    ) -> Result<bool, Interruption> {
        let notes: Vec<(String, String, &Seen)> = offsets
            .iter()
            .filter_map(|(profile, number)| {
                let (seen, _) = standing.offsets.get(*profile)?;
                Some((self.offset_name(profile), number.to_string(), seen))
            })
            .collect();
        let writes: Vec<(Write<'_>, &Seen)> = notes
            .iter()
            .map(|(name, number, seen)| ((name.as_str(), Some(number.as_bytes())), *seen))
            .collect();
        Ok(self.write(index, &writes, fence)?.into_iter().all(|done| done))
    }

    /// Marks a server as being filled, in place of any other mark; `None` if another process has
    /// written the mark meanwhile. What is returned belongs to [`Cache::mark_filled`].
    pub fn mark_filling(&mut self, index: usize, fence: u32) -> Result<Option<Vec<u8>>, Interruption> {
        let mark = self.mark.clone();
        let note = format!("{FILLING}{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)).into_bytes();
        let seen = self.look(index, &[&mark])?;
        let done = match seen.first() {
            Some(seen) => self.write(index, &[((&mark, Some(&note)), seen)], fence)?,
            None => Vec::new(),
        };
        Ok((done.first() == Some(&true)).then_some(note))
    }

    /// Marks a server as filled, unless the mark is no longer what filling it began with: then
    /// something emptied the server meanwhile.
    pub fn mark_filled(&mut self, index: usize, filling: &[u8], fence: u32) -> Result<bool, Interruption> {
        let (mark, filled) = (self.mark.clone(), self.filled.clone());
        let seen = self.ask(index, |server| server.look(&[&mark], true))?;
        match seen.first() {
            Some(seen) if seen.value.as_deref() == Some(filling) => {
                let done = self.write(index, &[((&mark, Some(filled.as_bytes())), seen)], fence)?;
                Ok(done.first() == Some(&true))
            }
            _ => Ok(false),
        }
    }

    fn offset_name(&self, profile: &str) -> String {
        offset_name(&self.mark, profile)
    }

    fn ask<T>(
        &mut self,
        index: usize,
        question: impl FnOnce(&mut Server) -> Result<T, Error>,
    ) -> Result<T, Interruption> {
        let (Some(server), Some(address)) = (self.servers.get_mut(index), self.addresses.get(index)) else {
            // The ring has as many servers as there are.
            return Err(Interruption::trouble(
                "refused",
                format!("there is no server {index}"),
                "Report this.",
            ));
        };
        let asked = Instant::now();
        let answer = question(server).map_err(|error| Interruption::memcached(&error, address));
        let took = asked.elapsed();
        if self.slowest.is_none_or(|(_, longest)| took > longest) {
            self.slowest = Some((index, took));
        }
        answer
    }
}

/// The name of a group's mark.
pub fn mark_name(group: &str) -> String {
    format!("idb-relay-apply:{group}")
}

/// The name of a profile's offset beside a mark.
pub fn offset_name(mark: &str, profile: &str) -> String {
    let mut name = format!("{mark}:");
    protocol::name::encode(profile, &mut name);
    name
}
