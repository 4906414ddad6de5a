//! Who of a group's processes may write to Memcached: a lease in Redis.
//!
//! **Invariant:** what changes the group (reading on, claiming, acknowledging) is done by Redis in
//! the same step in which it looks whether the lease is still the caller's. So a process that has
//! lost it, knowing or not, takes no message away and acknowledges none.
//!
//! Redis cannot keep a late request from Memcached, though. That is done by dates
//! ([`fence`](super::cache::Cache::fence)), and they rest on this: no keeping of the lease succeeds
//! after another process has taken it.

use std::{
    thread,
    time::{Duration, Instant},
};

use redis::{Connection, RedisError, Script, ScriptInvocation, Value};

use self::hold::LeaseHolder;
pub(super) use self::hold::LeaseWait;
use super::interruption;
use crate::{config::Config, timing};

mod hold;

/// How long a lease lives without being kept, in seconds. All processes must agree on it, so it
/// cannot be configured.
pub const LENGTH: u32 = timing::apply::LEASE_SECONDS;

/// What a try to take the lease led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It is ours, and the process that had it before had finished everything.
    Clean,
    /// It is ours, and what the process that had it before sent last may still be on its way.
    Unknown,
    /// The consumer of this name has it.
    By(String),
}

/// What the scripts are about.
#[derive(Debug, Clone)]
struct Keys {
    lease: String,
    /// The stream, if there is one.
    stream: Option<String>,
}

/// A process's part in the lease of its group.
pub struct Lease {
    keys: Keys,
    consumer: String,
    /// Since when it is ours, if it is.
    hold: LeaseHolder,
    /// For how long it was not kept when it was given up for that reason.
    late: Option<Duration>,
    /// How often anybody had kept it when it was last asked for.
    keepings: Option<u64>,
    /// No other process had it between its last two takings.
    is_unbroken: bool,
    acquire: Script,
    leased: Script,
    tidy: Script,
}

impl Lease {
    /// The lease of a group, not held yet.
    pub fn new(stream: Option<&str>, group: &str, consumer: &str) -> Self {
        let slot = match stream {
            Some(stream) if stream.contains(['{', '}']) => stream.to_owned(),
            Some(stream) => format!("{{{stream}}}"),
            None => "{idb}".to_owned(),
        };
        Self {
            keys: Keys {
                lease: format!("{slot}:apply:{group}"),
                stream: stream.map(str::to_owned),
            },
            consumer: consumer.to_owned(),
            hold: LeaseHolder::default(),
            late: None,
            keepings: None,
            is_unbroken: false,
            acquire: Script::new(include_str!("lease/acquire.lua")),
            leased: Script::new(include_str!("lease/leased.lua")),
            tidy: Script::new(include_str!("lease/tidy.lua")),
        }
    }

    /// Has it kept from now on while an answer of Redis is long in coming, on a connection of its
    /// own.
    pub fn attend(&self, config: &Config) {
        let (hold, keys, config, leased) = (
            self.hold.clone(),
            self.keys.clone(),
            config.clone(),
            self.leased.clone(),
        );
        thread::spawn(move || {
            let mut open: Option<Connection> = None;
            while let Some(token) = hold.next(timing::apply::LEASE_UNKEPT) {
                let Some(mut connection) = open.take().or_else(|| interruption::connect(&config).ok()) else {
                    continue;
                };
                let asked = Instant::now();
                let answer: Result<Vec<Value>, RedisError> =
                    keys.call(&leased, &token).arg(millis()).invoke(&mut connection);
                // Who waits finds out by himself what is wrong with the server.
                let Ok(answer) = answer else { continue };
                if answer.first() == Some(&Value::Int(1)) {
                    hold.keep(&token, asked);
                } else {
                    hold.lose(&token);
                }
                open = Some(connection);
            }
        });
    }

    /// While what is returned lives, a caller waits for an answer of Redis, and the lease is kept.
    pub(super) fn wait(&self) -> LeaseWait {
        self.hold.wait()
    }

    /// Takes the lease if no other process has it.
    pub fn take(&mut self, connection: &mut Connection) -> Result<Takeover, RedisError> {
        // Never the same twice, so that what an earlier life of ours left is not taken for this
        // one's.
        let token = format!(
            "{} {:016x}{:016x}",
            self.consumer,
            fastrand::u64(..),
            fastrand::u64(..)
        );
        let asked = Instant::now();
        let (answer, holder, keepings, before): (String, String, u64, Option<String>) = self
            .acquire
            .key(&self.keys.lease)
            .key(self.keys.keepings())
            .key(format!("{}:taken", self.keys.lease))
            .arg(&token)
            .arg(millis())
            .arg(self.hold.token())
            // Never what was counted before, and far from where an integer ends.
            .arg(fastrand::u64(..1 << 48))
            .invoke(connection)?;
        self.keepings = Some(keepings);
        if answer == "held" {
            return Ok(Takeover::By(consumer_of(&holder)));
        }
        self.is_unbroken = before.is_some_and(|before| before == self.hold.token());
        self.hold.take(token, asked);
        self.late = None;
        Ok(if answer == "free" {
            Takeover::Clean
        } else {
            Takeover::Unknown
        })
    }

    /// How often any process had kept it when it was last asked for. If two answers are equal, no
    /// process has kept or taken it in between.
    pub fn keepings(&self) -> Option<u64> {
        self.keepings
    }

    /// Whether no other process had it between its last two takings.
    pub fn is_unbroken(&self) -> bool {
        self.is_unbroken
    }

    /// For how long it was not kept, if it was given up for that reason.
    pub fn late(&self) -> Option<Duration> {
        self.late
    }

    /// Which consumer has it, this one or another.
    pub fn holder(&self, connection: &mut Connection) -> Result<Option<String>, RedisError> {
        let token: Option<String> = redis::cmd("GET").arg(&self.keys.lease).query(connection)?;
        Ok(token
            .filter(|token| token != "free")
            .map(|token| consumer_of(&token)))
    }

    /// Keeps the lease; whether it was still ours.
    pub fn keep(&mut self, connection: &mut Connection) -> Result<bool, RedisError> {
        Ok(self.run(connection, &[])?.is_some())
    }

    /// Runs a command about the stream and keeps the lease, or does neither: `None` if it is no
    /// longer ours.
    pub fn run(
        &mut self,
        connection: &mut Connection,
        command: &[&str],
    ) -> Result<Option<Value>, RedisError> {
        let leased = self.leased.clone();
        self.invoke(connection, &leased, &[], command)
    }

    /// Runs a script about the stream and keeps the lease, or does neither: `None` if it is no
    /// longer ours. The script looks itself whether it is, as `leased.lua` does: its keys are the
    /// lease, the count of its keepings, the stream and these, its arguments the token, the lease's
    /// life and these, and it returns 0, or 1 and its answer.
    pub fn invoke(
        &mut self,
        connection: &mut Connection,
        script: &Script,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Option<Value>, RedisError> {
        let asked = Instant::now();
        let Some(kept) = self.hold.kept() else {
            return Ok(None);
        };
        let token = self.hold.token();
        let pause = asked.saturating_duration_since(kept);
        if pause > timing::apply::LEASE_UNKEPT {
            self.late = Some(pause);
            self.hold.lose(&token);
            return Ok(None);
        }
        let mut call = self.keys.call(script, &token);
        for key in keys {
            call.key(key);
        }
        call.arg(millis());
        for argument in arguments {
            call.arg(argument);
        }
        let waiting = self.hold.wait();
        let answer: Result<Vec<Value>, RedisError> = call.invoke(connection);
        drop(waiting);
        let mut answer = answer.inspect_err(|_| self.hold.lose(&token))?;
        if answer.first() != Some(&Value::Int(1)) {
            self.hold.lose(&token);
            return Ok(None);
        }
        self.hold.keep(&token, asked);
        Ok(Some(if answer.len() > 1 {
            answer.swap_remove(1)
        } else {
            Value::Nil
        }))
    }

    /// Gives the lease back. Only when nothing that was sent to Memcached is unanswered: the next
    /// one will not wait.
    pub fn release(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let key = self.keys.lease.clone();
        self.run(connection, &["SET", &key, "free"])?;
        self.hold.lose(&self.hold.token());
        Ok(())
    }

    /// Gives the lease up for anybody to take, who then has to wait as if we had been killed.
    pub fn abandon(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let key = self.keys.lease.clone();
        self.run(connection, &["DEL", &key])?;
        self.hold.lose(&self.hold.token());
        Ok(())
    }

    /// The key under which the group remembers what it feeds
    /// ([`Cache::agree`](super::cache::Cache::agree)).
    pub fn memory_key(&self) -> String {
        format!("{}:feed", self.keys.lease)
    }

    /// The key under which the group remembers how many entries there were up to the one it has
    /// read last ([`Position`](super::group::Position)).
    pub fn position_key(&self) -> String {
        format!("{}:position", self.keys.lease)
    }

    /// The key under which the group remembers which events never came, until it has said so.
    pub fn holes_key(&self) -> String {
        format!("{}:holes", self.keys.lease)
    }

    /// Leaves the group and gives the lease back.
    pub fn end(&mut self, connection: &mut Connection, group: &str) -> Result<(), RedisError> {
        if self.keys.stream.is_some() {
            // Whether or not there is a group.
            let _either = self.tidy(connection, group);
        }
        self.release(connection)
    }

    /// What the events come from, for the record.
    pub fn source(&self) -> String {
        self.keys.stream.clone().unwrap_or_else(|| "channels".to_owned())
    }

    /// Deletes the group's consumers that have nothing pending.
    pub fn tidy(&self, connection: &mut Connection, group: &str) -> Result<(), RedisError> {
        self.keys
            .call(&self.tidy, &self.hold.token())
            .arg(group)
            .invoke(connection)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.hold.end();
    }
}

impl Keys {
    fn keepings(&self) -> String {
        format!("{}:kept", self.lease)
    }

    fn call<'s>(&self, script: &'s Script, token: &str) -> ScriptInvocation<'s> {
        let mut call = script.key(&self.lease);
        call.key(self.keepings());
        if let Some(stream) = &self.stream {
            call.key(stream);
        }
        call.arg(token);
        call
    }
}

/// The consumer's name in a token.
fn consumer_of(token: &str) -> String {
    token
        .rsplit_once(' ')
        .map_or(token, |(consumer, _)| consumer)
        .to_owned()
}

fn millis() -> u32 {
    LENGTH * 1000
}
