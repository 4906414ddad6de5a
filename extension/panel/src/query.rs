//! Which events are shown: words with a space between, all of which must hold.
//!
//! | word | holds for events |
//! |---|---|
//! | `text` | that have the text in their key, values or names, whatever its case |
//! | `op:put` | of this operation: a letter, or `create update delete read clear schema`; `put` is `create` or `update` |
//! | `origin:`, `db:`, `store:`, `key:` | with exactly this name or key; `*` stands for anything |
//! | `stage:redis` | that have passed this stage |
//! | `is:error` | that some stage had to say something about |
//! | `is:snapshot` | that were read, not observed |
//! | `tx:ID` | of this transaction |
//!
//! `-` before a word turns it round, quotes keep spaces: `-store:"my orders"`.

use protocol::event::Op;

use crate::model::{Row, STAGES};

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError(pub String);

/// See the [module](self).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
    /// What it is confined to apart from its words.
    origin: Option<String>,
}

/// One word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// As it was written.
    pub text: String,
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
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

impl Query {
    /// Reads a query; the empty one holds for all.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        words(text)
            .into_iter()
            .map(|word| Term::parse(&word))
            .collect::<Result<_, _>>()
            .map(|terms| Self { terms, origin: None })
    }

    /// The same, and only of this origin.
    #[must_use]
    pub fn within(mut self, origin: Option<String>) -> Self {
        self.origin = origin;
        self
    }

    /// Whether the event is one of those meant.
    pub fn holds(&self, row: &Row) -> bool {
        self.origin
            .as_ref()
            .is_none_or(|origin| *origin == row.source.origin)
            && self.terms.iter().all(|term| term.test.holds(row) != term.negated)
    }

    /// Whether an event for which it does not hold now may be one later, and the other way round.
    pub fn changes_later(&self) -> bool {
        self.terms
            .iter()
            .any(|term| matches!(term.test, Test::Stage(_) | Test::Error))
    }

    /// Its words, for chips.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The query without one of its words, as text.
    pub fn without(&self, index: usize) -> String {
        let kept = self.terms.iter().enumerate().filter(|(at, _)| *at != index);
        kept.map(|(_, term)| term.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The texts that are searched for anywhere, to be highlighted.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.terms
            .iter()
            .filter(|term| !term.negated)
            .filter_map(|term| match &term.test {
                Test::Text(text) => Some(text.as_str()),
                _ => None,
            })
    }
}

/// The words of a text; what is quoted stays together, quotes and all.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for char in text.chars() {
        quoted ^= char == '"';
        if char.is_whitespace() && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(char);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

impl Term {
    fn parse(word: &str) -> Result<Self, QueryError> {
        let (negated, rest) = match word.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, word),
        };
        let test = match rest.split_once(':') {
            Some((field, value))
                if !field.is_empty() && field.chars().all(|char| char.is_ascii_lowercase()) =>
            {
                Test::of(field, value)?
            }
            _ => Test::Text(lower(unquoted(rest))),
        };
        Ok(Self {
            text: word.to_owned(),
            negated,
            test,
        })
    }
}

/// Without the quotes that keep a word together.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').unwrap_or(value);
    inner.strip_suffix('"').unwrap_or(inner)
}

impl Test {
    fn of(field: &str, value: &str) -> Result<Self, QueryError> {
        let name = || unquoted(value).to_owned();
        Ok(match field {
            // A key's text may have quotes of its own.
            "key" => Self::Key(value.to_owned()),
            "origin" => Self::Origin(name()),
            "db" | "database" => Self::Database(name()),
            "store" => Self::Store(name()),
            "tx" => Self::Transaction(name()),
            "op" => Self::Op(operations(value)?),
            "stage" => Self::Stage(STAGES.iter().position(|stage| *stage == value).ok_or_else(|| {
                QueryError(format!("{value:?} is no stage; there are {}", STAGES.join(", ")))
            })?),
            "is" => match value {
                "error" => Self::Error,
                "snapshot" => Self::Snapshot,
                _ => {
                    return Err(QueryError(format!(
                        "is:{value} is not known; there are is:error, is:snapshot"
                    )));
                }
            },
            // An address, most likely: `http://localhost`.
            _ if value.starts_with("//") => Self::Text(lower(&format!("{field}:{value}"))),
            _ => {
                return Err(QueryError(format!(
                    "{field}: is not known; there are op: origin: db: store: key: stage: is: tx:; quote it to search for it: \"{field}:{value}\""
                )));
            }
        })
    }

    fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Text(text) => row.parts().any(|part| find(part, text).is_some()),
            Self::Op(ops) => ops.contains(&row.op),
            Self::Origin(pattern) => fits(pattern, &row.source.origin),
            Self::Database(pattern) => fits(pattern, &row.source.database),
            Self::Store(pattern) => fits(pattern, &row.source.store),
            Self::Key(pattern) => row.has_key && is_key(pattern, row.key()),
            Self::Stage(stage) => row.lag(*stage).is_some(),
            Self::Error => !row.notices.is_empty(),
            Self::Snapshot => row.snapshot,
            Self::Transaction(id) => row.transaction.as_ref().is_some_and(|of| *of.id == **id),
        }
    }
}

fn operations(value: &str) -> Result<&'static [Op], QueryError> {
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
            return Err(QueryError(format!(
                "op:{value} is not known; there are put, create, update, delete, read, clear, schema"
            )));
        }
    })
}

/// Whether a key is the one that is meant, written as its text or, for a string, without the quotes.
fn is_key(pattern: &str, key: &str) -> bool {
    fits(pattern, key)
        || key
            .strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .is_some_and(|key| fits(pattern, key))
}

/// A text around the first of others, given in lower case, that is in it: what is before, that, and what is behind.
pub fn split<'t>(text: &'t str, wanted: &[String]) -> (&'t str, &'t str, &'t str) {
    match wanted.iter().find_map(|wanted| find(text, wanted)) {
        Some((from, to)) => (&text[..from], &text[from..to], &text[to..]),
        None => (text, "", ""),
    }
}

/// A text in lower case, letter by letter as [`find`] compares them: no letter depends on those beside it, as a Greek sigma at a word's
/// end does elsewhere.
pub fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Where a text has another, given in lower case, in it: the bytes from and to. Nothing is copied of what is all ASCII.
pub fn find(text: &str, wanted: &str) -> Option<(usize, usize)> {
    let first = *wanted.as_bytes().first()?;
    if wanted.is_ascii() {
        // Bytes of longer characters are none of ASCII's: each match is one of whole characters.
        let (bytes, wanted) = (text.as_bytes(), wanted.as_bytes());
        let last = bytes.len().checked_sub(wanted.len())?;
        let mut from = 0;
        while from <= last {
            let rest = &bytes[from..=last];
            let at = memchr::memchr2(first, first.to_ascii_uppercase(), rest)? + from;
            let end = at + wanted.len();
            if bytes[at..end].eq_ignore_ascii_case(wanted) {
                return Some((at, end));
            }
            from = at + 1;
        }
        return None;
    }
    if text.is_ascii() {
        return None;
    }
    // Character by character, for lower case may take another number of bytes.
    text.char_indices().find_map(|(at, _)| {
        let mut rest = text[at..].char_indices();
        let mut wanted = wanted.chars().peekable();
        while wanted.peek().is_some() {
            let (_, char) = rest.next()?;
            for lower in char.to_lowercase() {
                if wanted.next() != Some(lower) {
                    return None;
                }
            }
        }
        Some((at, rest.next().map_or(text.len(), |(end, _)| at + end)))
    })
}

/// Whether a name is what a pattern says, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
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
    use crate::model::tests::row;

    fn holds(query: &str, row: &Row) -> bool {
        Query::parse(query).expect(query).holds(row)
    }

    #[test]
    fn each_word_narrows() {
        let row = row("u", "\"a b\"", r#"{"name":"Ünal"}"#);
        for query in [
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
            assert!(holds(query, &row), "{query}");
        }
        for query in [
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
            assert!(!holds(query, &row), "{query}");
        }
    }

    #[test]
    fn keys_are_written_with_or_without_quotes() {
        assert!(holds("key:alice", &row("c", "\"alice\"", "1")));
        assert!(holds("key:42", &row("c", "42", "1")));
        assert!(!holds("key:4", &row("c", "42", "1")));
        assert!(holds("key:[1,*", &row("c", "[1,2]", "1")));
    }

    #[test]
    fn texts_are_found_whatever_their_case() {
        assert_eq!(find("abcABD", "abd"), Some((3, 6)));
        assert_eq!(find("ab", "abd"), None);
        assert_eq!(find("aab", "ab"), Some((1, 3)));
        assert_eq!(find("xÜNAL", "ünal"), Some((1, 6)));
        assert_eq!(find("ÜÜn", "ün"), Some((2, 5)));
        assert_eq!(find("İx", "x"), Some((2, 3)));
        assert_eq!(find("plain", "ü"), None);
        assert_eq!(find("x", ""), None);
        assert_eq!(find("ΟΔΟΣ 1, Οδός 2", &lower("ΟΔΌΣ")), None);
        assert_eq!(find("die ΟΔΟΣ", &lower("ΟΔΟΣ")), Some((4, 12)));
    }

    #[test]
    fn what_every_event_has_is_not_searched() {
        assert!(!holds("version", &row("c", "1", "1")));
        assert!(!holds("ts_ms", &row("c", "1", "1")));
    }

    #[test]
    fn mistakes_name_what_there_is() {
        for (query, part) in [
            ("op:x", "put"),
            ("stage:x", "memcached"),
            ("is:x", "is:error"),
            ("stor:x", "store:"),
        ] {
            let QueryError(text) = Query::parse(query).expect_err(query);
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_query_can_be_confined_to_a_site() {
        let row = row("c", "1", "1");
        let within = |origin: &str| Query::default().within(Some(origin.to_owned()));
        assert!(within("http://localhost:1").holds(&row));
        assert!(!within("http://localhost:11").holds(&row));
    }

    #[test]
    fn chips_can_be_taken_off() {
        let query = Query::parse(r#"op:put  -store:"my orders" two"#).expect("a query");
        assert_eq!(query.terms().len(), 3);
        assert_eq!(query.without(1), "op:put two");
        assert_eq!(query.texts().collect::<Vec<_>>(), ["two"]);
    }
}
