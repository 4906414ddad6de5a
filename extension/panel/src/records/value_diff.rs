//! The difference between two typed values: members and elements that were added, removed or
//! changed.

use std::collections::HashMap;

use protocol::{json::Json, wire::inspector::left_out_bytes};

/// The most changes that are listed. The rest is counted.
pub const MAX_CHANGES: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
}

/// One part that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueChange {
    /// Where it is: `.cards[0].number`; empty for the whole value.
    pub path: String,
    pub kind: ChangeKind,
    pub before: String,
    pub after: String,
}

/// The changes in order, and the number of further ones. `None`: a value is incomplete or
/// unreadable.
pub fn diff_values(before: &str, after: &str) -> Option<(Vec<ValueChange>, usize)> {
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
    let more = changes.len().saturating_sub(MAX_CHANGES);
    changes.truncate(MAX_CHANGES);
    Some((changes, more))
}

fn compare(before: &Json<'_>, after: &Json<'_>, path: &str, changes: &mut Vec<ValueChange>) {
    match (before, after) {
        (Json::Object(old), Json::Object(new)) if is_plain(old) && is_plain(new) => {
            let (old_by_name, new_by_name) = (by_name(old), by_name(new));
            for (name, value) in old {
                let at = format!("{path}{}", path_of_member(name));
                match new_by_name.get(name) {
                    Some(other) => compare(value, other, &at, changes),
                    None => changes.push(change(at, ChangeKind::Removed, Some(value), None)),
                }
            }
            for (name, value) in new {
                if !old_by_name.contains_key(name) {
                    changes.push(change(
                        format!("{path}{}", path_of_member(name)),
                        ChangeKind::Added,
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
                    (Some(old), None) => changes.push(change(at, ChangeKind::Removed, Some(old), None)),
                    (None, new) => changes.push(change(at, ChangeKind::Added, None, new)),
                }
            }
        }
        _ if before == after => {}
        _ => changes.push(change(
            path.to_owned(),
            ChangeKind::Changed,
            Some(before),
            Some(after),
        )),
    }
}

fn by_name<'j, 'a>(members: &'j [(&'a str, Json<'a>)]) -> HashMap<&'a str, &'j Json<'a>> {
    members.iter().map(|(name, value)| (*name, value)).collect()
}

/// Whether these are members of the page's object, not a typed form. A typed form differs as a
/// whole.
fn is_plain(members: &[(&str, Json<'_>)]) -> bool {
    !(members.len() == 1 && members[0].0.starts_with("\"$"))
}

fn path_of_member(literal: &str) -> String {
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

fn change(
    path: String,
    kind: ChangeKind,
    before: Option<&Json<'_>>,
    after: Option<&Json<'_>>,
) -> ValueChange {
    let text = |json: Option<&Json<'_>>| {
        let mut text = String::new();
        if let Some(json) = json {
            json.write(&mut text);
        }
        text
    };
    ValueChange {
        path,
        kind,
        before: text(before),
        after: text(after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(before: &str, after: &str) -> Vec<String> {
        diff_values(before, after)
            .expect("both are complete")
            .0
            .into_iter()
            .map(|change| match change.kind {
                ChangeKind::Added => format!("+{} {}", change.path, change.after),
                ChangeKind::Removed => format!("-{} {}", change.path, change.before),
                ChangeKind::Changed => format!("{} {} {}", change.path, change.before, change.after),
            })
            .collect()
    }

    #[test]
    fn only_differing_parts_are_listed() {
        assert!(describe(r#"{"a":[1,{"$date":null}]}"#, r#"{"a":[1,{"$date":null}]}"#).is_empty());
        assert_eq!(
            describe(
                r#"{"a":1,"b":[1,2],"c d":{"e":1}}"#,
                r#"{"a":2,"b":[1],"c d":{"e":1,"f":null}}"#
            ),
            [".a 1 2", "-.b[1] 2", "+[\"c d\"].f null"]
        );
        assert_eq!(describe("1", "\"x\""), [" 1 \"x\""]);
    }

    #[test]
    fn incomplete_values_are_not_compared() {
        let marker = protocol::wire::inspector::left_out("feed", 70_000);
        assert_eq!(diff_values(marker.get(), marker.get()), None);
        assert_eq!(diff_values("1", marker.get()), None);
        assert_eq!(diff_values("1", "no JSON"), None);
    }

    #[test]
    fn comparing_many_members_takes_linear_time() {
        let large = |last: u32| {
            let members: Vec<String> = (0..100_000).map(|number| format!("\"m{number}\":1")).collect();
            format!("{{{},\"last\":{last}}}", members.join(","))
        };
        assert_eq!(describe(&large(1), &large(2)), [".last 1 2"]);
    }

    #[test]
    fn typed_forms_differ_as_a_whole() {
        assert_eq!(
            describe(r#"{"a":{"$bigint":"1"}}"#, r#"{"a":{"$bigint":"2"}}"#),
            [r#".a {"$bigint":"1"} {"$bigint":"2"}"#]
        );
    }
}
