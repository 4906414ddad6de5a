//! Compares a record in IndexedDB, in the mirror and in Memcached.

use protocol::{
    redact::Rule,
    value::plain,
    wire::inspector::{Record, Sight},
};

/// The most bytes of a plain value that are shown.
const MAX_PLAIN_BYTES: usize = 256 * 1024;

/// The record in one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The record could not be read or shown, for this reason.
    Unknown(String),
    NoRecord,
    /// The value in plain form.
    Value(String),
}

impl Content {
    /// The content of a typed value. A value that was left out, or has no plain form, cannot be
    /// compared.
    fn from_typed(typed: Option<&str>) -> Self {
        typed.map_or(Self::NoRecord, |typed| match plain(typed, MAX_PLAIN_BYTES) {
            Ok(text) => Self::Value(text.into_owned()),
            Err(error) => Self::Unknown(error.to_string()),
        })
    }
}

/// The record in the three locations, and the result of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordComparison {
    pub indexeddb: Content,
    pub mirror: Content,
    pub memcached: Content,
    /// The state for the style sheet (`ok`, `wrong`, `off`), and a sentence.
    pub verdict: (&'static str, String),
}

/// The content of the record by the answer of the page.
pub fn content_in_page(sight: &Sight) -> Content {
    match sight {
        Sight::Record(value) => Content::from_typed(value.as_ref().map(|value| value.get())),
        Sight::Failed(remark) => Content::Unknown(format!("{} {}", remark.message, remark.fix)),
        Sight::Counts(_) => Content::Unknown(String::new()),
    }
}

/// Whether a redaction rule applies to records of the store.
pub fn is_redacted<'r>(rules: impl IntoIterator<Item = &'r Rule>, database: &str, store: &str) -> bool {
    let applies_to = |name: &str, asked: &str| name.is_empty() || name == asked;
    rules
        .into_iter()
        .any(|rule| applies_to(&rule.database, database) && applies_to(&rule.store, store))
}

/// Compares the answers of the page and of the host.
pub fn compare_record(page: Content, record: &Record) -> RecordComparison {
    let mirror = Content::from_typed(record.mirror.as_ref().map(|typed| typed.get()));
    let memcached = match (&record.trouble, &record.found) {
        (Some(problem), _) => Content::Unknown(problem.message.clone()),
        (None, _) if record.same.is_none() => Content::Unknown("switched off".to_owned()),
        (None, Some(text)) => Content::Value(text.clone()),
        (None, None) => Content::NoRecord,
    };
    let is_unknown = |content: &Content| matches!(content, Content::Unknown(_));
    let mirror_differs = !is_unknown(&page) && !is_unknown(&mirror) && page != mirror;
    let verdict = match (mirror_differs, record.same, &record.trouble) {
        (true, ..) => (
            "wrong",
            "The mirror does not hold the value of IndexedDB: the write is in transit, or was not observed. \u{201c}Read again\u{201d} repairs that."
                .to_owned(),
        ),
        (false, Some(false), _) => (
            "wrong",
            "Memcached does not hold the value of the mirror: the write is in transit, or another client wrote there.".to_owned(),
        ),
        (false, Some(true), _) if is_unknown(&page) || is_unknown(&mirror) => (
            "off",
            "Memcached holds the value of the mirror. IndexedDB could not be compared.".to_owned(),
        ),
        (false, Some(true), _) if mirror == Content::NoRecord => (
            "ok",
            "All are the same: none of the three has this record.".to_owned(),
        ),
        (false, Some(true), _) => ("ok", "All are the same.".to_owned()),
        (false, None, Some(problem)) => ("wrong", problem.fix.clone()),
        (false, None, None) => ("off", "Memcached is switched off.".to_owned()),
    };
    RecordComparison {
        indexeddb: page,
        mirror,
        memcached,
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::wire::inspector::Problem;
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

    fn value(text: &str) -> Content {
        Content::Value(text.to_owned())
    }

    #[test]
    fn content_of_the_page_is_plain() {
        let typed = |text: &str| Sight::Record(Some(RawValue::from_string(text.to_owned()).expect("JSON")));
        assert_eq!(
            content_in_page(&typed(r#"{"a":{"$set":[1]}}"#)),
            value(r#"{"a":[1]}"#)
        );
        assert_eq!(content_in_page(&Sight::Record(None)), Content::NoRecord);
        let failed = Sight::Failed(Problem {
            message: "No page.".to_owned(),
            fix: "Open one.".to_owned(),
        });
        assert_eq!(
            content_in_page(&failed),
            Content::Unknown("No page. Open one.".to_owned())
        );
    }

    #[test]
    fn left_out_value_is_not_reported_as_different() {
        let large = protocol::wire::inspector::left_out("inspector", 1_000_000);
        let page = content_in_page(&Sight::Record(Some(large.clone())));
        let Content::Unknown(why) = &page else {
            panic!("{page:?}")
        };
        assert!(why.contains("too large"), "{why}");
        let mut record = record(None, Some("cut"), Some(true));
        record.mirror = Some(large);
        assert_eq!(compare_record(value("1"), &record).verdict.0, "off");
        assert_eq!(compare_record(page, &record).verdict.0, "off");
    }

    #[test]
    fn rule_applies_to_its_store_or_to_all() {
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
    fn verdict_follows_the_three_contents() {
        let verdict = |page, record: &Record| compare_record(page, record).verdict.0;
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
        let nowhere = compare_record(Content::NoRecord, &record(None, None, Some(true))).verdict;
        assert!(
            nowhere.0 == "ok" && nowhere.1.contains("none of the three"),
            "{nowhere:?}"
        );
        assert_eq!(
            verdict(
                Content::Unknown(String::new()),
                &record(Some("1"), Some("1"), Some(true))
            ),
            "off"
        );
        let mut unreachable = record(Some("1"), None, None);
        assert_eq!(verdict(value("1"), &unreachable), "off");
        unreachable.trouble = Some(Problem {
            message: "It does not answer.".to_owned(),
            fix: "Start it.".to_owned(),
        });
        let comparison = compare_record(value("1"), &unreachable);
        assert_eq!(
            comparison.memcached,
            Content::Unknown("It does not answer.".to_owned())
        );
        assert_eq!(comparison.verdict, ("wrong", "Start it.".to_owned()));
    }
}
