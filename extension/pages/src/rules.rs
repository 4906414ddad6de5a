//! Redaction rules as a person writes them, and what they make of a sample.

use protocol::{
    json::Json,
    key::{Key, KeyError},
    redact::{How, Redaction, Rule, RuleError, Store},
};
use serde_json::value::RawValue;

/// A rule in a form's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The database's name; empty for every one.
    pub database: String,
    /// The store's name; empty for every one.
    pub store: String,
    /// A field a line.
    pub fields: String,
    /// `drop`, `mask` or `hash`.
    pub how: String,
}

impl Draft {
    /// The draft of a rule that is to be changed.
    pub fn of(rule: &Rule) -> Self {
        Self {
            database: rule.database.clone(),
            store: rule.store.clone(),
            fields: rule
                .fields
                .iter()
                .map(|field| if field.is_empty() { "\"\"" } else { field })
                .collect::<Vec<_>>()
                .join("\n"),
            how: how_name(rule.how).to_owned(),
        }
    }

    /// The rule, if it can be applied.
    pub fn rule(&self) -> Result<Rule, RuleError> {
        let lines = self.fields.lines().map(str::trim).filter(|line| !line.is_empty());
        let rule = Rule {
            database: self.database.trim().to_owned(),
            store: self.store.trim().to_owned(),
            // An empty line is none; the whole value has to be said.
            fields: lines
                .map(|line| if line == "\"\"" { "" } else { line }.to_owned())
                .collect(),
            how: match self.how.as_str() {
                "mask" => How::Mask,
                "hash" => How::Hash,
                _ => How::Drop,
            },
        };
        rule.check().map(|()| rule)
    }
}

/// As in the configuration.
pub fn how_name(how: How) -> &'static str {
    match how {
        How::Drop => "drop",
        How::Mask => "mask",
        How::Hash => "hash",
    }
}

/// Which records a rule concerns, in words.
pub fn place(rule: &Rule) -> String {
    match (rule.database.as_str(), rule.store.as_str()) {
        ("", "") => "every store".to_owned(),
        (database, "") => format!("every store of {database}"),
        ("", store) => format!("{store} of every database"),
        (database, store) => format!("{database} › {store}"),
    }
}

/// What leaves the browser of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The value, indented.
    pub value: String,
    /// The key, if the sample has one.
    pub key: Option<String>,
    /// Whether anything was redacted.
    pub changed: bool,
}

/// What the redaction makes of a sample record of a store with this key path (empty for none; several names with commas between).
/// An error says what is wrong with the sample.
pub fn preview(
    redaction: &Redaction,
    database: &str,
    store: &str,
    key_path: &str,
    sample: &str,
) -> Result<Preview, String> {
    let json = Json::parse(sample).map_err(|error| format!("The sample is {error}."))?;
    let paths: Vec<&str> = key_path
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .collect();
    let path_text = match &paths[..] {
        [] => None,
        [path] => serde_json::to_string(path).ok(),
        paths => serde_json::to_string(paths).ok(),
    };
    let path = path_text.and_then(|text| RawValue::from_string(text).ok());
    let place = Store {
        // Hashes are each origin's own: this one is no origin's.
        origin: "",
        database,
        store,
        key_path: path.as_deref(),
    };
    let redacted = redaction.value(place, sample);
    let key = key_of(&json, &paths);
    let wrong = |error: KeyError| format!("The sample has no key at its key path: {error}.");
    let redacted_key = match &key {
        Some(key) => {
            Key::parse(key).map_err(wrong)?;
            redaction.key(place, key).map_err(wrong)?
        }
        None => None,
    };
    let changed = redacted.is_some() || redacted_key.is_some();
    let text = redacted.as_deref().unwrap_or(sample);
    let mut value = String::new();
    indent(&Json::parse(text).unwrap_or(Json::Null), 0, &mut value);
    let before = {
        let mut before = String::new();
        indent(&json, 0, &mut before);
        before
    };
    Ok(Preview {
        changed: changed && (before != value || redacted_key.is_some()),
        value,
        key: redacted_key.or(key),
    })
}

/// The key that stands in the sample.
fn key_of(json: &Json<'_>, paths: &[&str]) -> Option<String> {
    let one = |path: &str| {
        let part = path.split('.').try_fold(json, |json, name| json.get(name))?;
        let mut text = String::new();
        part.write(&mut text);
        Some(text)
    };
    match paths {
        [] => None,
        [path] => one(path),
        paths => {
            let parts: Option<Vec<String>> = paths.iter().map(|path| one(path)).collect();
            Some(format!("[{}]", parts?.join(",")))
        }
    }
}

/// JSON for reading: a member and an element a line.
fn indent(json: &Json<'_>, depth: usize, out: &mut String) {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match json {
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                indent(item, depth + 1, out);
            }
            line(depth, out);
            out.push(']');
        }
        Json::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                out.push_str(name);
                out.push_str(": ");
                indent(value, depth + 1, out);
            }
            line(depth, out);
            out.push('}');
        }
        json => json.write(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(fields: &str, how: &str) -> Draft {
        Draft {
            store: " users ".into(),
            fields: fields.into(),
            how: how.into(),
            ..Draft::default()
        }
    }

    #[test]
    fn a_draft_becomes_a_rule_and_back() {
        let rule = draft("/a\n\n  /b/* \n\"\"", "mask").rule().expect("a rule");
        assert_eq!(rule.fields, ["/a", "/b/*", ""]);
        assert_eq!((rule.store.as_str(), rule.how), ("users", How::Mask));
        assert_eq!(Draft::of(&rule).rule(), Ok(rule.clone()));
        assert_eq!(place(&rule), "users of every database");
        assert_eq!(draft(" \n", "drop").rule(), Err(RuleError::NoFields));
        assert!(
            draft("a", "drop")
                .rule()
                .expect_err("no pointer")
                .to_string()
                .contains("\"/a\"")
        );
    }

    #[test]
    fn a_preview_shows_what_leaves() {
        let rule = draft("/mail\n/cards/*/number", "hash").rule().expect("a rule");
        let redaction = Redaction::new(&[rule], &[7; 32]).expect("rules");
        let sample = r#"{"mail":"ann@x","cards":[{"number":"4242"}],"n":1}"#;
        let shown = preview(&redaction, "shop", "users", "mail", sample).expect("a preview");
        assert!(shown.changed && !shown.value.contains("ann") && !shown.value.contains("4242"));
        let key = shown.key.expect("a key");
        assert!(
            shown.value.contains(&format!("\"mail\": {key}")),
            "{}",
            shown.value
        );
        let other = preview(&redaction, "shop", "orders", "n, cards", sample);
        assert!(other.is_err(), "{other:?}");
        let other =
            preview(&redaction, "shop", "orders", "n,mail", "{\"n\":1,\"mail\":\"a\"}").expect("a preview");
        assert_eq!((other.changed, other.key.as_deref()), (false, Some("[1,\"a\"]")));
        assert!(
            preview(&redaction, "", "", "", "{")
                .expect_err("no JSON")
                .starts_with("The sample is not JSON")
        );
    }
}
