//! What is sent to Memcached, and what its answers mean.

use std::borrow::Cow;

use memcache::exp::{Delete, Error, MetaClient, Op, Set};

use crate::{
    journal::progress::{Notice, Trouble},
    sinks::runner::StepError,
};

/// Values from here on travel alone: a server that refuses one for its size ends the batch around it.
const ALONE: usize = 256 * 1024;
/// How much one batch carries.
const BATCH_BYTES: usize = 1024 * 1024;

/// What a key is to hold.
pub(super) struct Item<'a> {
    /// The event that says so.
    pub number: u64,
    pub name: String,
    /// None: nothing.
    pub value: Option<Cow<'a, str>>,
}

impl Item<'_> {
    fn len(&self) -> usize {
        self.name.len() + self.value.as_ref().map_or(0, |value| value.len())
    }

    fn operation(&self) -> Op {
        match &self.value {
            // Bytes without client flags, so that every client reads them.
            Some(value) => Set::new(&self.name, value.as_bytes()).into(),
            None => Delete::new(&self.name).into(),
        }
    }
}

/// Brings the servers to hold what the items say. Values that a server refuses for their size are deleted there and told.
pub(super) fn store(client: &MetaClient, items: &[Item<'_>]) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    let mut batch: Vec<&Item<'_>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        if item.len() >= ALONE {
            notices.extend(store_one(client, item)?);
            continue;
        }
        if bytes + item.len() > BATCH_BYTES {
            store_batch(client, &batch, &mut notices)?;
            batch.clear();
            bytes = 0;
        }
        bytes += item.len();
        batch.push(item);
    }
    store_batch(client, &batch, &mut notices)?;
    Ok(notices)
}

fn store_batch(client: &MetaClient, batch: &[&Item<'_>], notices: &mut Vec<Notice>) -> Result<(), Error> {
    if batch.is_empty() {
        return Ok(());
    }
    let results = client.run_batch(batch.iter().map(|item| item.operation()).collect::<Vec<_>>())?;
    let Some(error) = results.into_iter().find_map(Result::err) else {
        return Ok(());
    };
    if !is_too_large(&error) {
        return Err(error);
    }
    // The answers behind the refused one are lost with the connection; one by one each has its own.
    for item in batch {
        notices.extend(store_one(client, item)?);
    }
    Ok(())
}

fn store_one(client: &MetaClient, item: &Item<'_>) -> Result<Option<Notice>, Error> {
    let Some(value) = &item.value else {
        client.delete(&item.name).send()?;
        return Ok(None);
    };
    match client.set(&item.name, value.as_bytes()).send() {
        Ok(_) => Ok(None),
        Err(error) if is_too_large(&error) => {
            client.delete(&item.name).send()?;
            Ok(Some(Notice {
                number: item.number,
                text: format!(
                    "deleted: the server refused {} bytes as too large (see its option -I)",
                    value.len()
                ),
            }))
        }
        Err(error) => Err(error),
    }
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

/// An error under its name, with its cure.
pub(super) fn trouble(error: &Error, servers: &[String]) -> StepError {
    let servers = servers.join(", ");
    let (state, cure) = match cause(error) {
        Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => (
            "slow",
            "See why the server is slow; the records wait in the journal.",
        ),
        Error::Io(_) => (
            "unreachable",
            "Start the server, or correct memcached.servers; the records wait in the journal.",
        ),
        Error::Timeout { .. } => (
            "slow",
            "See why the server is slow; the records wait in the journal.",
        ),
        Error::Server(text) if text.contains("out of memory") => (
            "out_of_memory",
            "Give the server more memory (-m), or let it evict (without -M).",
        ),
        Error::Rejected(_) | Error::Protocol(_) => (
            "refused",
            "Is it Memcached 1.6 or newer? Its meta commands are needed, and a proxy in between may not know them.",
        ),
        _ => (
            "refused",
            "See the server's log; the records wait in the journal.",
        ),
    };
    StepError {
        reached: None,
        state,
        trouble: Trouble {
            // Without the wrapper, whose text has a record's key in it.
            error: format!("memcached at {servers}: {}", cause(error)),
            cure: cure.to_owned(),
        },
    }
}
