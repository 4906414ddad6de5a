//! One Memcached server, and writes that cannot land late.
//!
//! Every write says what it builds on. One that replaces or deletes an item names the item's CAS
//! value, as it was looked up on this very connection: if anything happened to the item since, the
//! server refuses. One that creates an item has nothing to name, so it carries a date on the
//! server's own clock (the *fence*) and the item lives only until then; the next command, sent
//! along with it, lets the item live without expiry. If both arrive in time the item is as
//! permanent as any; if they arrive late the item is dead on arrival and the second command finds
//! nothing to prolong.
//!
//! A connection ends with its server, so what was looked up before a restart is never written after
//! it.

use memcache::exp::{Error, MetaCommand, MetaCommandResult, MetaOp, ReturnCode};

use crate::{
    config::endpoint::Endpoint,
    memcached::{Answer, CommandBatch, Connection, most_bytes},
    sinks::memcached::owner::is_sign_of_host,
    timing,
};

/// What an item takes beside its key and its value: Memcached's own header with a CAS value, and
/// the line end (`item_make_header` in its source), a little more than that.
const ITEM_OVERHEAD: usize = 64;

/// How much one exchange carries.
const EXCHANGE_COMMANDS: usize = 512;
const EXCHANGE_BYTES: usize = 1024 * 1024;

/// A connection to one server.
pub struct Server {
    line: Connection,
    item_size: u64,
}

/// What was found under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `None`: no item.
    cas: Option<u64>,
    /// Only if it was asked for.
    pub value: Option<Vec<u8>>,
}

/// What a name is to hold: these bytes, or nothing.
pub type Write<'a> = (&'a str, Option<&'a [u8]>);

impl Server {
    /// Connects.
    pub fn open(endpoint: &Endpoint) -> Result<Self, Error> {
        let (mut line, greeting) = Connection::open(endpoint)?;
        // The lease does not wait for a slow exchange.
        line.limit(timing::memcached::answer());
        if !greeting.has_cas {
            // It would take any CAS value for the right one.
            return Err(Error::Rejected("it runs without CAS (option -C)".to_owned()));
        }
        let item_size = greeting
            .item_size
            .ok_or_else(|| missing_setting("item_size_max"))?;
        Ok(Self { line, item_size })
    }

    /// The server's clock, by which items expire; whole seconds.
    pub fn clock(&mut self) -> Result<u32, Error> {
        let answers = self.line.stats("stats")?;
        let time = answers.get("time").and_then(|time| time.parse().ok());
        time.ok_or_else(|| missing_setting("time"))
    }

    /// Whether a value fits into an item. Larger ones must not even be offered: the server answers
    /// by deleting what is there, without checking what the write builds on.
    pub fn takes(&self, name: &str, value: &[u8]) -> bool {
        (name.len() + value.len() + ITEM_OVERHEAD) as u64 <= self.item_size
    }

    /// The longest value that it takes under the shortest name.
    pub fn most_bytes(&self) -> usize {
        most_bytes("", Some(self.item_size))
    }

    /// Looks names up.
    pub fn look(&mut self, names: &[&str], values: bool) -> Result<Vec<Seen>, Error> {
        let mut seen = Vec::with_capacity(names.len());
        for names in names.chunks(EXCHANGE_COMMANDS) {
            let commands: Vec<MetaCommand> = names
                .iter()
                .map(|name| {
                    let command = MetaCommand::new(MetaOp::Get, *name).flag("c");
                    if values { command.flag("v") } else { command }
                })
                .collect();
            for result in self.run(&commands)? {
                seen.push(found(result)?);
            }
        }
        Ok(seen)
    }

    /// Whether there is a sign of life of a host under its name.
    pub fn has_sign(&mut self, name: &str) -> Result<bool, Error> {
        let found = self.run(&[MetaCommand::new(MetaOp::Get, name).flag("t")])?;
        let found = found.first().filter(|found| found.rc != ReturnCode::En);
        Ok(found.is_some_and(|found| is_sign_of_host(found.ttl)))
    }

    /// Brings names to hold what the writes say, each only if it is as it was seen, and new ones
    /// only if they arrive before the fence. Says of each whether it holds it.
    pub fn write(&mut self, writes: &[(Write<'_>, &Seen)], fence: u32) -> Result<Vec<bool>, Error> {
        let mut done = Vec::with_capacity(writes.len());
        let mut commands = Vec::new();
        let mut bytes = 0;
        let mut first = 0;
        for (index, ((name, value), seen)) in writes.iter().enumerate() {
            let length = name.len() + value.map_or(0, <[u8]>::len);
            if !commands.is_empty()
                && (bytes + length > EXCHANGE_BYTES || commands.len() >= EXCHANGE_COMMANDS)
            {
                self.exchange(&std::mem::take(&mut commands), &writes[first..index], &mut done)?;
                bytes = 0;
                first = index;
            }
            bytes += length;
            push_commands(&mut commands, name, *value, seen, fence);
        }
        self.exchange(&commands, &writes[first..], &mut done)?;
        Ok(done)
    }

    fn exchange(
        &mut self,
        commands: &[MetaCommand],
        writes: &[(Write<'_>, &Seen)],
        done: &mut Vec<bool>,
    ) -> Result<(), Error> {
        let mut results = self.run(commands)?.into_iter();
        let mut next = || results.next().map(|result| result.rc);
        for ((_, value), seen) in writes {
            done.push(match (value, &seen.cas) {
                (Some(_), Some(_)) => next() == Some(ReturnCode::Hd),
                // Both, in any case: each has an answer.
                (Some(_), None) => (next(), next()) == (Some(ReturnCode::Hd), Some(ReturnCode::Hd)),
                (None, Some(_)) => matches!(next(), Some(ReturnCode::Hd | ReturnCode::Nf)),
                (None, None) => true,
            });
        }
        Ok(())
    }

    /// Sends commands and waits for all their answers.
    fn run(&mut self, commands: &[MetaCommand]) -> Result<Vec<MetaCommandResult>, Error> {
        let mut parcel = CommandBatch::default();
        for command in commands {
            parcel.push_command(command)?;
        }
        let answers = self.line.exchange(&parcel).map_err(|broken| broken.error)?;
        answers.into_iter().map(Answer::result).collect()
    }
}

fn push_commands(commands: &mut Vec<MetaCommand>, name: &str, value: Option<&[u8]>, seen: &Seen, fence: u32) {
    match (value, &seen.cas) {
        (Some(value), Some(cas)) => {
            commands.push(
                MetaCommand::new(MetaOp::Set, name)
                    .flag(format!("C{cas}"))
                    .value(value),
            );
        }
        (Some(value), None) => {
            commands.push(
                MetaCommand::new(MetaOp::Set, name)
                    .flag("ME")
                    .flag(format!("T{fence}"))
                    .value(value),
            );
            commands.push(MetaCommand::new(MetaOp::Get, name).flag("T0"));
        }
        (None, Some(cas)) => commands.push(MetaCommand::new(MetaOp::Delete, name).flag(format!("C{cas}"))),
        (None, None) => {}
    }
}

fn found(result: MetaCommandResult) -> Result<Seen, Error> {
    match (result.rc, result.cas) {
        (ReturnCode::En, _) => Ok(Seen {
            cas: None,
            value: None,
        }),
        (ReturnCode::Hd | ReturnCode::Va, Some(cas)) => Ok(Seen {
            cas: Some(cas),
            value: result.value,
        }),
        (code, _) => Err(Error::Protocol(format!("{code:?} is no answer to mg"))),
    }
}

fn missing_setting(name: &str) -> Error {
    Error::Protocol(format!("the server does not report its {name}"))
}
