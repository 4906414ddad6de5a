//! From frames to deliveries, and to questions.
//!
//! A delivery stays the bytes it came in until it is applied, so that a batch whose transaction
//! failed can be applied again.

use std::borrow::Cow;

use memchr::memmem;
use protocol::{
    body::Body,
    wire::{
        host::{Delivery, ErrorCode, ExtensionHello, HostError, OriginWorker, Page, ToHost},
        inspector::Ask,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    origin::Origins,
    parts::{Assembled, Parts, Unusable},
};
use crate::{
    failure::json_fault,
    journal::{Batch, JournalError},
};

/// How the extension's compact JSON of a delivery starts. Only a short cut: other spellings are
/// read like any message.
const DELIVERY: &[u8] = b"{\"delivery\":";

/// The same for several that travel together.
const DELIVERIES: &[u8] = b"[{\"delivery\":";

/// How other messages start. A frame with none of these texts, also not in a record, holds no such
/// message.
const OTHERS: [&[u8]; 6] = [
    b"{\"part\":",
    b"{\"ask\":",
    b"{\"hello\":",
    b"{\"rules\":",
    b"{\"readers\":",
    b"{\"worker\":",
];

/// What stands in front of a delivery's body, behind all that says whose it is. It stands in no
/// text: there it has backslashes.
const BODY: &[u8] = b",\"body\":";

/// What a frame held.
#[derive(Debug)]
pub(crate) enum Received {
    /// For the journal.
    Delivery(Inbound),
    /// For those who read it.
    Ask(Ask),
    /// The rules that redact what follows, as a fingerprint.
    Rules(String),
    /// The documents of this origin that can be asked are others than before.
    Readers(String),
    /// A worker that is not observed.
    Worker { origin: String, url: String },
    /// A question of which only the number can be read; the host answers it with the error.
    NoQuestion { id: u64, error: HostError },
}

/// A delivery on its way to the journal, or several.
#[derive(Debug, Clone)]
pub(crate) enum Inbound {
    /// As it came.
    Frame(Vec<u8>),
    /// Several, as they came.
    Bundle(Vec<u8>),
    /// Put together from slices.
    Assembled(Assembled),
}

/// What a session opens with.
#[derive(Debug)]
pub(crate) enum Opening {
    Hello(ExtensionHello<'static>),
    /// The extension speaks another version of the protocol, of which nothing more is read.
    OtherProtocol(u64),
    /// Something else came first.
    NoHello,
}

/// All that is read of a hello before the protocol version is known to be ours.
#[derive(Deserialize)]
struct AnyHello {
    hello: AnyVersion,
}

#[derive(Deserialize)]
struct AnyVersion {
    protocol: u64,
}

pub(crate) fn opening(frame: &[u8]) -> Opening {
    match serde_json::from_slice::<AnyHello>(frame) {
        Err(_) => Opening::NoHello,
        Ok(any) if any.hello.protocol != u64::from(protocol::PROTOCOL_VERSION) => {
            Opening::OtherProtocol(any.hello.protocol)
        }
        Ok(_) => match serde_json::from_slice::<ToHost<'_, &RawValue>>(frame) {
            Ok(ToHost::Hello(hello)) => Opening::Hello(ExtensionHello {
                protocol: hello.protocol,
                version: hello.version.into_owned().into(),
                browser: hello.browser.into_owned().into(),
                profile: hello.profile.into_owned().into(),
            }),
            _ => Opening::NoHello,
        },
    }
}

/// All that must be readable of a question to tell who asked.
#[derive(Deserialize)]
struct AnyAsk {
    ask: AnyQuestion,
}

#[derive(Deserialize)]
struct AnyQuestion {
    id: u64,
}

/// What to do about a delivery for which the disk has no room.
const NO_ROOM: &str =
    "Free some disk space. The page's stores are read again, piece by piece, and what was missed follows.";

/// What to do about a delivery that never makes a body.
const UNUSABLE: &str =
    "Nothing to do: the page's stores are read again, piece by piece, and what was missed follows.";

/// Sorts the frames behind the hello.
#[derive(Default)]
pub(crate) struct Intake {
    parts: Parts,
}

impl Intake {
    /// What this frame holds or completes; an error for what is no message.
    pub(crate) fn sort(&mut self, frame: Vec<u8>) -> Vec<Result<Received, HostError>> {
        if !frame.starts_with(b"[") {
            return self.message(frame).transpose().into_iter().collect();
        }
        if is_all_deliveries(&frame) {
            return vec![Ok(Received::Delivery(Inbound::Bundle(frame)))];
        }
        match serde_json::from_slice::<Vec<&RawValue>>(&frame) {
            Ok(messages) if messages.is_empty() => vec![Err(malformed("an empty array"))],
            Ok(messages) => messages
                .into_iter()
                .filter_map(|message| self.message(message.get().as_bytes().to_vec()).transpose())
                .collect(),
            Err(error) => vec![Err(unreadable(&frame, &error))],
        }
    }

    fn message(&mut self, frame: Vec<u8>) -> Result<Option<Received>, HostError> {
        if frame.starts_with(DELIVERY) {
            return Ok(Some(Received::Delivery(Inbound::Frame(frame))));
        }
        match serde_json::from_slice::<ToHost<'_, &RawValue>>(&frame) {
            Ok(ToHost::Delivery(_)) => Ok(Some(Received::Delivery(Inbound::Frame(frame)))),
            Ok(ToHost::Part(part)) => {
                let assembled = self.parts.take(&part);
                Ok(assembled.map(Inbound::Assembled).map(Received::Delivery))
            }
            Ok(ToHost::Ask(ask)) => Ok(Some(Received::Ask(ask))),
            Ok(ToHost::Rules(rules)) => Ok(Some(Received::Rules(rules.fingerprint.into_owned()))),
            Ok(ToHost::Readers(readers)) => Ok(Some(Received::Readers(readers.origin.into_owned()))),
            Ok(ToHost::Worker(OriginWorker { origin, url })) => Ok(Some(Received::Worker {
                origin: origin.into_owned(),
                url: url.into_owned(),
            })),
            Ok(ToHost::Hello(_)) => Err(malformed("a second hello on one connection")),
            Err(error) => match serde_json::from_slice::<AnyAsk>(&frame) {
                Ok(AnyAsk {
                    ask: AnyQuestion { id },
                }) => Ok(Some(Received::NoQuestion {
                    id,
                    error: HostError {
                        code: ErrorCode::MalformedQuestion,
                        message: format!("the host does not know this question: {}", json_fault(&error)),
                        ..malformed("")
                    },
                })),
                Err(_) => match without_body(&frame, &error) {
                    Some(assembled) => Ok(Some(Received::Delivery(Inbound::Assembled(assembled)))),
                    None => Err(unreadable(&frame, &error)),
                },
            },
        }
    }
}

/// A delivery whose body is no JSON, if all in front of it can be read: it is acknowledged, for it
/// would come again and again.
fn without_body(frame: &[u8], error: &serde_json::Error) -> Option<Assembled> {
    let mut whole = frame[..memmem::find(frame, BODY)?].to_vec();
    whole.extend_from_slice(br#","body":null}}"#);
    match serde_json::from_slice::<ToHost<'_, &RawValue>>(&whole) {
        Ok(ToHost::Delivery(delivery)) => Some(Assembled {
            context: delivery.context.into_owned(),
            sequence: delivery.sequence,
            page: Page {
                origin: delivery.page.origin.into_owned().into(),
                ..delivery.page
            },
            may_overtake: delivery.may_overtake,
            body: Err(Unusable {
                reason: json_fault(error),
                is_read: false,
            }),
        }),
        _ => None,
    }
}

/// Whether a frame is an array of deliveries, as far as a search of its bytes shows.
fn is_all_deliveries(frame: &[u8]) -> bool {
    frame.starts_with(DELIVERIES) && OTHERS.iter().all(|other| memmem::find(frame, other).is_none())
}

impl Inbound {
    /// The same, one by one.
    pub(crate) fn apart(&self) -> Vec<Cow<'_, Self>> {
        if let Self::Bundle(frame) = self
            && let Ok(messages) = serde_json::from_slice::<Vec<&RawValue>>(frame)
        {
            let single = |message: &RawValue| Cow::Owned(Self::Frame(message.get().as_bytes().to_vec()));
            return messages.into_iter().map(single).collect();
        }
        vec![Cow::Borrowed(self)]
    }

    /// Notes that the delivery cannot be kept for this reason.
    pub(crate) fn give_up(
        &self,
        batch: &mut Batch<'_>,
        origins: &mut Origins,
        reason: &str,
    ) -> Result<(), JournalError> {
        let mut give_up = |delivery: &Delivery<'_, &RawValue>| {
            if origins
                .refusal(&delivery.context, delivery.sequence, &delivery.page)
                .is_some()
            {
                return Ok(());
            }
            batch.give_up(delivery, reason, NO_ROOM, false)
        };
        match self {
            Self::Frame(frame) | Self::Bundle(frame) => {
                match serde_json::from_slice::<ToHost<'_, &RawValue>>(frame) {
                    Ok(ToHost::Delivery(delivery)) => give_up(&delivery),
                    _ => Ok(()),
                }
            }
            Self::Assembled(assembled) => give_up(&Delivery {
                context: assembled.context.as_str().into(),
                sequence: assembled.sequence,
                page: assembled.page.clone(),
                may_overtake: assembled.may_overtake,
                body: assembled
                    .body
                    .as_deref()
                    .ok()
                    .and_then(|body| serde_json::from_str(body).ok())
                    .unwrap_or(RawValue::NULL),
            }),
        }
    }

    /// Applies the delivery. What turns out to be none, or one that is not to be kept, is an error
    /// for the extension.
    pub(crate) fn apply(
        &self,
        batch: &mut Batch<'_>,
        origins: &mut Origins,
        refused: &mut Vec<HostError>,
    ) -> Result<(), JournalError> {
        match self {
            Inbound::Frame(frame) => refused.extend(apply_message(frame, batch, origins)?),
            Inbound::Bundle(frame) => apply_bundle(frame, batch, origins, refused)?,
            Inbound::Assembled(assembled) => {
                let delivery = |body| Delivery {
                    context: assembled.context.as_str().into(),
                    sequence: assembled.sequence,
                    page: assembled.page.clone(),
                    may_overtake: assembled.may_overtake,
                    body,
                };
                let body = match &assembled.body {
                    Ok(body) => serde_json::from_str::<&RawValue>(body),
                    Err(unusable) => {
                        let delivery = delivery(RawValue::NULL);
                        match origins.refusal(&delivery.context, delivery.sequence, &delivery.page) {
                            Some(refusal) => refused.push(refusal),
                            None => {
                                batch.give_up(&delivery, &unusable.reason, UNUSABLE, unusable.is_read)?;
                            }
                        }
                        return Ok(());
                    }
                };
                refused.extend(match body {
                    Ok(body) => apply_raw(&delivery(body), batch, origins)?,
                    Err(error) => reject(&delivery(RawValue::NULL), &error, batch, origins)?,
                });
            }
        }
        Ok(())
    }
}

/// Reads all deliveries at once; one by one if one of them cannot be read, so that it spoils no
/// other.
fn apply_bundle(
    frame: &[u8],
    batch: &mut Batch<'_>,
    origins: &mut Origins,
    refused: &mut Vec<HostError>,
) -> Result<(), JournalError> {
    let Ok(text) = std::str::from_utf8(frame) else {
        refused.push(malformed(&format!(
            "a frame of {} bytes that are not UTF-8",
            frame.len()
        )));
        return Ok(());
    };
    if let Ok(deliveries) = serde_json::from_str::<Vec<OnlyDelivery<'_>>>(text) {
        for OnlyDelivery::Delivery(delivery) in &deliveries {
            refused.extend(apply(delivery, batch, origins)?);
        }
        return Ok(());
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(messages) => {
            for message in messages {
                refused.extend(apply_message(message.get().as_bytes(), batch, origins)?);
            }
        }
        Err(error) => refused.push(unreadable(frame, &error)),
    }
    Ok(())
}

/// Of the messages to the host those that are deliveries.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnlyDelivery<'a> {
    #[serde(borrow)]
    Delivery(Delivery<'a, Body<'a>>),
}

fn apply_message(
    message: &[u8],
    batch: &mut Batch<'_>,
    origins: &mut Origins,
) -> Result<Option<HostError>, JournalError> {
    let text = std::str::from_utf8(message).unwrap_or_default();
    if let Ok(OnlyDelivery::Delivery(delivery)) = serde_json::from_str(text) {
        return apply(&delivery, batch, origins);
    }
    match serde_json::from_slice::<ToHost<'_, &RawValue>>(message) {
        Ok(ToHost::Delivery(delivery)) => apply_raw(&delivery, batch, origins),
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(unreadable(message, &error))),
    }
}

/// What becomes of a delivery that can be read.
fn apply(
    delivery: &Delivery<'_, Body<'_>>,
    batch: &mut Batch<'_>,
    origins: &mut Origins,
) -> Result<Option<HostError>, JournalError> {
    let refusal = origins.refusal(&delivery.context, delivery.sequence, &delivery.page);
    if refusal.is_none() {
        batch.apply(delivery)?;
    }
    Ok(refusal)
}

/// What becomes of one whose body cannot.
fn reject(
    delivery: &Delivery<'_, &RawValue>,
    reason: &serde_json::Error,
    batch: &mut Batch<'_>,
    origins: &mut Origins,
) -> Result<Option<HostError>, JournalError> {
    let refusal = origins.refusal(&delivery.context, delivery.sequence, &delivery.page);
    if refusal.is_none() {
        batch.reject(delivery, reason)?;
    }
    Ok(refusal)
}

fn apply_raw(
    delivery: &Delivery<'_, &RawValue>,
    batch: &mut Batch<'_>,
    origins: &mut Origins,
) -> Result<Option<HostError>, JournalError> {
    match serde_json::from_str::<Body<'_>>(delivery.body.get()) {
        Ok(body) => {
            let delivery = Delivery {
                context: delivery.context.clone(),
                sequence: delivery.sequence,
                page: delivery.page.clone(),
                may_overtake: delivery.may_overtake,
                body,
            };
            apply(&delivery, batch, origins)
        }
        Err(error) => reject(delivery, &error, batch, origins),
    }
}

fn unreadable(frame: &[u8], error: &serde_json::Error) -> HostError {
    malformed(&format!(
        "a frame of {} bytes: {}",
        frame.len(),
        json_fault(error)
    ))
}

fn malformed(what: &str) -> HostError {
    HostError {
        code: ErrorCode::MalformedMessage,
        message: format!("the extension sent what is no message of this protocol: {what}"),
        fix: "Update the extension and idb-relay to the same version; if they are, please report it."
            .to_owned(),
        context: None,
        sequence: None,
    }
}

#[cfg(test)]
mod tests {
    use protocol::wire::{
        bridge::Part,
        host::{HostPart, OriginWorker, Readers, Rules},
        inspector::Question,
    };

    use super::*;

    /// One message of each kind. The match below fails to compile without one.
    fn messages() -> Vec<ToHost<'static, &'static RawValue>> {
        let page = || Page {
            origin: "http://localhost".into(),
            tab: 1,
            frame: 0,
        };
        let all = vec![
            ToHost::Hello(ExtensionHello {
                protocol: 1,
                version: "".into(),
                browser: "".into(),
                profile: "".into(),
            }),
            ToHost::Delivery(Delivery {
                context: "c".into(),
                sequence: 1,
                page: page(),
                may_overtake: false,
                body: RawValue::NULL,
            }),
            ToHost::Part(HostPart {
                context: "c".into(),
                page: page(),
                may_overtake: false,
                part: Part {
                    sequence: 1,
                    index: 0,
                    count: 2,
                    text: "".into(),
                },
            }),
            ToHost::Ask(Ask {
                id: 1,
                question: Question::Stores {},
            }),
            ToHost::Rules(Rules {
                fingerprint: "".into(),
            }),
            ToHost::Readers(Readers { origin: "".into() }),
            ToHost::Worker(OriginWorker {
                origin: "".into(),
                url: "".into(),
            }),
        ];
        for message in &all {
            match message {
                ToHost::Hello(_)
                | ToHost::Delivery(_)
                | ToHost::Part(_)
                | ToHost::Ask(_)
                | ToHost::Rules(_)
                | ToHost::Readers(_)
                | ToHost::Worker(_) => {}
            }
        }
        all
    }

    #[test]
    fn message_of_any_kind_is_found_behind_a_delivery() {
        let delivery = serde_json::to_string(&messages()[1]).expect("JSON");
        for message in messages() {
            let text = serde_json::to_string(&message).expect("JSON");
            let frame = format!("[{delivery},{text}]");
            let is_delivery = matches!(message, ToHost::Delivery(_));
            assert_eq!(is_all_deliveries(frame.as_bytes()), is_delivery, "{text}");
        }
    }
}
