//! Large values left out, so that an answer fits a message.

use std::borrow::Cow;

use protocol::{
    event::Event,
    wire::inspector::{FEED_VALUE_BYTES, RECORD_VALUE_BYTES, left_out},
};
use serde_json::value::RawValue;

use crate::journal::read::Entry;

/// How long names may be in an event that has to be cut.
const NAME_CHARACTERS: usize = 1000;

/// An event as the feed has it; nothing if the journal does not hold one there.
pub(super) fn event(entry: Entry) -> Option<Box<RawValue>> {
    if entry.event.len() <= FEED_VALUE_BYTES {
        return RawValue::from_string(entry.event.into()).ok();
    }
    let mut event: Event<'_> = serde_json::from_str(&entry.event).ok()?;
    let markers = [
        event.key.and_then(marker),
        event.range.and_then(marker),
        event.before.and_then(marker),
        marker(event.after),
    ];
    let [key, range, before, after] = &markers;
    event.key = key.as_deref().or(event.key);
    event.range = range.as_deref().or(event.range);
    event.before = before.as_deref().or(event.before);
    event.after = after.as_deref().unwrap_or(event.after);
    let schema_bytes = serde_json::to_string(&event.schema).map_or(0, |text| text.len());
    event.schema = event.schema.filter(|_| schema_bytes <= FEED_VALUE_BYTES);
    let source = &mut event.source;
    for name in [
        &mut source.origin,
        &mut source.bucket,
        &mut source.database,
        &mut source.store,
        &mut source.context,
    ] {
        shorten(name);
    }
    serde_json::value::to_raw_value(&event).ok()
}

/// What stands for a value that is too long for the feed.
fn marker(value: &RawValue) -> Option<Box<RawValue>> {
    (value.get().len() > FEED_VALUE_BYTES).then(|| left_out("feed", value.get().len()))
}

/// A typed value as a record shows it.
pub(super) fn value(typed: String) -> Option<Box<RawValue>> {
    if typed.len() > RECORD_VALUE_BYTES {
        return Some(left_out("inspector", typed.len()));
    }
    RawValue::from_string(typed).ok()
}

/// Text as a record shows it: what of it takes no more room than a value as a JSON string may.
pub(super) fn text(text: &str) -> String {
    let mut bytes = 0;
    for (at, char) in text.char_indices() {
        // What JSON escapes takes up to six bytes.
        bytes += match char {
            '"' | '\\' => 2,
            char if char < ' ' => 6,
            char => char.len_utf8(),
        };
        if bytes > RECORD_VALUE_BYTES {
            return format!("{}… ({} bytes)", &text[..at], text.len());
        }
    }
    text.to_owned()
}

fn shorten(name: &mut Cow<'_, str>) {
    if name.len() > NAME_CHARACTERS {
        let kept: String = name.chars().take(NAME_CHARACTERS).collect();
        *name = format!("{kept}…").into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn seen(event: &Value) -> Value {
        let entry = Entry {
            number: 1,
            store: 1,
            event: event.to_string().into(),
        };
        let raw = super::event(entry).expect("an event");
        serde_json::from_str(raw.get()).expect("JSON")
    }

    #[test]
    fn long_parts_of_an_event_are_cut() {
        let long = "x".repeat(FEED_VALUE_BYTES);
        let event = |text: &str| {
            json!({
                "op": "s", "key": text, "range": {"lower": text}, "before": [text], "after": {"a": text},
                "schema": {"create_index": {"index": text, "key_path": text, "unique": false, "multi_entry": false}},
                "ts_ms": 1,
                "source": {
                    "version": "0", "browser": "b", "profile": "p", "origin": "http://a", "bucket": text,
                    "database": text, "database_version": 1, "store": text, "context": text, "sequence": 1,
                    "snapshot": false,
                },
            })
        };
        assert_eq!(seen(&event("short")), event("short"));
        let cut = seen(&event(&long));
        assert!(cut.to_string().len() < FEED_VALUE_BYTES);
        assert_eq!(
            cut["after"],
            json!({"$opaque": {"type": "Object", "reason": format!("too large for the feed: {} bytes", FEED_VALUE_BYTES + 8)}})
        );
        assert_eq!(cut["source"]["sequence"], 1);
    }

    #[test]
    fn text_is_cut_by_what_it_takes_as_json() {
        assert_eq!(text("short"), "short");
        let quotes = "\"".repeat(RECORD_VALUE_BYTES);
        let cut = text(&quotes);
        assert!(serde_json::to_string(&cut).expect("JSON").len() < RECORD_VALUE_BYTES + 100);
        assert!(cut.ends_with(&format!("… ({RECORD_VALUE_BYTES} bytes)")));
    }
}
