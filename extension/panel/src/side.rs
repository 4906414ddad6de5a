//! A record side by side: in IndexedDB, in the mirror, in Memcached.

use protocol::{commit::Body, inspect::Record, value::plain};

/// How much of a plain value is shown.
const PLAIN_BYTES: usize = 256 * 1024;

/// What is known of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It could not be looked at, for this reason.
    Unknown(String),
    /// There is no such record.
    Nothing,
    /// The value in plain form, as far as it has one.
    Value(String),
}

impl Found {
    /// From a typed value.
    fn of(typed: Option<&str>) -> Self {
        typed.map_or(Self::Nothing, |typed| {
            Self::Value(
                plain(typed, PLAIN_BYTES)
                    .map_or_else(|error| error.to_string(), std::borrow::Cow::into_owned),
            )
        })
    }
}

/// The three places, and what they come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// In the page's database.
    pub indexeddb: Found,
    /// In the host's mirror.
    pub mirror: Found,
    /// In Memcached.
    pub memcached: Found,
    /// A word that styles hang on, and a sentence.
    pub verdict: (&'static str, String),
}

/// What the page said: the text of a `protocol::commit::Records` body, or nothing.
pub fn of_page(text: Option<&str>) -> Found {
    let unknown = |why: &str| Found::Unknown(why.to_owned());
    let Some(text) = text else {
        return unknown("no page of the site is open");
    };
    match serde_json::from_str(text) {
        Ok(Body::Records(records)) => Found::of(records.present.first().map(|record| record.value.get())),
        _ => unknown("the page could not read it"),
    }
}

/// Puts together what the page and the host said.
pub fn side(page: Found, record: &Record) -> Side {
    let mirror = Found::of(record.mirror.as_ref().map(|typed| typed.get()));
    let memcached = match (&record.trouble, &record.found) {
        (Some(trouble), _) => Found::Unknown(trouble.message.clone()),
        (None, _) if record.same.is_none() => Found::Unknown("switched off".to_owned()),
        (None, Some(text)) => Found::Value(text.clone()),
        (None, None) => Found::Nothing,
    };
    let behind = !matches!(page, Found::Unknown(_)) && page != mirror;
    let verdict = match (behind, record.same, &record.trouble) {
        (true, ..) => (
            "wrong",
            "The mirror does not hold what IndexedDB does: the write is on its way, or was not seen. \u{201c}Read again\u{201d} settles it."
                .to_owned(),
        ),
        (false, Some(false), _) => (
            "wrong",
            "Memcached does not hold what it should: the write is on its way, or somebody else wrote there.".to_owned(),
        ),
        (false, Some(true), _) => ("ok", "All are the same.".to_owned()),
        (false, None, Some(trouble)) => ("wrong", trouble.cure.clone()),
        (false, None, None) => ("off", "Memcached is switched off.".to_owned()),
    };
    Side {
        indexeddb: page,
        mirror,
        memcached,
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::inspect::Remark;
    use serde_json::value::RawValue;

    fn record(mirror: Option<&str>, found: Option<&str>, same: Option<bool>) -> Record {
        Record {
            mirror: mirror.map(|text| RawValue::from_string(text.to_owned()).expect("JSON")),
            memcached_key: "k".to_owned(),
            wanted: None,
            found: found.map(str::to_owned),
            same,
            trouble: None,
        }
    }

    fn value(text: &str) -> Found {
        Found::Value(text.to_owned())
    }

    #[test]
    fn a_page_tells_what_it_holds() {
        let body = r#"{"records":{"database":"d","version":1,"store":"s","began_at":1,"read_at":2,"present":[{"key":1,"value":{"a":{"$set":[1]}}}],"absent":[]}}"#;
        assert_eq!(of_page(Some(body)), value(r#"{"a":[1]}"#));
        let gone = body.replace(r#"{"key":1,"value":{"a":{"$set":[1]}}}"#, "");
        assert_eq!(of_page(Some(&gone)), Found::Nothing);
        assert!(matches!(of_page(None), Found::Unknown(_)));
        assert!(matches!(of_page(Some("{}")), Found::Unknown(_)));
    }

    #[test]
    fn what_differs_is_said() {
        let verdict = |page, record: &Record| side(page, record).verdict.0;
        assert_eq!(
            verdict(value("1"), &record(Some("1"), Some("1"), Some(true))),
            "ok"
        );
        assert_eq!(
            verdict(value("2"), &record(Some("1"), Some("1"), Some(true))),
            "wrong"
        );
        assert_eq!(
            verdict(value("1"), &record(Some("1"), None, Some(false))),
            "wrong"
        );
        assert_eq!(verdict(Found::Nothing, &record(None, None, Some(true))), "ok");
        assert_eq!(
            verdict(
                Found::Unknown(String::new()),
                &record(Some("1"), Some("1"), Some(true))
            ),
            "ok"
        );
        let mut away = record(Some("1"), None, None);
        assert_eq!(verdict(value("1"), &away), "off");
        away.trouble = Some(Remark {
            message: "It is away.".to_owned(),
            cure: "Start it.".to_owned(),
        });
        let side = side(value("1"), &away);
        assert_eq!(side.memcached, Found::Unknown("It is away.".to_owned()));
        assert_eq!(side.verdict, ("wrong", "Start it.".to_owned()));
    }
}
