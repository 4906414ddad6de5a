//! Which events are shown: words with a space between, all of which must hold.
//!
//! | word | holds for events |
//! |---|---|
//! | `text` | that have the text anywhere, whatever its case |
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
            .map(|terms| Self { terms })
    }

    /// Whether the event is one of those meant.
    pub fn holds(&self, row: &Row) -> bool {
        self.terms.iter().all(|term| term.test.holds(row) != term.negated)
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
            _ => Test::Text(unquoted(rest).to_lowercase()),
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
            _ if value.starts_with("//") => Self::Text(format!("{field}:{value}").to_lowercase()),
            _ => {
                return Err(QueryError(format!(
                    "{field}: is not known; there are op: origin: db: store: key: stage: is: tx:; quote it to search for it: \"{field}:{value}\""
                )));
            }
        })
    }

    fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Text(text) => contains(&row.text, text),
            Self::Op(ops) => ops.contains(&row.op),
            Self::Origin(pattern) => fits(pattern, &row.origin),
            Self::Database(pattern) => fits(pattern, &row.database),
            Self::Store(pattern) => fits(pattern, &row.store),
            Self::Key(pattern) => {
                row.has_key && (fits(pattern, &row.key) || fits(&format!("\"{pattern}\""), &row.key))
            }
            Self::Stage(stage) => row.passed[*stage].is_some(),
            Self::Error => !row.notices.is_empty(),
            Self::Snapshot => row.snapshot,
            Self::Transaction(id) => row.transaction.as_ref().is_some_and(|(of, ..)| of == id),
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

/// Whether a text has another, given in lower case, in it; without copying what is all ASCII.
fn contains(text: &str, wanted: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(wanted);
    }
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    wanted.is_empty()
        || text
            .windows(wanted.len())
            .any(|window| window.eq_ignore_ascii_case(wanted))
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
    use crate::model::tests::event;

    fn row(op: &str, key: &str, after: &str) -> Row {
        Row::parse(&event(1, op, key, after)).expect("an event")
    }

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
    fn chips_can_be_taken_off() {
        let query = Query::parse(r#"op:put  -store:"my orders" two"#).expect("a query");
        assert_eq!(query.terms().len(), 3);
        assert_eq!(query.without(1), "op:put two");
        assert_eq!(query.texts().collect::<Vec<_>>(), ["two"]);
    }
}
