//! Looks into the databases of open pages, for inspectors.
//!
//! Invariant: a page's answer is redacted as its deliveries are, before it is shown; while the
//! rules are not known, or one of them cannot be applied, no value is shown at all. How
//! many records there are is nothing that rules hide.

use std::borrow::Cow;

use protocol::{
    body::Records,
    json,
    redact::{self, Redaction},
    wire::inspector::{Address, Look, Problem, RECORD_VALUE_BYTES, Seen, Sight, StoreCount, left_out},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Action, Relay};
use crate::background::inspectors::Notification;

/// A look that is being taken: who wants it, and at what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looking {
    port: u32,
    id: u64,
    look: Look,
    /// The tab whose page is asked.
    pub tab: i64,
    /// The frame there.
    pub frame: i64,
}

/// [`protocol::body::Body`], as far as it is looked at here.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body<'a> {
    #[serde(borrow)]
    Records(Records<'a>),
}

/// The keys of a store, as a page tells them.
#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(default, borrow)]
    key_path: Option<&'a RawValue>,
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
    /// Whether there are more, which were not read.
    more: bool,
}

impl Relay {
    /// An inspector wants to know what a page's databases hold.
    pub(super) fn look(&mut self, port: u32, id: u64, tab: Option<i64>, look: Look) {
        let Some((tab, frame)) = self.page_of(look.origin(), tab) else {
            let remark = remark("No page of the site is open.", "Open one, and look again.");
            return self.tell_sight(port, id, Sight::Failed(remark));
        };
        let request = match &look {
            Look::Counts { origin } => json_of(&Counts { origin }),
            Look::Record(address) if redact::is_redacted(&address.key) => request(address, None),
            Look::Record(address) => request(address, Some(&address.key)),
        };
        let looking = Looking {
            port,
            id,
            look,
            tab,
            frame,
        };
        self.actions.push(Action::Look { looking, request });
    }

    /// Which document to ask: one in that tab if there is one. Where none is captured, the page
    /// itself may be of the origin. No frame of it is asked, which may have databases of its own.
    fn page_of(&self, origin: &str, tab: Option<i64>) -> Option<(i64, i64)> {
        let documents = self.bridges.documents(None);
        let mut able = documents
            .iter()
            .filter(|document| document.origin == origin && document.refused.is_none());
        let there = able.clone().find(|document| Some(document.tab) == tab);
        match there.or_else(|| able.next().filter(|_| tab.is_none())) {
            Some(document) => Some((document.tab, document.frame)),
            None => tab.map(|tab| (tab, 0)),
        }
    }

    /// A page has answered, or could not be asked.
    pub fn looked(&mut self, looking: Looking, answer: Option<&str>) {
        let sight = match (answer, &looking.look) {
            (None, _) => Err(remark(
                "The page could not be looked into.",
                "It may be on its way to another one, or its browser's permission is gone. Look again.",
            )),
            (Some(answer), Look::Counts { .. }) => counts(answer),
            (Some(answer), Look::Record(address)) => match self.applicable() {
                Err(remark) => Err(remark),
                Ok(redaction) => match find(redaction, address, answer) {
                    Ok(Found::Value(value)) => Ok(Sight::Record(value)),
                    Ok(Found::Key(key)) => {
                        let request = request(address, Some(key));
                        return self.actions.push(Action::Look { looking, request });
                    }
                    Err(remark) => Err(remark),
                },
            },
        };
        self.tell_sight(looking.port, looking.id, sight.unwrap_or_else(Sight::Failed));
    }

    /// The rules, once all of them are known and can be applied.
    pub(super) fn applicable(&self) -> Result<&Redaction, Problem> {
        if !self.rules.contains_key("configuration") {
            return Err(remark(
                "The host's redaction rules are not known yet.",
                "Look again once the host runs.",
            ));
        }
        self.redaction.as_ref().map_err(Clone::clone)
    }

    fn tell_sight(&mut self, port: u32, id: u64, sight: Sight) {
        let seen = Notification::Seen(Seen { id, sight });
        // One that is closed meanwhile misses nothing.
        if let (true, Ok(text)) = (self.inspectors.has(port), serde_json::to_string(&seen)) {
            self.actions.push(Action::ToPort { port, text });
        }
    }
}

/// `content/inspect.js` is asked how many records each store has.
#[derive(Serialize)]
struct Counts<'a> {
    origin: &'a str,
}

/// `content/inspect.js` is asked for records, or for all keys of a store.
#[derive(Serialize)]
struct Wanted<'a> {
    origin: &'a str,
    bucket: &'a str,
    database: &'a str,
    store: &'a str,
    keys: Option<Vec<&'a str>>,
}

/// The question for a record, or for all keys of its store.
fn request(address: &Address, key: Option<&str>) -> String {
    json_of(&Wanted {
        origin: &address.origin,
        bucket: &address.bucket,
        database: &address.database,
        store: &address.store,
        keys: key.map(|key| vec![key]),
    })
}

/// `Default` cannot happen: nothing in these fails to serialise.
fn json_of(request: &impl Serialize) -> String {
    serde_json::to_string(request).unwrap_or_default()
}

fn counts(answer: &str) -> Result<Sight, Problem> {
    let counts: Result<Vec<StoreCount>, _> = json::read(answer);
    counts.map(Sight::Counts).map_err(|_| unreadable())
}

enum Found<'a> {
    /// The record's value, if there is one.
    Value(Option<Box<RawValue>>),
    /// The key for which another one stands in the address.
    Key(&'a str),
}

fn find<'a>(redaction: &Redaction, address: &Address, answer: &'a str) -> Result<Found<'a>, Problem> {
    if let Ok(listing) = json::read::<Listing<'a>>(answer) {
        let store = redact::Store {
            origin: &address.origin,
            database: &address.database,
            store: &address.store,
            key_path: listing.key_path,
        };
        let all = listing.keys.iter().map(|key| key.get());
        return match redaction.named(store, &address.key, all) {
            Some(key) => Ok(Found::Key(key)),
            None if listing.more => Err(remark(
                "What stands for the record's key was not found among the store's first keys, and it has many.",
                "\u{201c}Compare\u{201d} in the list of stores compares all of its records.",
            )),
            None => Ok(Found::Value(None)),
        };
    }
    let redacted: Cow<'_, str> = redaction.body(&address.origin, answer);
    let Ok(Body::Records(records)) = json::read(&redacted) else {
        return Err(unreadable());
    };
    let Some(record) = records.present.first() else {
        return Ok(Found::Value(None));
    };
    if record.key.get() != address.key {
        return Err(remark(
            "A redaction rule gives the record another key.",
            "Look it up by the key that its newest event has.",
        ));
    }
    let value = match record.value.get().len() {
        bytes if bytes > RECORD_VALUE_BYTES => left_out("inspector", bytes),
        _ => record.value.to_owned(),
    };
    Ok(Found::Value(Some(value)))
}

fn unreadable() -> Problem {
    remark("The page could not read its databases.", "Look again.")
}

fn remark(message: &str, fix: &str) -> Problem {
    Problem {
        message: message.to_owned(),
        fix: fix.to_owned(),
    }
}
