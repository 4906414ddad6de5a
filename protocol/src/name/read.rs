//! From a Memcached key back to the record that it names.

use super::{MARK, MAX_MEMCACHED_KEY, Names, Piece, RecordPrefix, SHORT_END, Template, decode};
use crate::key::Key;

/// The record that a Memcached key names.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRecord {
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The object store's name.
    pub store: String,
    /// The record's key.
    pub key: Key,
}

impl NamedRecord {
    /// For templates.
    pub fn names(&self) -> Names<'_> {
        Names {
            origin: &self.origin,
            bucket: &self.bucket,
            database: &self.database,
            store: &self.store,
        }
    }
}

impl Template {
    /// The record whose name by this template this is. `None`: it is the name of no record, or one
    /// that had to be shortened ([`is_shortened`]), which does not reveal its record any more.
    pub fn read(&self, name: &str) -> Option<NamedRecord> {
        let mut record = NamedRecord {
            origin: String::new(),
            bucket: String::new(),
            database: String::new(),
            store: String::new(),
            key: Key::Number(0.0),
        };
        let mut rest = name;
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            if let Piece::Literal(literal) = piece {
                rest = rest.strip_prefix(literal.as_str())?;
                continue;
            }
            let end = match pieces.peek() {
                None => rest.len(),
                // Components hold no `:`, so the first one is the first one of the text between two
                // of them.
                Some(Piece::Literal(literal)) => match literal.find(':') {
                    Some(colon) => rest.find(':')?.checked_sub(colon)?,
                    // Without one it can only be the end.
                    None => rest.len().checked_sub(literal.len())?,
                },
                Some(_) => return None,
            };
            let component = rest.get(..end)?;
            match piece {
                Piece::Literal(_) => {}
                // The template of no profile names no record.
                Piece::Profile => return None,
                Piece::Origin => record.origin = decode(component)?.into_owned(),
                Piece::Store => record.store = decode(component)?.into_owned(),
                Piece::Key => record.key = Key::parse(&decode(component)?).ok()?,
                Piece::Database => {
                    let (database, bucket) = component.split_once(MARK).unwrap_or((component, ""));
                    record.database = decode(database)?.into_owned();
                    record.bucket = decode(bucket)?.into_owned();
                }
            }
            rest = rest.get(end..)?;
        }
        // What was written in another way (another escape, a key that is not canonical) is not
        // ours.
        (rest.is_empty() && self.record_name(record.names(), &record.key.to_string()) == name)
            .then_some(record)
    }
}

impl RecordPrefix {
    /// Whether a shortened name has the whole prefix in what was kept of it, so that it is one of
    /// these names for sure.
    pub fn begins(&self, shortened: &str) -> bool {
        let kept = shortened.len().saturating_sub(SHORT_END);
        shortened
            .get(..kept)
            .is_some_and(|kept| kept.starts_with(&self.0))
    }

    /// Whether a shortened name can be that of a record of this store.
    pub fn may_begin(&self, shortened: &str) -> bool {
        let kept = shortened.len().saturating_sub(SHORT_END);
        let kept = shortened.get(..kept).unwrap_or_default();
        kept.starts_with(&self.0) || self.0.starts_with(kept)
    }
}

/// Whether a Memcached key has the form of one that had to be shortened: its end is the digest of
/// the whole.
pub fn is_shortened(name: &str) -> bool {
    // Up to three bytes less were kept than could be: characters are not cut.
    (MAX_MEMCACHED_KEY - 3..=MAX_MEMCACHED_KEY).contains(&name.len())
        && name.len().checked_sub(SHORT_END).is_some_and(|kept| {
            name.get(kept..).is_some_and(|end| {
                end.strip_prefix(MARK).is_some_and(|digest| {
                    digest
                        .bytes()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                })
            })
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{default_key, record};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_the_template_makes_is_read() {
        let template = default_key();
        let name = "idb:http%3A//localhost%3A8080:shop%@b:orders:[1,\"a%20b\"]";
        let record = template.read(name).expect("a record");
        assert_eq!(record.origin, "http://localhost:8080");
        assert_eq!((&*record.database, &*record.bucket), ("shop", "b"));
        assert_eq!(record.key.to_string(), "[1,\"a b\"]");
        for other in [
            "",
            "session:42",
            "idb:a:b:c",
            "idb:a:b:c:nothing",
            "idb:a:b:c:1.0",
            "idb:a:b:c:1:2",
            "idb:%61:b:c:1",
            "other:a:b:c:1",
        ] {
            assert_eq!(template.read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn names_tell_their_records_unless_they_were_shortened(
            (origin, bucket, database, store, key) in record(),
            template in prop_oneof![
                Just("idb:{origin}:{database}:{store}:{key}"),
                Just("{key}-:-{store}x:{origin}::{database}end"),
            ],
        ) {
            let template = Template::memcached_key(template).expect("a template");
            let record = NamedRecord { origin, bucket, database, store, key };
            let name = template.record_name(record.names(), &record.key.to_string());
            if is_shortened(&name) {
                prop_assert_eq!(template.read(&name), None);
                if let Some(prefix) = template.prefix(record.names()) {
                    prop_assert!(prefix.may_begin(&name));
                }
            } else {
                prop_assert_eq!(template.read(&name), Some(record));
            }
        }
    }
}
