//! From a delivery as it came to the messages that leave: redacted, and with who sent it.

use std::borrow::Cow;

use protocol::{
    body::MAX_BODY_DEPTH,
    json,
    redact::Redaction,
    wire::{
        bridge::{MAX_PART_UNITS, Part},
        host::{Delivery, HostPart, ToHost},
    },
};
use serde_json::value::RawValue;

use crate::background::outbox::{Content, Entry, Reason};

/// The messages of a delivery: one, or as many as it has parts.
pub(super) fn messages(entry: &Entry, redaction: &Redaction) -> Vec<String> {
    match &entry.content {
        Content::Whole(body) if redaction.is_empty() => vec![whole(entry, body)],
        Content::Parts(parts) if redaction.is_empty() => {
            // Each letter of a part may take six bytes in the message.
            let parts: Vec<&str> = parts.iter().flat_map(|part| cut(part, MAX_PART_UNITS)).collect();
            in_parts(entry, &parts)
        }
        Content::Whole(body) => redacted(entry, &redaction.body(&entry.page.origin, body.get())),
        // What a rule means can lie in several of them.
        Content::Parts(parts) => redacted(entry, &redaction.body(&entry.page.origin, &parts.concat())),
    }
}

fn redacted(entry: &Entry, body: &str) -> Vec<String> {
    if body.len() > MAX_PART_UNITS {
        return in_parts(entry, &cut(body, MAX_PART_UNITS));
    }
    // Redaction makes JSON of JSON, and of anything else too.
    json::read::<&RawValue>(body)
        .map(|body| whole(entry, body))
        .into_iter()
        .collect()
}

/// A gap takes the place of a body that is too deep: the browser would drop all of its frame.
fn whole(entry: &Entry, body: &RawValue) -> String {
    if json::is_deeper_than(body.get(), MAX_BODY_DEPTH) {
        let instead = entry.content.instead(Reason::TooDeep);
        return json::read(&instead).map_or_else(|_| String::new(), |instead| message(entry, instead));
    }
    message(entry, body)
}

/// `Default` cannot happen here or below: nothing in these messages fails to serialise.
fn message(entry: &Entry, body: &RawValue) -> String {
    let message: ToHost<'_, &RawValue> = ToHost::Delivery(Delivery {
        context: entry.context.as_str().into(),
        sequence: entry.sequence,
        page: entry.page.clone(),
        may_overtake: entry.may_overtake,
        body,
    });
    serde_json::to_string(&message).unwrap_or_default()
}

fn in_parts(entry: &Entry, parts: &[&str]) -> Vec<String> {
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    (0..)
        .zip(parts)
        .map(|(index, text)| {
            let message: ToHost<'_, ()> = ToHost::Part(HostPart {
                context: entry.context.as_str().into(),
                page: entry.page.clone(),
                may_overtake: entry.may_overtake,
                part: Part {
                    sequence: entry.sequence,
                    index,
                    count,
                    text: Cow::Borrowed(text),
                },
            });
            serde_json::to_string(&message).unwrap_or_default()
        })
        .collect()
}

/// Slices of at most so many bytes.
fn cut(mut text: &str, length: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > length {
        let mut end = length;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (part, rest) = text.split_at(end);
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}
