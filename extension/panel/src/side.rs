//! A record side by side: in IndexedDB, in the mirror, in Memcached.

use protocol::{
    inspect::{Record, Sight},
    redact::Rule,
    value::plain,
};

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
    /// From a typed value. One that was left out, or has no plain form, can't be compared by it.
    fn of(typed: Option<&str>) -> Self {
        typed.map_or(Self::Nothing, |typed| match plain(typed, PLAIN_BYTES) {
            Ok(text) => Self::Value(text.into_owned()),
            Err(error) => Self::Unknown(error.to_string()),
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

/// What the page said.
pub fn of_page(sight: &Sight) -> Found {
    match sight {
        Sight::Record(value) => Found::of(value.as_ref().map(|value| value.get())),
        Sight::Failed(remark) => Found::Unknown(format!("{} {}", remark.message, remark.cure)),
        Sight::Counts(_) => Found::Unknown(String::new()),
    }
}

/// Whether some rule concerns records of the store.
pub fn is_redacted<'r>(rules: impl IntoIterator<Item = &'r Rule>, database: &str, store: &str) -> bool {
    let is = |name: &str, asked: &str| name.is_empty() || name == asked;
    rules
        .into_iter()
        .any(|rule| is(&rule.database, database) && is(&rule.store, store))
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
    let unknown = |place: &Found| matches!(place, Found::Unknown(_));
    let behind = !unknown(&page) && !unknown(&mirror) && page != mirror;
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
        (false, Some(true), _) if unknown(&page) || unknown(&mirror) => (
            "off",
            "Memcached holds what the mirror does. IndexedDB could not be compared with them.".to_owned(),
        ),
        (false, Some(true), _) if mirror == Found::Nothing => (
            "ok",
            "All are the same: none of the three has such a record.".to_owned(),
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
        let typed = |text: &str| Sight::Record(Some(RawValue::from_string(text.to_owned()).expect("JSON")));
        assert_eq!(of_page(&typed(r#"{"a":{"$set":[1]}}"#)), value(r#"{"a":[1]}"#));
        assert_eq!(of_page(&Sight::Record(None)), Found::Nothing);
        let away = Sight::Failed(Remark {
            message: "No page.".to_owned(),
            cure: "Open one.".to_owned(),
        });
        assert_eq!(of_page(&away), Found::Unknown("No page. Open one.".to_owned()));
    }

    #[test]
    fn what_is_left_out_is_not_called_different() {
        let large = protocol::inspect::left_out("inspector", 1_000_000);
        let page = of_page(&Sight::Record(Some(large.clone())));
        let Found::Unknown(why) = &page else {
            panic!("{page:?}")
        };
        assert!(why.contains("too large"), "{why}");
        let mut record = record(None, Some("cut"), Some(true));
        record.mirror = Some(large);
        assert_eq!(side(value("1"), &record).verdict.0, "off");
        assert_eq!(side(page, &record).verdict.0, "off");
    }

    #[test]
    fn a_rule_concerns_the_stores_that_it_names_or_all() {
        let rule = |database: &str, store: &str| Rule {
            database: database.to_owned(),
            store: store.to_owned(),
            fields: Vec::new(),
            how: protocol::redact::How::Mask,
        };
        assert!(is_redacted(&[rule("other", ""), rule("", "s")], "d", "s"));
        assert!(!is_redacted(&[rule("other", ""), rule("", "t")], "d", "s"));
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
        let nowhere = side(Found::Nothing, &record(None, None, Some(true))).verdict;
        assert!(
            nowhere.0 == "ok" && nowhere.1.contains("none of the three"),
            "{nowhere:?}"
        );
        assert_eq!(
            verdict(
                Found::Unknown(String::new()),
                &record(Some("1"), Some("1"), Some(true))
            ),
            "off"
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
