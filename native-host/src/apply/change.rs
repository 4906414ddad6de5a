//! What an event means for Memcached.

use protocol::event::{Event, Op, Transaction};

use crate::{
    config,
    failure::json_fault,
    messaging::origin::is_origin,
    sinks::memcached::{
        cause_of,
        owner::{MAX_BROWSER, is_profile},
        value_of,
    },
};

/// More events than any transaction has: they come in one delivery, each of many bytes.
const MOST_EVENTS: u64 = 1 << 32;

/// An event of the stream, or of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The browser profile that wrote.
    pub profile: String,
    /// Its browser, such as `chromium/156`.
    pub browser: String,
    /// The event's number in that profile: grows by one from event to event.
    pub sequence: u64,
    /// How many events the host itself has left out for it, which is one of them: its journal was
    /// full, and their records follow.
    pub left_out: u64,
    /// Whether more events of its transaction follow.
    pub goes_on: bool,
    /// The change in Memcached. `None` for events that concern the store itself.
    /// A `d` or `c` for each record follows those.
    pub target: Option<Target>,
}

/// What a name is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The origin of the record.
    pub origin: String,
    /// The record's key in Memcached.
    pub name: String,
    /// What it is to hold; `None`: nothing.
    pub value: Option<String>,
    /// Why it is to hold nothing although the record has a value.
    pub refused: Option<String>,
    /// The entry of the stream that has the value, which is not held in memory: it has to be read
    /// again.
    pub lies_in: Option<String>,
}

/// Why a text is not an event. Every client of Redis may have written it.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It does not have the form of an event.
    #[error("{}", json_fault(.0))]
    Form(#[from] serde_json::Error),
    /// Keys in Redis and Memcached are named after the profile.
    #[error("{0:?} is no profile")]
    Profile(String),
    /// Keys are named after the origin, and commands to copy contain it.
    #[error("{0:?} is not an origin")]
    Origin(String),
    /// It is written to Memcached with the profile that owns an origin.
    #[error("the text of {0} bytes is no browser")]
    Browser(usize),
    /// A host counts in a signed number.
    #[error("{0} is no number of an event")]
    Sequence(u64),
    /// Its rest would be waited for.
    #[error("{order} of {count} is no place in a transaction")]
    Place {
        /// The place.
        order: u64,
        /// How many there are.
        count: u64,
    },
}

impl Change {
    /// Reads an event; of a value that takes more than so many bytes in Memcached nothing is made.
    pub fn read(text: &str, config: &config::Memcached, most: usize) -> Result<Self, ChangeError> {
        let event: Event<'_> = serde_json::from_str(text)?;
        if !is_profile(&event.source.profile) {
            return Err(ChangeError::Profile(event.source.profile.into_owned()));
        }
        if !is_origin(&event.source.origin) && event.op != Op::Gap {
            return Err(ChangeError::Origin(event.source.origin.into_owned()));
        }
        if event.source.browser.len() > MAX_BROWSER {
            return Err(ChangeError::Browser(event.source.browser.len()));
        }
        if i64::try_from(event.source.sequence).is_err() {
            return Err(ChangeError::Sequence(event.source.sequence));
        }
        if let Some(Transaction {
            total_order: order,
            event_count: count,
            ..
        }) = event.transaction
            && !((1..=count).contains(&order) && count <= MOST_EVENTS)
        {
            return Err(ChangeError::Place { order, count });
        }
        let left_out = event.gap.filter(|_| event.op == Op::Gap).unwrap_or(0);
        let target = match (event.op, event.key) {
            // What an earlier event says is most likely younger; a read follows and decides.
            _ if event.source.late => None,
            (Op::Truncate | Op::Schema | Op::Gap, _) | (_, None) => None,
            (Op::Delete, Some(key)) => Some(target(&event, key.get(), None, (config, most))),
            (Op::Create | Op::Update | Op::Read, Some(key)) => {
                Some(target(&event, key.get(), Some(event.after.get()), (config, most)))
            }
        };
        Ok(Self {
            browser: event.source.browser.into_owned(),
            profile: event.source.profile.into_owned(),
            sequence: event.source.sequence,
            left_out,
            goes_on: event
                .transaction
                .is_some_and(|transaction| transaction.total_order < transaction.event_count),
            target,
        })
    }

    /// How many bytes its value takes in memory: a few typed bytes may stand for a plain form of
    /// many MiB.
    pub fn value_bytes(&self) -> usize {
        let value = self.target.as_ref().and_then(|target| target.value.as_ref());
        value.map_or(0, String::len)
    }
}

fn target(
    event: &Event<'_>,
    key: &str,
    typed: Option<&str>,
    (config, most): (&config::Memcached, usize),
) -> Target {
    let (value, refused) = match typed.map(|typed| value_of(config.value, typed, most)).transpose() {
        Ok(value) => (value.map(std::borrow::Cow::into_owned), None),
        Err(problem) => (None, Some(cause_of(&problem))),
    };
    let names = protocol::name::Names {
        origin: &event.source.origin,
        bucket: &event.source.bucket,
        database: &event.source.database,
        store: &event.source.store,
    };
    Target {
        origin: event.source.origin.clone().into_owned(),
        name: config
            .key
            .of_profile(&event.source.profile)
            .record_name(names, key),
        value,
        refused,
        lies_in: None,
    }
}
