//! What changed between two typed values: the members and entries that came, went or are another.

use std::collections::HashMap;

use protocol::{inspect::left_out_bytes, json::Json};

/// How many changes are told; the rest is counted.
pub const MOST: usize = 200;

/// The ways in which a part can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It is another.
    Changed,
}

/// A part that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it stands: `.cards[0].number`; empty for the whole value.
    pub path: String,
    /// In what way.
    pub kind: Kind,
    /// The typed text before.
    pub before: String,
    /// The typed text after.
    pub after: String,
}

/// The changes in order, and how many more there are; `None` where a value is not here as a whole.
pub fn diff(before: &str, after: &str) -> Option<(Vec<Change>, usize)> {
    if [before, after]
        .iter()
        .any(|typed| left_out_bytes(typed).is_some())
    {
        return None;
    }
    let mut changes = Vec::new();
    compare(
        &Json::parse(before).ok()?,
        &Json::parse(after).ok()?,
        "",
        &mut changes,
    );
    let more = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    Some((changes, more))
}

fn compare(before: &Json<'_>, after: &Json<'_>, path: &str, changes: &mut Vec<Change>) {
    match (before, after) {
        (Json::Object(old), Json::Object(new)) if is_plain(old) && is_plain(new) => {
            let (had, has) = (by_name(old), by_name(new));
            for (name, value) in old {
                let at = format!("{path}{}", member(name));
                match has.get(name) {
                    Some(other) => compare(value, other, &at, changes),
                    None => changes.push(change(at, Kind::Removed, Some(value), None)),
                }
            }
            for (name, value) in new {
                if !had.contains_key(name) {
                    changes.push(change(
                        format!("{path}{}", member(name)),
                        Kind::Added,
                        None,
                        Some(value),
                    ));
                }
            }
        }
        (Json::Array(old), Json::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let at = format!("{path}[{index}]");
                match (old.get(index), new.get(index)) {
                    (Some(old), Some(new)) => compare(old, new, &at, changes),
                    (Some(old), None) => changes.push(change(at, Kind::Removed, Some(old), None)),
                    (None, new) => changes.push(change(at, Kind::Added, None, new)),
                }
            }
        }
        _ if before == after => {}
        _ => changes.push(change(path.to_owned(), Kind::Changed, Some(before), Some(after))),
    }
}

fn by_name<'j, 'a>(members: &'j [(&'a str, Json<'a>)]) -> HashMap<&'a str, &'j Json<'a>> {
    members.iter().map(|(name, value)| (*name, value)).collect()
}

/// Whether members are a page's own rather than one of the typed forms, which differ as wholes.
fn is_plain(members: &[(&str, Json<'_>)]) -> bool {
    !(members.len() == 1 && members[0].0.starts_with("\"$"))
}

fn member(literal: &str) -> String {
    let name = literal.trim_matches('"');
    let simple = !name.is_empty()
        && name
            .chars()
            .all(|char| char.is_alphanumeric() || char == '_' || char == '$');
    if simple {
        format!(".{name}")
    } else {
        format!("[{literal}]")
    }
}

fn change(path: String, kind: Kind, before: Option<&Json<'_>>, after: Option<&Json<'_>>) -> Change {
    let text = |json: Option<&Json<'_>>| {
        let mut text = String::new();
        if let Some(json) = json {
            json.write(&mut text);
        }
        text
    };
    Change {
        path,
        kind,
        before: text(before),
        after: text(after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> Vec<String> {
        diff(before, after)
            .expect("both are here")
            .0
            .into_iter()
            .map(|change| match change.kind {
                Kind::Added => format!("+{} {}", change.path, change.after),
                Kind::Removed => format!("-{} {}", change.path, change.before),
                Kind::Changed => format!("{} {} {}", change.path, change.before, change.after),
            })
            .collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        assert!(told(r#"{"a":[1,{"$date":null}]}"#, r#"{"a":[1,{"$date":null}]}"#).is_empty());
        assert_eq!(
            told(
                r#"{"a":1,"b":[1,2],"c d":{"e":1}}"#,
                r#"{"a":2,"b":[1],"c d":{"e":1,"f":null}}"#
            ),
            [".a 1 2", "-.b[1] 2", "+[\"c d\"].f null"]
        );
        assert_eq!(told("1", "\"x\""), [" 1 \"x\""]);
    }

    #[test]
    fn what_is_not_here_is_not_compared() {
        let marker = protocol::inspect::left_out("feed", 70_000);
        assert_eq!(diff(marker.get(), marker.get()), None);
        assert_eq!(diff("1", marker.get()), None);
        assert_eq!(diff("1", "no JSON"), None);
    }

    #[test]
    fn many_members_take_no_longer_than_they_are_many() {
        let large = |last: u32| {
            let members: Vec<String> = (0..100_000).map(|number| format!("\"m{number}\":1")).collect();
            format!("{{{},\"last\":{last}}}", members.join(","))
        };
        assert_eq!(told(&large(1), &large(2)), [".last 1 2"]);
    }

    #[test]
    fn typed_forms_differ_as_wholes() {
        assert_eq!(
            told(r#"{"a":{"$bigint":"1"}}"#, r#"{"a":{"$bigint":"2"}}"#),
            [r#".a {"$bigint":"1"} {"$bigint":"2"}"#]
        );
    }
}
