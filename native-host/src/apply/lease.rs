//! Who of a group's processes may write to Memcached: a lease in Redis.
//!
//! **Invariant:** what changes the group (reading on, claiming, acknowledging) is done by Redis in the same step in which it looks whether the
//! lease is still the caller's. So a process that has lost it, knowing or not, takes no message away and acknowledges none.
//!
//! Redis cannot keep a late request from Memcached, though. That is done by dates ([`fence`](super::cache::Cache::fence)), and
//! they rest on this: no keeping of the lease succeeds after somebody else has taken it.

use std::time::{Duration, Instant};

use redis::{Connection, RedisError, Script, ScriptInvocation, Value};

/// How long a lease lives without being kept, in seconds. All processes must agree on it, so it cannot be configured.
pub const LENGTH: u32 = 4;

/// A lease that was not kept for so long is given up without asking: a Redis that was set back to an older state could say yes
/// though somebody else has it.
const LONGEST_PAUSE: Duration = Duration::from_millis(LENGTH as u64 * 500);

/// What a try to take the lease led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is ours, and whoever had it before had finished everything.
    Clean,
    /// It is ours, and what whoever had it before sent last may still be on its way.
    Unknown,
    /// The consumer of this name has it.
    By(String),
}

/// A process's part in the lease of its group.
pub struct Lease {
    key: String,
    /// The stream, if there is one: what the commands are about.
    stream: Option<String>,
    consumer: String,
    /// What we put in last.
    token: String,
    /// When it was last known to be ours.
    kept: Option<Instant>,
    /// How often anybody had kept it when it was last asked for.
    keepings: Option<u64>,
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
            key: format!("{slot}:apply:{group}"),
            stream: stream.map(str::to_owned),
            consumer: consumer.to_owned(),
            token: String::new(),
            kept: None,
            keepings: None,
            acquire: Script::new(include_str!("lease/acquire.lua")),
            leased: Script::new(include_str!("lease/leased.lua")),
            tidy: Script::new(include_str!("lease/tidy.lua")),
        }
    }

    /// Takes the lease if nobody has it.
    pub fn take(&mut self, connection: &mut Connection) -> Result<Taken, RedisError> {
        // Never the same twice, so that what an earlier life of ours left is not taken for this one's.
        let token = format!(
            "{} {:016x}{:016x}",
            self.consumer,
            fastrand::u64(..),
            fastrand::u64(..)
        );
        let asked = Instant::now();
        let (answer, holder, keepings): (String, String, u64) = self
            .acquire
            .key(&self.key)
            .key(self.keepings_key())
            .arg(&token)
            .arg(millis())
            .arg(&self.token)
            // Never what was counted before, and far from where an integer ends.
            .arg(fastrand::u64(..1 << 48))
            .invoke(connection)?;
        self.keepings = Some(keepings);
        if answer == "held" {
            return Ok(Taken::By(consumer_of(&holder)));
        }
        self.token = token;
        self.kept = Some(asked);
        Ok(if answer == "free" {
            Taken::Clean
        } else {
            Taken::Unknown
        })
    }

    /// How often anybody had kept it when it was last asked for. Two equal answers: nobody has in between, nor taken it.
    pub fn keepings(&self) -> Option<u64> {
        self.keepings
    }

    fn keepings_key(&self) -> String {
        format!("{}:kept", self.key)
    }

    /// Which consumer has it, be it us or another.
    pub fn holder(&self, connection: &mut Connection) -> Result<Option<String>, RedisError> {
        let token: Option<String> = redis::cmd("GET").arg(&self.key).query(connection)?;
        Ok(token
            .filter(|token| token != "free")
            .map(|token| consumer_of(&token)))
    }

    /// Keeps the lease; whether it was still ours.
    pub fn keep(&mut self, connection: &mut Connection) -> Result<bool, RedisError> {
        Ok(self.run(connection, &[])?.is_some())
    }

    /// Runs a command about the stream and keeps the lease, or does neither: `None` if it is no longer ours.
    pub fn run(
        &mut self,
        connection: &mut Connection,
        command: &[&str],
    ) -> Result<Option<Value>, RedisError> {
        let leased = self.leased.clone();
        self.invoke(connection, &leased, &[], command)
    }

    /// Runs a script about the stream and keeps the lease, or does neither: `None` if it is no longer ours. The script looks itself whether
    /// it is, as `leased.lua` does: its keys are the lease, the count of its keepings, the stream and these, its arguments the token, the lease's life and these, and
    /// it returns 0, or 1 and its answer.
    pub fn invoke(
        &mut self,
        connection: &mut Connection,
        script: &Script,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Option<Value>, RedisError> {
        let asked = Instant::now();
        if self
            .kept
            .take()
            .is_none_or(|kept| asked.duration_since(kept) > LONGEST_PAUSE)
        {
            return Ok(None);
        }
        let mut call = self.call(script);
        for key in keys {
            call.key(key);
        }
        call.arg(millis());
        for argument in arguments {
            call.arg(argument);
        }
        let mut answer: Vec<Value> = call.invoke(connection)?;
        if answer.first() != Some(&Value::Int(1)) {
            return Ok(None);
        }
        self.kept = Some(asked);
        Ok(Some(if answer.len() > 1 {
            answer.swap_remove(1)
        } else {
            Value::Nil
        }))
    }

    /// Gives the lease back. Only when nothing that was sent to Memcached is unanswered: the next one will not wait.
    pub fn release(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let key = self.key.clone();
        self.run(connection, &["SET", &key, "free"])?;
        self.kept = None;
        Ok(())
    }

    /// Gives the lease up for anybody to take, who then has to wait as if we had been killed.
    pub fn abandon(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let key = self.key.clone();
        self.run(connection, &["DEL", &key])?;
        self.kept = None;
        Ok(())
    }

    /// The key under which the group remembers what it feeds ([`Cache::agree`](super::cache::Cache::agree)).
    pub fn memory_key(&self) -> String {
        format!("{}:feed", self.key)
    }

    /// The key under which the group remembers how many entries there were up to the one it has read last
    /// ([`Position`](super::group::Position)).
    pub fn position_key(&self) -> String {
        format!("{}:position", self.key)
    }

    /// The key under which the group remembers which events never came, until it has said so.
    pub fn holes_key(&self) -> String {
        format!("{}:holes", self.key)
    }

    /// Leaves the group and gives the lease back.
    pub fn end(&mut self, connection: &mut Connection, group: &str) -> Result<(), RedisError> {
        if self.stream.is_some() {
            // Whether or not there is a group.
            let _either = self.tidy(connection, group);
        }
        self.release(connection)
    }

    /// What the events come from, for the record.
    pub fn source(&self) -> String {
        self.stream.clone().unwrap_or_else(|| "channels".to_owned())
    }

    /// Deletes the group's consumers that have nothing pending.
    pub fn tidy(&self, connection: &mut Connection, group: &str) -> Result<(), RedisError> {
        self.call(&self.tidy).arg(group).invoke(connection)
    }

    fn call<'s>(&self, script: &'s Script) -> ScriptInvocation<'s> {
        let mut call = script.key(&self.key);
        call.key(self.keepings_key());
        if let Some(stream) = &self.stream {
            call.key(stream);
        }
        call.arg(&self.token);
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
