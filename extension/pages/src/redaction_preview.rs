//! The effect of redaction rules on a sample record.

use protocol::{
    json::Json,
    key::{Key, KeyError},
    redact::{Redaction, Store},
};
use serde_json::value::RawValue;

/// A record as it leaves the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactionPreview {
    /// Indented.
    pub value: String,
    pub key: Option<String>,
    pub is_changed: bool,
}

/// Applies the redaction to a sample record of a store.
///
/// The key path may be empty, or several paths separated by commas. An error describes what is
/// wrong with the sample.
pub fn preview_redaction(
    redaction: &Redaction,
    database: &str,
    store: &str,
    key_path: &str,
    sample: &str,
) -> Result<RedactionPreview, String> {
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
    let scope = Store {
        // Hashes differ by origin. The preview has none.
        origin: "",
        database,
        store,
        key_path: path.as_deref(),
    };
    let redacted = redaction.value(scope, sample);
    let key = key_in_sample(&json, &paths);
    let to_message = |error: KeyError| format!("The sample has no key at its key path: {error}.");
    let redacted_key = match &key {
        Some(key) => {
            Key::parse(key).map_err(to_message)?;
            redaction.key(scope, key).map_err(to_message)?
        }
        None => None,
    };
    let is_changed = redacted.is_some() || redacted_key.is_some();
    let text = redacted.as_deref().unwrap_or(sample);
    let mut value = String::new();
    indent(&Json::parse(text).unwrap_or(Json::Null), 0, &mut value);
    let before = {
        let mut before = String::new();
        indent(&json, 0, &mut before);
        before
    };
    Ok(RedactionPreview {
        is_changed: is_changed && (before != value || redacted_key.is_some()),
        value,
        key: redacted_key.or(key),
    })
}

/// The key of the sample by its key paths.
fn key_in_sample(json: &Json<'_>, paths: &[&str]) -> Option<String> {
    let at_path = |path: &str| {
        let part = path.split('.').try_fold(json, |json, name| json.get(name))?;
        let mut text = String::new();
        part.write(&mut text);
        Some(text)
    };
    match paths {
        [] => None,
        [path] => at_path(path),
        paths => {
            let parts: Option<Vec<String>> = paths.iter().map(|path| at_path(path)).collect();
            Some(format!("[{}]", parts?.join(",")))
        }
    }
}

/// Writes JSON with one member or element per line.
fn indent(json: &Json<'_>, depth: usize, out: &mut String) {
    let start_line = |depth: usize, out: &mut String| {
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
                start_line(depth + 1, out);
                indent(item, depth + 1, out);
            }
            start_line(depth, out);
            out.push(']');
        }
        Json::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                start_line(depth + 1, out);
                out.push_str(name);
                out.push_str(": ");
                indent(value, depth + 1, out);
            }
            start_line(depth, out);
            out.push('}');
        }
        json => json.write(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::redact::{How, Rule};

    #[test]
    fn preview_shows_the_redacted_record() {
        let rule = Rule {
            database: String::new(),
            store: "users".to_owned(),
            fields: vec!["/mail".to_owned(), "/cards/*/number".to_owned()],
            how: How::Hash,
        };
        let redaction = Redaction::new(&[rule], &[7; 32]).expect("rules");
        let sample = r#"{"mail":"ann@x","cards":[{"number":"4242"}],"n":1}"#;
        let shown = preview_redaction(&redaction, "shop", "users", "mail", sample).expect("a preview");
        assert!(shown.is_changed && !shown.value.contains("ann") && !shown.value.contains("4242"));
        let key = shown.key.expect("a key");
        assert!(
            shown.value.contains(&format!("\"mail\": {key}")),
            "{}",
            shown.value
        );
        let other = preview_redaction(&redaction, "shop", "orders", "n, cards", sample);
        assert!(other.is_err(), "{other:?}");
        let other = preview_redaction(&redaction, "shop", "orders", "n,mail", "{\"n\":1,\"mail\":\"a\"}")
            .expect("a preview");
        assert_eq!(
            (other.is_changed, other.key.as_deref()),
            (false, Some("[1,\"a\"]"))
        );
        assert!(
            preview_redaction(&redaction, "", "", "", "{")
                .expect_err("no JSON")
                .starts_with("The sample is not JSON")
        );
    }
}
