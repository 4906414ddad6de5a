//! The digest of a stretch of records: what is compared instead of the records themselves.
//!
//! It is made of the text that the records would have in a [`Snapshot`](crate::body::Snapshot):
//! `{"key":…,"value":…}` in the order of keys, with a comma between two. Keys and values are JSON,
//! so two lists of records have the same text only if they are the same.
//! `extension/content/isolated/digest.js` makes the same one of what it has read; both keep to
//! `tests/vectors/digests.json`.

use sha2::{Digest as _, Sha256};

/// How many bytes of the SHA-256 count. A page that makes two lists of records with one digest
/// deceives itself alone, so what matters is chance.
const BYTES: usize = 16;

/// Takes in records in the order of their keys, and ends as their digest.
#[derive(Debug, Clone, Default)]
pub struct RecordsDigest {
    hash: Sha256,
    records: u64,
}

impl RecordsDigest {
    /// Adds a record: the canonical text of its key, and its typed value.
    pub fn add(&mut self, key: &str, value: &str) {
        if self.records > 0 {
            self.hash.update(b",");
        }
        self.records += 1;
        for text in ["{\"key\":", key, ",\"value\":", value, "}"] {
            self.hash.update(text.as_bytes());
        }
    }

    /// How many records were added.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The digest, in hexadecimal.
    pub fn finish(self) -> String {
        let hash = self.hash.finalize();
        hexadecimal(&hash[..BYTES])
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(records: &[(String, String)]) -> String {
        let mut digest = RecordsDigest::default();
        for (key, value) in records {
            digest.add(key, value);
        }
        digest.finish()
    }

    fn records() -> impl Strategy<Value = Vec<(String, String)>> {
        let record = (any::<u16>(), "[a-c{}\":,]{0,4}").prop_map(|(key, value)| {
            let value = serde_json::to_string(&value).unwrap_or_default();
            (key.to_string(), value)
        });
        prop::collection::vec(record, 0..6)
    }

    proptest! {
        #[test]
        fn digest_is_that_of_the_text_in_a_snapshot(records in records()) {
            let texts: Vec<String> = records
                .iter()
                .map(|(key, value)| format!("{{\"key\":{key},\"value\":{value}}}"))
                .collect();
            let hash = Sha256::digest(texts.join(","));
            prop_assert_eq!(digest(&records), hexadecimal(&hash[..BYTES]));
        }

        #[test]
        fn other_records_have_another_digest(one in records(), other in records()) {
            prop_assert_eq!(one == other, digest(&one) == digest(&other));
        }
    }
}
