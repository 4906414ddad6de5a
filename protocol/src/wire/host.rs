//! Between background and host, by native messaging.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use crate::problem::{ErrorCode, HostError};
use crate::redact::Rule;

use super::{
    bridge::Part,
    inspector::{Answer, Ask, Problem, Reply},
};

/// How many bytes of messages to the host travel together at most, as one frame that holds an array
/// of them. A message that is alone travels as it is.
pub const MAX_BUNDLE: usize = 1024 * 1024;

/// Background to host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToHost<'a, B> {
    /// First message on a connection.
    #[serde(borrow)]
    Hello(ExtensionHello<'a>),
    /// A numbered body with who sent it.
    Delivery(#[serde(bound(deserialize = "B: Deserialize<'de>"))] Delivery<'a, B>),
    /// A slice of one.
    #[serde(borrow)]
    Part(HostPart<'a>),
    /// A question of an inspector; its number is the background's.
    Ask(Ask),
    /// By which rules everything that follows is redacted.
    #[serde(borrow)]
    Rules(Rules<'a>),
    /// The documents that can read an origin are others than when the host asked last.
    #[serde(borrow)]
    Readers(Readers<'a>),
    /// A document of an origin has a worker that is not observed.
    #[serde(borrow)]
    Worker(OriginWorker<'a>),
}

/// The extension introduces itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExtensionHello<'a> {
    /// [`crate::PROTOCOL_VERSION`] of the extension.
    pub protocol: u32,
    /// The extension's own version.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    /// `chromium` or `firefox`, with its version: `chromium/156`.
    #[serde(borrow)]
    pub browser: Cow<'a, str>,
    /// Random id of the browser profile, made when the extension is installed; names the journal.
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
}

/// Where a delivery comes from, as the browser (never the page) says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<'a> {
    /// Serialised origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    /// Tab id; -1 outside tabs.
    pub tab: i64,
    /// Frame id; 0 is the top frame.
    pub frame: i64,
}

/// A delivery on its way to the host.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivery<'a, B> {
    /// The document's id.
    #[serde(borrow)]
    pub context: Cow<'a, str>,
    /// From 1, without gaps, per context.
    pub sequence: u64,
    /// Who sent it.
    #[serde(borrow)]
    pub page: Page<'a>,
    /// Another document of the origin may have committed before and not have sent that yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_overtake: bool,
    /// In the host a [`crate::body::Body`], in the background raw text.
    pub body: B,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A slice of a delivery on its way to the host.
#[derive(Debug, Serialize, Deserialize)]
pub struct HostPart<'a> {
    /// The document's id.
    #[serde(borrow)]
    pub context: Cow<'a, str>,
    /// Who sent it.
    #[serde(borrow)]
    pub page: Page<'a>,
    /// See [`Delivery::may_overtake`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_overtake: bool,
    /// The slice.
    #[serde(borrow)]
    pub part: Part<'a>,
}

/// The state of the redaction rules. Comes after the host's hello, ahead of any delivery, and
/// whenever it changes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rules<'a> {
    /// [`crate::redact::Redaction::fingerprint`]. If it is another one than before, what the host
    /// holds is to be read again, and no event has it as `before` any more.
    #[serde(borrow)]
    pub fingerprint: Cow<'a, str>,
}

/// A document of an origin has come or gone: what the host has asked for in vain is asked for once
/// more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Readers<'a> {
    /// The origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
}

/// A worker of an origin that is not observed.
#[derive(Debug, Serialize, Deserialize)]
pub struct OriginWorker<'a> {
    /// The origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    /// See [`Worker::url`].
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

/// Host to background.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHost<R = Reply> {
    /// First message on a connection.
    Hello(HostHello),
    /// All deliveries of the context up to this one are on disk.
    Acknowledged {
        /// The document's id.
        context: String,
        /// The last one.
        sequence: u64,
    },
    /// The mirror has these stretches of a [`crate::body::Digests`] as they were read. Comes
    /// ahead of the acknowledgement, and is not said again when that is.
    Matched {
        /// The document's id.
        context: String,
        /// The delivery's number.
        sequence: u64,
        /// How many, counted from the first one.
        stretches: u32,
    },
    /// These records are in doubt: let any document of the origin read them.
    Read {
        /// Whose records.
        origin: String,
        /// Which ones, as in [`Read`].
        #[serde(default)]
        bucket: String,
        /// See [`Read`].
        database: String,
        /// See [`Read`].
        store: String,
        /// See [`Read`].
        keys: Vec<String>,
    },
    /// The origin's stores must be compared completely.
    Snapshot {
        /// Whose stores.
        origin: String,
    },
    /// A comparison has found what no captured commit explains: the origin has a writer that is not
    /// seen, such as a worker.
    Unseen {
        /// Whose stores.
        origin: String,
    },
    /// What keeps sinks from passing events on, whenever that changes; empty if nothing does any
    /// more.
    Servers {
        /// One for each sink that is in trouble.
        problems: Vec<Problem>,
    },
    /// The answer to a question. Everything else goes first.
    Answer(Answer<R>),
    /// Something is wrong; the connection may still go on.
    Error(HostError),
}

/// The host introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostHello {
    /// [`crate::PROTOCOL_VERSION`] of the host.
    pub protocol: u32,
    /// The host's own version.
    pub version: String,
    /// `capture.origins` of the configuration ([`crate::origin::OriginPattern`]).
    pub origins: Vec<String>,
    /// `[[redact]]` of the configuration.
    #[serde(default)]
    pub redact: Vec<Rule>,
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::body::Body;

    #[test]
    fn a_delivery_passes_through_the_background_untouched() {
        let body = r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{"put":{"store":"s","key":"\ud800","value":-0}}]}}"#;
        let raw: &RawValue = serde_json::from_str(body).expect("JSON");
        let stamped: ToHost<'_, &RawValue> = ToHost::Delivery(Delivery {
            context: "c".into(),
            sequence: 7,
            page: Page {
                origin: "https://a.example".into(),
                tab: 1,
                frame: 0,
            },
            may_overtake: false,
            body: raw,
        });
        let text = serde_json::to_string(&stamped).expect("JSON");
        let received: ToHost<'_, Body<'_>> = serde_json::from_str(&text).expect("a message");
        let ToHost::Delivery(Delivery {
            body: parsed @ Body::Commit(_),
            sequence: 7,
            ..
        }) = received
        else {
            panic!()
        };
        assert_eq!(serde_json::to_string(&parsed).expect("JSON"), body);
    }

    #[test]
    fn messages_to_the_extension_read_as_documented() {
        let read = FromHost::<Reply>::Read {
            origin: "http://localhost:1".into(),
            bucket: String::new(),
            database: "d".into(),
            store: "s".into(),
            keys: vec!["[1]".into()],
        };
        let text = serde_json::to_string(&read).expect("JSON");
        assert_eq!(
            text,
            r#"{"read":{"origin":"http://localhost:1","bucket":"","database":"d","store":"s","keys":["[1]"]}}"#
        );
        assert!(matches!(
            serde_json::from_str::<FromHost>(&text),
            Ok(FromHost::Read { .. })
        ));
        let error = serde_json::to_string(&ErrorCode::ProtocolMismatch).expect("JSON");
        assert_eq!(error, r#""protocol_mismatch""#);
    }
}
