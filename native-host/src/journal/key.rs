//! Record keys as the journal uses them: ordered bytes for the tables, canonical text for the
//! events, and spans of them.

use protocol::{
    body::Range,
    key::{Key, KeyError},
};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// A key in both forms.
#[derive(Debug, Clone)]
pub(super) struct RecordKey {
    /// Bytes that sort as the keys do.
    pub bytes: Vec<u8>,
    /// Canonical JSON text.
    pub text: Box<RawValue>,
}

impl RecordKey {
    /// Reads a key as a page sent it.
    pub(super) fn parse(text: &RawValue) -> Result<Self, KeyError> {
        let key = Key::parse(text.get())?;
        Ok(Self {
            bytes: key.to_bytes(),
            text: raw(key.to_string()),
        })
    }

    /// How many bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.text.get().len()
    }

    /// The key that a table holds.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<Self, KeyError> {
        let text = raw(Key::from_bytes(&bytes)?.to_string());
        Ok(Self { bytes, text })
    }
}

/// What is remembered of a key where any number of them may come, of any length: the beginning of
/// its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyDigest([u8; 16]);

impl KeyDigest {
    /// Of a key's bytes.
    pub(super) fn of(key: &[u8]) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(key)[..16]);
        Self(digest)
    }
}

/// JSON text as a raw value. All callers have JSON by construction; what is not becomes `null`
/// rather than a broken event.
pub(super) fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|error| {
        tracing::error!("text that should be JSON is not: {error}");
        RawValue::NULL.to_owned()
    })
}

/// A range of keys, from the first one in it up to the first one behind it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

/// No encoded key starts with this byte; all sort before it.
const END: u8 = 0xFF;

impl Span {
    /// The whole store.
    pub(super) fn all() -> Self {
        Self {
            from: Vec::new(),
            to: vec![END],
        }
    }

    /// The keys in a range as IndexedDB defines it.
    pub(super) fn of_range(range: &Range<'_>) -> Result<Self, KeyError> {
        let mut span = Self::all();
        if let Some(lower) = range.lower {
            span.from = Key::parse(lower.get())?.to_bytes();
            if range.lower_open {
                span.from = next(span.from);
            }
        }
        if let Some(upper) = range.upper {
            span.to = Key::parse(upper.get())?.to_bytes();
            if !range.upper_open {
                span.to = next(span.to);
            }
        }
        Ok(span)
    }

    /// What of it is behind this key.
    pub(super) fn after(self, key: &[u8]) -> Self {
        Self {
            from: next(key.to_owned()),
            to: self.to,
        }
    }

    /// The keys of one range of a snapshot: after the one bound, up to and with the other.
    pub(super) fn between(after: Option<&RawValue>, until: Option<&RawValue>) -> Result<Self, KeyError> {
        Self::of_range(&Range {
            lower: after,
            upper: until,
            lower_open: true,
            upper_open: false,
        })
    }
}

/// A byte string of at most this length that is not before this one, and as close to it as that
/// allows.
pub(super) fn round_up(mut bytes: Vec<u8>, longest: usize) -> Vec<u8> {
    if bytes.len() <= longest {
        return bytes;
    }
    bytes.truncate(longest);
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return bytes;
        }
    }
    // No key begins so.
    Span::all().to
}

/// The first byte string after this one.
fn next(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(span: &Span, key: &str) -> bool {
        let bytes = Key::parse(key).expect("a key").to_bytes();
        span.from <= bytes && bytes < span.to
    }

    #[test]
    fn rounded_bytes_are_short_and_not_before() {
        for (bytes, rounded) in [
            (vec![1, 2], vec![1, 2]),
            (vec![1, 2, 3], vec![1, 2, 3]),
            (vec![1, 2, 3, 0], vec![1, 2, 4]),
            (vec![1, 0xFF, 0xFF, 7], vec![2]),
            (vec![0xFF, 0xFF, 0xFF, 7], vec![END]),
        ] {
            assert_eq!(round_up(bytes, 3), rounded);
        }
    }

    #[test]
    fn spans_hold_the_keys_that_ranges_mean() {
        for (range, inside, outside) in [
            ("{}", vec!["-1e308", "[[]]", "\"\""], vec![]),
            (r#"{"lower":2}"#, vec!["2", "3", "\"a\""], vec!["1"]),
            (r#"{"lower":2,"lower_open":true}"#, vec!["2.5"], vec!["2"]),
            (r#"{"upper":2}"#, vec!["2", "-5"], vec!["2.5", "\"a\""]),
            (r#"{"upper":2,"upper_open":true}"#, vec!["1"], vec!["2"]),
            (
                r#"{"lower":[1],"upper":[1,[]]}"#,
                vec!["[1]", "[1,5]", "[1,\"z\"]", "[1,[]]"],
                vec!["[1,[1]]", "[0,9]"],
            ),
        ] {
            let span = Span::of_range(&serde_json::from_str(range).expect("a range")).expect("keys");
            assert!(inside.iter().all(|key| within(&span, key)), "{range}");
            assert!(!outside.iter().any(|key| within(&span, key)), "{range}");
        }
    }
}
