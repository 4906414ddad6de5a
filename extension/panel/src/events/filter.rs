//! The filter language: terms separated by spaces, all of which must match.
//!
//! | term | matches events |
//! |---|---|
//! | `text` | with this text in key, values or names, in any case |
//! | `op:put` | of this operation: a letter, or `create update delete read clear schema gap` |
//! | `origin:`, `db:`, `store:`, `key:` | with exactly this name or key; `*` matches anything |
//! | `stage:redis` | that have passed this stage |
//! | `is:error` | about which a stage reported a problem |
//! | `is:snapshot` | that were read, not observed |
//! | `tx:ID` | of this transaction |
//!
//! `op:put` is `create` or `update`. `-` negates a term, quotes keep spaces: `-store:"my orders"`.

use protocol::event::Op;

use super::row::{EventRow, STAGES};
use crate::text_search::{find, lower};

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError(pub String);

/// See the [module](self).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<FilterTerm>,
    /// The only origin to match, apart from the terms.
    origin: Option<String>,
}

/// One term of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterTerm {
    /// As the user wrote it.
    pub text: String,
    negated: bool,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Text(String),
    Op(&'static [Op]),
    Origin(String),
    Database(String),
    Store(String),
    Key(String),
    Stage(usize),
    Error,
    Snapshot,
    Transaction(String),
}

impl Filter {
    /// Parses a filter; the empty one matches all events.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        split_terms(text)
            .into_iter()
            .map(|term| FilterTerm::parse(&term))
            .collect::<Result<_, _>>()
            .map(|terms| Self { terms, origin: None })
    }

    /// The same filter, which matches events of this origin only.
    #[must_use]
    pub fn restricted_to(mut self, origin: Option<String>) -> Self {
        self.origin = origin;
        self
    }

    pub fn matches(&self, row: &EventRow) -> bool {
        self.origin
            .as_ref()
            .is_none_or(|origin| *origin == row.source.origin)
            && self
                .terms
                .iter()
                .all(|term| term.condition.matches(row) != term.negated)
    }

    /// Whether an event may match later though it does not now, or the other way round.
    pub fn depends_on_progress(&self) -> bool {
        self.terms
            .iter()
            .any(|term| matches!(term.condition, Condition::Stage(_) | Condition::Error))
    }

    pub fn terms(&self) -> &[FilterTerm] {
        &self.terms
    }

    /// The text of the filter without one of its terms.
    pub fn text_without(&self, index: usize) -> String {
        let kept = self.terms.iter().enumerate().filter(|(at, _)| *at != index);
        kept.map(|(_, term)| term.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The texts to highlight: those that are searched for anywhere.
    pub fn search_texts(&self) -> impl Iterator<Item = &str> {
        self.terms
            .iter()
            .filter(|term| !term.negated)
            .filter_map(|term| match &term.condition {
                Condition::Text(text) => Some(text.as_str()),
                _ => None,
            })
    }
}

/// Splits a text at its spaces. A quoted part stays together and keeps its quotes.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut term = String::new();
    let mut quoted = false;
    for char in text.chars() {
        quoted ^= char == '"';
        if char.is_whitespace() && !quoted {
            if !term.is_empty() {
                terms.push(std::mem::take(&mut term));
            }
        } else {
            term.push(char);
        }
    }
    if !term.is_empty() {
        terms.push(term);
    }
    terms
}

impl FilterTerm {
    fn parse(text: &str) -> Result<Self, FilterError> {
        let (negated, rest) = match text.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, text),
        };
        let condition = match rest.split_once(':') {
            Some((field, value))
                if !field.is_empty() && field.chars().all(|char| char.is_ascii_lowercase()) =>
            {
                Condition::parse(field, value)?
            }
            _ => Condition::Text(lower(unquoted(rest))),
        };
        Ok(Self {
            text: text.to_owned(),
            negated,
            condition,
        })
    }
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').unwrap_or(value);
    inner.strip_suffix('"').unwrap_or(inner)
}

impl Condition {
    fn parse(field: &str, value: &str) -> Result<Self, FilterError> {
        let name = || unquoted(value).to_owned();
        Ok(match field {
            // The quotes of a string key belong to its text.
            "key" => Self::Key(value.to_owned()),
            "origin" => Self::Origin(name()),
            "db" | "database" => Self::Database(name()),
            "store" => Self::Store(name()),
            "tx" => Self::Transaction(name()),
            "op" => Self::Op(operations(value)?),
            "stage" => Self::Stage(STAGES.iter().position(|stage| *stage == value).ok_or_else(|| {
                FilterError(format!(
                    "{value:?} is not a stage; the stages are {}",
                    STAGES.join(", ")
                ))
            })?),
            "is" => match value {
                "error" => Self::Error,
                "snapshot" => Self::Snapshot,
                _ => {
                    return Err(FilterError(format!(
                        "is:{value} is unknown; use is:error or is:snapshot"
                    )));
                }
            },
            // Most likely an address such as `http://localhost`.
            _ if value.starts_with("//") => Self::Text(lower(&format!("{field}:{value}"))),
            _ => {
                return Err(FilterError(format!(
                    "{field}: is unknown; use op: origin: db: store: key: stage: is: tx:, or quotes to search for the text: \"{field}:{value}\""
                )));
            }
        })
    }

    fn matches(&self, row: &EventRow) -> bool {
        match self {
            Self::Text(text) => row
                .searchable_texts()
                .any(|searched| find(searched, text).is_some()),
            Self::Op(ops) => ops.contains(&row.op),
            Self::Origin(pattern) => matches_pattern(pattern, &row.source.origin),
            Self::Database(pattern) => matches_pattern(pattern, &row.source.database),
            Self::Store(pattern) => matches_pattern(pattern, &row.source.store),
            Self::Key(pattern) => row.has_key && matches_key(pattern, row.key()),
            Self::Stage(stage) => row.lag(*stage).is_some(),
            Self::Error => !row.notices.is_empty(),
            Self::Snapshot => row.is_snapshot,
            Self::Transaction(id) => row.transaction.as_ref().is_some_and(|other| *other.id == **id),
        }
    }
}

fn operations(value: &str) -> Result<&'static [Op], FilterError> {
    Ok(match value {
        "c" | "create" | "add" => &[Op::Create],
        "u" | "update" => &[Op::Update],
        "put" => &[Op::Create, Op::Update],
        "d" | "delete" => &[Op::Delete],
        "r" | "read" => &[Op::Read],
        "t" | "clear" => &[Op::Truncate],
        "s" | "schema" => &[Op::Schema],
        "g" | "gap" => &[Op::Gap],
        _ => {
            return Err(FilterError(format!(
                "op:{value} is unknown; use put, create, update, delete, read, clear, schema or gap"
            )));
        }
    })
}

/// Whether a key matches a pattern by its text or, for a string, by its text without the quotes.
fn matches_key(pattern: &str, key: &str) -> bool {
    matches_pattern(pattern, key)
        || key
            .strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .is_some_and(|key| matches_pattern(pattern, key))
}

/// Whether a name matches a pattern, in which `*` matches anything.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::tests::row;

    fn matches(filter: &str, row: &EventRow) -> bool {
        Filter::parse(filter).expect(filter).matches(row)
    }

    #[test]
    fn each_term_narrows_the_result() {
        let row = row("u", "\"a b\"", r#"{"name":"Ünal"}"#);
        for filter in [
            "",
            "ünal",
            "NAME",
            "op:put",
            "op:u",
            "db:shop store:orders",
            "store:ord*",
            "store:*r*",
            "-op:delete",
            "key:\"a b\"",
            "key:\"*\"",
            "origin:http://localhost:*",
            "http://localhost:1",
            "-is:error",
            "tx:c:1",
            "-is:snapshot",
            "-stage:redis",
            "\"name\":\"Ünal",
        ] {
            assert!(matches(filter, &row), "{filter}");
        }
        for filter in [
            "name nothing",
            "op:delete",
            "db:sho",
            "store:*x",
            "-store:orders",
            "key:a",
            "is:error",
            "stage:journal",
            "-ünal",
            "tx:c",
        ] {
            assert!(!matches(filter, &row), "{filter}");
        }
    }

    #[test]
    fn key_matches_with_and_without_quotes() {
        assert!(matches("key:alice", &row("c", "\"alice\"", "1")));
        assert!(matches("key:42", &row("c", "42", "1")));
        assert!(!matches("key:4", &row("c", "42", "1")));
        assert!(matches("key:[1,*", &row("c", "[1,2]", "1")));
    }

    #[test]
    fn field_names_of_events_are_not_searched() {
        assert!(!matches("version", &row("c", "1", "1")));
        assert!(!matches("ts_ms", &row("c", "1", "1")));
    }

    #[test]
    fn error_names_the_valid_choices() {
        for (filter, part) in [
            ("op:x", "put"),
            ("stage:x", "memcached"),
            ("is:x", "is:error"),
            ("stor:x", "store:"),
        ] {
            let FilterError(text) = Filter::parse(filter).expect_err(filter);
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn filter_can_be_restricted_to_an_origin() {
        let row = row("c", "1", "1");
        let of = |origin: &str| Filter::default().restricted_to(Some(origin.to_owned()));
        assert!(of("http://localhost:1").matches(&row));
        assert!(!of("http://localhost:11").matches(&row));
    }

    #[test]
    fn terms_can_be_removed_one_by_one() {
        let filter = Filter::parse(r#"op:put  -store:"my orders" two"#).expect("a filter");
        assert_eq!(filter.terms().len(), 3);
        assert_eq!(filter.text_without(1), "op:put two");
        assert_eq!(filter.search_texts().collect::<Vec<_>>(), ["two"]);
    }
}
