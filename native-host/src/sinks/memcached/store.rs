//! What is sent to Memcached, and what its answers mean.

use std::borrow::Cow;

use memcache::exp::Error;

use super::{
    connection::{Answer, Broken, CommandBatch, Connection},
    obstacle::Obstacle,
};
use crate::{
    journal::condition::{Notice, Problem},
    sinks::runner::StepError,
};

/// How much travels together, unless a single value is larger.
const PARCEL_BYTES: usize = 1024 * 1024;

/// The largest value that is offered to a server that does not tell what it takes: no server takes
/// more without being told to, and few take more than 1 MiB.
const MAX_VALUE: usize = 32 * 1024 * 1024;

/// What an item takes beyond its key and value in every version of Memcached: header, CAS number,
/// the key's end, the value's end. A version may take somewhat more; then the server itself
/// refuses.
pub(crate) const ITEM_BYTES: usize = 48 + 8 + 1 + 2;

/// What a key is to hold.
pub(super) struct Item<'a> {
    /// The event that says so.
    pub number: u64,
    pub name: String,
    /// None: nothing.
    pub value: Option<Cow<'a, str>>,
}

/// Whether a server takes an item of this size, as far as it has told what it takes.
fn fits(name: &str, value: &str, item_size: Option<u64>) -> bool {
    item_size.is_none_or(|most| (name.len() + value.len() + ITEM_BYTES) as u64 <= most)
}

/// The longest value that a server takes under a name: of a larger one nothing need be made.
pub(crate) fn most_bytes(name: &str, item_size: Option<u64>) -> usize {
    let size = item_size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX));
    size.saturating_sub(name.len() + ITEM_BYTES).min(MAX_VALUE)
}

/// Brings a server to hold what the items say; values that are too large for it are deleted there
/// and told. All answers are waited for, also behind a refusal. A last command goes along and is
/// executed after all others; its answer is returned, too.
pub(super) fn store<'i>(
    line: &mut Connection,
    item_size: Option<u64>,
    items: impl Iterator<Item = &'i Item<'i>>,
    last: impl FnOnce(&mut CommandBatch),
) -> Result<(Vec<Notice>, Option<Answer>), Broken> {
    let mut shipping = Pipeline {
        line,
        parcel: CommandBatch::default(),
        items: Vec::new(),
        notices: Vec::new(),
    };
    for item in items {
        let value = item.value.as_deref();
        let value = value.filter(|value| fits(&item.name, value, item_size));
        let length = value.map_or(0, str::len);
        if shipping.parcel.len() + length > PARCEL_BYTES {
            shipping.send()?;
        }
        if item.value.is_some() && value.is_none() {
            shipping.notices.extend(too_large(item));
        }
        match value {
            // Bytes without client flags, so that every client reads them.
            Some(value) => shipping.parcel.push("ms", &item.name, "", Some(value.as_bytes())),
            None => shipping.parcel.push("md", &item.name, "", None),
        }
        shipping.items.push(item);
    }
    last(&mut shipping.parcel);
    let last = shipping.send()?;
    Ok((shipping.notices, last))
}

struct Pipeline<'l, 'i> {
    line: &'l mut Connection,
    parcel: CommandBatch,
    /// What is in it.
    items: Vec<&'i Item<'i>>,
    notices: Vec<Notice>,
}

impl Pipeline<'_, '_> {
    /// Returns an answer behind those of the items.
    fn send(&mut self) -> Result<Option<Answer>, Broken> {
        if self.parcel.is_empty() {
            return Ok(None);
        }
        let mut answers = self.line.exchange(&std::mem::take(&mut self.parcel))?;
        let last = (answers.len() > self.items.len())
            .then(|| answers.pop())
            .flatten();
        let mut again = CommandBatch::default();
        let mut error = None;
        for (item, answer) in std::mem::take(&mut self.items).into_iter().zip(answers) {
            match answer.refusal() {
                None if answer.says("HD") || answer.says("NF") => {}
                None => error = error.or(Some(unexpected(&answer.line))),
                Some(refusal) if is_too_large(&refusal) => {
                    self.notices.extend(too_large(item));
                    again.push("md", &item.name, "", None);
                }
                Some(refusal) => error = error.or(Some(refusal)),
            }
        }
        if !again.is_empty() {
            let answers = self.line.exchange(&again)?;
            error = error.or_else(|| answers.iter().find_map(Answer::refusal));
        }
        match error {
            Some(error) => Err(Broken { error, unsure: false }),
            None => Ok(last),
        }
    }
}

/// An unexpected answer; only its first word is told, for a key may follow.
pub(super) fn unexpected(line: &str) -> Error {
    let word = line.split(' ').next().unwrap_or_default();
    Error::Protocol(format!("{word:?} is no answer to what was asked"))
}

fn too_large(item: &Item<'_>) -> Option<Notice> {
    let length = item.value.as_ref()?.len();
    Some(Notice {
        number: item.number,
        text: format!("deleted: {length} bytes are too large for the server (see its option -I)"),
    })
}

/// The error that a wrapper is about.
fn cause(error: &Error) -> &Error {
    match error {
        Error::Ambiguous { source, .. } => cause(source),
        other => other,
    }
}

/// Whether a server refused a value for its size.
pub(crate) fn is_too_large(error: &Error) -> bool {
    matches!(cause(error), Error::Server(text) if text.contains("too large"))
}

/// An error under its name, with its fix.
pub(super) fn problem(error: &Error, servers: &[String]) -> StepError {
    let servers = servers.join(", ");
    let (state, fix) = match cause(error) {
        Error::Io(error) => match Obstacle::of(error) {
            Some(obstacle) => (obstacle.state(), obstacle.fix()),
            None if error.kind() == std::io::ErrorKind::TimedOut => {
                ("slow", "See why the server is slow; nothing is lost meanwhile.")
            }
            None => (
                "unreachable",
                "Start the server, or correct memcached.servers; nothing is lost meanwhile.",
            ),
        },
        Error::Timeout { .. } => ("slow", "See why the server is slow; nothing is lost meanwhile."),
        Error::Rejected(text) if text.contains("without CAS") => (
            "refused",
            "Start the server without the option -C: without CAS nothing keeps a late write off.",
        ),
        Error::Server(text) if text.contains("out of memory") => (
            "out_of_memory",
            "Give the server more memory (-m), or let it evict (without -M).",
        ),
        Error::Rejected(_) | Error::Protocol(_) => (
            "refused",
            "Is it Memcached 1.6 or newer? Its meta commands are needed, and a proxy in between may not know them.",
        ),
        _ => ("refused", "See the server's log; nothing is lost meanwhile."),
    };
    let error = match cause(error) {
        // Without the client's wrappers, whose texts have a record's key in them.
        Error::Timeout { .. } => "it did not answer in time".to_owned(),
        Error::Io(error) if Obstacle::of(error).is_some() => error.to_string(),
        other => other.to_string(),
    };
    StepError {
        reached: None,
        state,
        trouble: Problem {
            message: format!("memcached at {servers}: {error}"),
            fix: fix.to_owned(),
        },
    }
}
