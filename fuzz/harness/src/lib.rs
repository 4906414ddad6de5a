//! What each fuzz target does with its input.
//!
//! `fuzz/fuzz_targets/` hands these functions what libFuzzer makes up, `tests/mutations.rs` the
//! corpus and mutations of it. **Invariant:** every function takes any bytes; it panics only where
//! the code under test breaks a promise.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a panic is how a broken promise is reported"
)]

use std::path::Path;

use idb_relay::{config::Config, messaging::frame};
use protocol::{
    body::Body,
    json::{Json, JsonError},
    key::Key,
    name::{MAX_MEMCACHED_KEY, Names, Template, is_shortened},
    redact::{How, MASK, Redaction, Rule, Store},
    value,
    wire::{bridge::FromBridge, host::ToHost},
};
use serde_json::value::RawValue;

/// A target: its name, as its file and its corpus have it, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("frames", frames),
    ("messages", messages),
    ("keys", keys),
    ("values", values),
    ("templates", templates),
    ("config", config),
    ("redaction", redaction),
];

const FRAME_LIMIT: usize = 4096;
const PLAIN_LIMIT: usize = 64 * 1024;

/// Frames of a stream until its end or an error: writing them again gives the bytes that were read.
pub fn frames(data: &[u8]) {
    let mut stream = data;
    let mut written = Vec::new();
    while let Ok(Some(message)) = frame::read(&mut stream, FRAME_LIMIT) {
        assert!(message.len() <= FRAME_LIMIT, "a frame longer than the limit");
        frame::write(&mut written, &message, FRAME_LIMIT).expect("what was read can be written");
        assert!(data.starts_with(&written), "a frame is not what was sent");
    }
}

/// What a page script or the background may send. A message that can be read can be written and
/// read again.
pub fn messages(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<ToHost<'_, &RawValue>>(data) {
        if let ToHost::Delivery(delivery) = &message {
            let _any_answer = serde_json::from_str::<Body<'_>>(delivery.body.get());
        }
        let text = serde_json::to_string(&message).expect("a message can be written");
        serde_json::from_str::<ToHost<'_, &RawValue>>(&text).expect("and read again");
    }
    if let Ok(body) = serde_json::from_slice::<Body<'_>>(data) {
        let text = serde_json::to_string(&body).expect("a body can be written");
        serde_json::from_str::<Body<'_>>(&text).expect("and read again");
    }
    if let Ok(message) = serde_json::from_slice::<FromBridge<'_>>(data) {
        let text = serde_json::to_string(&message).expect("a message can be written");
        serde_json::from_str::<FromBridge<'_>>(&text).expect("and read again");
    }
}

/// Keys, one a line: canonical text and ordered bytes both lead back to the key, and all three sort
/// alike.
pub fn keys(data: &[u8]) {
    if let Ok(key) = Key::from_bytes(data) {
        assert_eq!(key.to_bytes(), data, "other bytes for {key}");
    }
    let Ok(text) = str::from_utf8(data) else { return };
    let keys: Vec<Key> = text
        .lines()
        .take(8)
        .filter_map(|line| Key::parse(line).ok())
        .collect();
    for key in &keys {
        let text = key.to_string();
        assert_eq!(Key::parse(&text).as_ref(), Ok(key), "by its text {text}");
        assert_eq!(
            Key::from_bytes(&key.to_bytes()).as_ref(),
            Ok(key),
            "by the bytes of {text}"
        );
        for other in &keys {
            assert_eq!(
                key.cmp(other),
                key.to_bytes().cmp(&other.to_bytes()),
                "{key} and {other}"
            );
            assert_eq!(key == other, text == other.to_string(), "{key} and {other}");
        }
    }
}

/// JSON is read as it is written; the plain form is JSON, too, and no longer than allowed.
pub fn values(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let plain = value::plain(text, PLAIN_LIMIT);
    let Ok(json) = Json::parse(text) else { return };
    let mut written = String::new();
    json.write(&mut written);
    assert_eq!(Json::parse(&written).as_ref(), Ok(&json), "{text} as {written}");
    if let Ok(plain) = plain {
        assert!(plain.len() <= PLAIN_LIMIT, "a plain form longer than the limit");
        if let Err(error @ JsonError::Syntax { .. }) = Json::parse(&plain) {
            panic!("{plain} for {text} is {error}");
        }
    }
}

/// A template, a name in each further line: origin, bucket, database, store, key. Names are keys
/// that Memcached takes, and lead back to what they name.
pub fn templates(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let template = next();
    let names = Names {
        origin: next(),
        bucket: next(),
        database: next(),
        store: next(),
    };
    let key = Key::parse(next()).unwrap_or(Key::Number(1.0));
    if let Ok(channel) = Template::channel(template) {
        assert_eq!(Template::channel(&channel.to_string()).as_ref(), Ok(&channel));
        assert!(!channel.pattern().is_empty());
        let _any_text = channel.store_name(names);
    }
    let Ok(template) = Template::memcached_key(template) else {
        return;
    };
    assert_eq!(
        Template::memcached_key(&template.to_string()).as_ref(),
        Ok(&template)
    );
    let _any_text = template.read(text);
    let name = template.record_name(names, &key.to_string());
    assert!(name.len() <= MAX_MEMCACHED_KEY, "{name} is too long");
    assert!(
        !name.contains(|char: char| char.is_whitespace() || char.is_control()),
        "{name:?} is no Memcached key"
    );
    if let Some(prefix) = template.prefix(names) {
        assert_eq!(prefix.record_name(&key.to_string()), name);
    }
    if !is_shortened(&name) {
        let read = template.read(&name).expect("a whole name leads back");
        let said = (
            read.names().origin,
            read.names().bucket,
            read.names().database,
            read.names().store,
        );
        assert_eq!(said, (names.origin, names.bucket, names.database, names.store));
        assert_eq!(read.key, key);
    }
}

/// Configuration files: each is understood, or refused with a message.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Err(error) = Config::parse(text, Path::new("fuzz.toml")) {
        assert!(!error.to_string().is_empty());
    }
}

/// Values, keys and bodies under rules: nothing that is masked stays, and what comes out is JSON.
pub fn redaction(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for how in [How::Drop, How::Mask, How::Hash] {
        let rule = Rule {
            database: String::new(),
            store: String::new(),
            fields: vec!["/secret".into(), "/list/*/secret".into(), "@key".into()],
            how,
        };
        let redaction = Redaction::new([&rule], &[7; 32]).expect("the rule is sound");
        let store = Store {
            origin: "https://fuzz.example",
            database: "d",
            store: "s",
            key_path: None,
        };
        let value = redaction.value(store, text).expect("a rule concerns the value");
        let json = Json::parse(&value);
        assert!(json.is_ok(), "{value} for {text}");
        if let (Ok(plain), How::Mask) = (value::plain(&value, PLAIN_LIMIT), how)
            && let Ok(plain) = Json::parse(&plain)
            && let Some(left) = plain.get("secret")
        {
            assert_eq!(left.as_plain_str(), Some(MASK), "{value} for {text}");
        }
        if let Ok(Some(key)) = redaction.key(store, text) {
            assert!(Key::parse(&key).is_ok(), "{key} for {text}");
        }
        let body = redaction.body("https://fuzz.example", text);
        assert!(
            serde_json::from_str::<&RawValue>(&body).is_ok(),
            "{body} for {text}"
        );
    }
}
