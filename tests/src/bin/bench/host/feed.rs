//! What the extension would send: messages of `protocol::wire`, many to a frame.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use protocol::{
    body::{Body, Commit, Operation},
    wire::host::{Delivery, ExtensionHello, Page, ToHost},
};
use serde_json::value::RawValue;

/// The site.
pub const ORIGIN: &str = "http://localhost:8080";
/// The browser profile.
pub const PROFILE: &str = "bench";
/// The document.
pub const CONTEXT: &str = "00112233445566778899aabbccddeeff";

/// The length of a value as JSON.
pub const VALUE_BYTES: usize = 250;

/// How many events travel in one frame.
pub const FRAME_EVENTS: u64 = 256;

/// How the page wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each record in a transaction of its own; the extension sends them together, each a delivery.
    Singles,
    /// As many records as fit a frame in one transaction: one delivery.
    Transactions,
}

impl Shape {
    /// Its name in the figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Singles => "singles",
            Self::Transactions => "transactions",
        }
    }
}

/// A frame's JSON.
pub struct Frame {
    pub text: Vec<u8>,
    /// The number of its last delivery.
    pub last: u64,
    pub events: u64,
}

/// The first message.
pub fn hello() -> Result<Vec<u8>> {
    let hello: ToHost<'_, &RawValue> = ToHost::Hello(ExtensionHello {
        protocol: protocol::PROTOCOL_VERSION,
        version: "0.1.0".into(),
        browser: "chromium/156".into(),
        profile: PROFILE.into(),
    });
    Ok(serde_json::to_vec(&hello)?)
}

/// The value of a record, [`VALUE_BYTES`] long.
pub fn value(number: u64) -> String {
    let start = format!(
        r#"{{"number":{},"name":"row {number}","tags":["bench","row"],"filler":""#,
        1_000_000_000 + number
    );
    let filler = VALUE_BYTES.saturating_sub(start.len() + 2);
    format!(r#"{start}{}"}}"#, "x".repeat(filler))
}

/// Numbers frames from the first delivery of a document on. Each event is a record of its own, with
/// its number as the key.
pub struct Feed {
    shape: Shape,
    delivery: u64,
    record: u64,
}

impl Feed {
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            delivery: 0,
            record: 0,
        }
    }

    /// The next events, at most a frame's.
    pub fn frame(&mut self, at_most: u64) -> Result<Frame> {
        let events = at_most.min(FRAME_EVENTS);
        let mut text = Vec::new();
        let records: Vec<(Box<RawValue>, Box<RawValue>)> = (self.record..self.record + events)
            .map(|number| Ok((raw(number.to_string())?, raw(value(number))?)))
            .collect::<Result<_>>()?;
        self.record += events;
        match self.shape {
            Shape::Transactions => self.delivery(&records, &mut text)?,
            Shape::Singles => {
                for (index, record) in records.iter().enumerate() {
                    text.push(if index == 0 { b'[' } else { b',' });
                    self.delivery(std::slice::from_ref(record), &mut text)?;
                }
                text.push(b']');
            }
        }
        Ok(Frame {
            text,
            last: self.delivery,
            events,
        })
    }

    /// A frame with one event: this value under key 0.
    pub fn lone(&mut self, value: u64) -> Result<Frame> {
        let mut text = Vec::new();
        self.delivery(&[(raw("0".to_owned())?, raw(value.to_string())?)], &mut text)?;
        Ok(Frame {
            text,
            last: self.delivery,
            events: 1,
        })
    }

    fn delivery(&mut self, records: &[(Box<RawValue>, Box<RawValue>)], text: &mut Vec<u8>) -> Result<()> {
        self.delivery += 1;
        let at = now();
        let operations = records
            .iter()
            .map(|(key, value)| Operation::Put {
                store: "rows".into(),
                key,
                value,
            })
            .collect();
        let message = ToHost::Delivery(Delivery {
            context: CONTEXT.into(),
            sequence: self.delivery,
            page: Page {
                origin: ORIGIN.into(),
                tab: 1,
                frame: 0,
            },
            may_overtake: false,
            body: Body::Commit(Commit {
                bucket: "".into(),
                database: "bench".into(),
                version: 1,
                began_at: at,
                committed_at: at,
                writer: None,
                key_paths: BTreeMap::new(),
                operations,
            }),
        });
        Ok(serde_json::to_writer(text, &message)?)
    }
}

fn raw(json: String) -> Result<Box<RawValue>> {
    Ok(RawValue::from_string(json)?)
}

/// The page's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_length_and_frames_their_numbers() {
        assert_eq!(value(0).len(), VALUE_BYTES);
        assert_eq!(value(1_234_567).len(), VALUE_BYTES);
        let mut feed = Feed::new(Shape::Singles);
        let frame = feed.frame(u64::MAX).expect("a frame");
        assert_eq!((frame.last, frame.events), (FRAME_EVENTS, FRAME_EVENTS));
        let all: Vec<ToHost<'_, Body<'_>>> = serde_json::from_slice(&frame.text).expect("messages");
        assert_eq!(all.len() as u64, FRAME_EVENTS);
        let mut feed = Feed::new(Shape::Transactions);
        let frame = feed.frame(3).expect("a frame");
        assert_eq!((frame.last, frame.events), (1, 3));
    }
}
