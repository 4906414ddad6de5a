//! A typed value as the lines of a tree, with the types of JavaScript.
//!
//! Objects and lists can be opened and closed. The path of a line identifies it for that:
//! `/cards/0`. It is not a JSON pointer, since a name in it may have slashes.

use protocol::json::{Json, unquoted, utf16};

/// The most members of one value that are shown. The rest is counted.
const MAX_MEMBERS: usize = 500;
/// The most characters of a text on one line.
const MAX_LINE_WIDTH: usize = 2000;

/// One line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// The level of indentation.
    pub depth: usize,
    /// See the [module](self).
    pub path: String,
    /// The name of the member or the index of the element.
    pub name: String,
    /// The class for the style sheet: `string number boolean null special object more`.
    pub kind: &'static str,
    /// The type and size where the text does not show it: `Map(2)`.
    pub label: String,
    /// The value, or a preview of a closed one.
    pub text: String,
    /// Whether it is open. `None`: it has no members.
    pub open: Option<bool>,
}

/// The lines of a value.
///
/// Depths 0 and 1 are open, deeper ones are closed; `toggled` has the paths that are the other way
/// round.
pub fn tree_lines(typed: &str, toggled: &[String]) -> Vec<TreeLine> {
    let mut lines = Vec::new();
    match Json::parse(typed) {
        Ok(json) => TreeBuilder {
            lines: &mut lines,
            toggled,
        }
        .add_value(&json, 0, String::new(), String::new()),
        Err(error) => lines.push(TreeLine {
            depth: 0,
            path: String::new(),
            name: String::new(),
            kind: "special",
            label: "unreadable".to_owned(),
            text: error.to_string(),
            open: None,
        }),
    }
    lines
}

struct TreeBuilder<'w> {
    lines: &'w mut Vec<TreeLine>,
    toggled: &'w [String],
}

/// The appearance of a value, apart from its position in the tree.
enum Shape<'j> {
    /// Class, label and text.
    Leaf(&'static str, String, String),
    /// A label, and the members by name.
    Node(String, Vec<(String, &'j Json<'j>)>),
}

impl TreeBuilder<'_> {
    fn add_value(&mut self, json: &Json<'_>, depth: usize, path: String, name: String) {
        match shape(json) {
            Shape::Leaf(kind, label, text) => self.lines.push(TreeLine {
                depth,
                path,
                name,
                kind,
                label,
                text: truncate(&text),
                open: None,
            }),
            Shape::Node(label, members) => {
                let open = !members.is_empty() && (depth < 2) != self.toggled.contains(&path);
                self.lines.push(TreeLine {
                    depth,
                    path: path.clone(),
                    name,
                    kind: "object",
                    label,
                    text: if open { String::new() } else { preview(json) },
                    open: (!members.is_empty()).then_some(open),
                });
                if open {
                    let count = members.len();
                    for (name, value) in members.into_iter().take(MAX_MEMBERS) {
                        self.add_value(value, depth + 1, format!("{path}/{name}"), name);
                    }
                    if count > MAX_MEMBERS {
                        self.lines.push(TreeLine {
                            depth: depth + 1,
                            path: format!("{path}/…"),
                            name: "…".to_owned(),
                            kind: "more",
                            label: String::new(),
                            text: format!("{} more", count - MAX_MEMBERS),
                            open: None,
                        });
                    }
                }
            }
        }
    }
}

/// The typed form (`{"$date": …}`) that an object stands for: its kind and content.
fn typed_form<'j>(json: &'j Json<'j>) -> Option<(&'j str, &'j Json<'j>)> {
    match json {
        Json::Object(members) if members.len() == 1 => {
            let (name, content) = members.first()?;
            unquoted(name).strip_prefix('$').map(|kind| (kind, content))
        }
        _ => None,
    }
}

fn shape<'j>(json: &'j Json<'j>) -> Shape<'j> {
    let leaf = |kind, text: &str| Shape::Leaf(kind, String::new(), text.to_owned());
    match json {
        Json::Null => leaf("null", "null"),
        Json::Bool(value) => leaf("boolean", if *value { "true" } else { "false" }),
        Json::Number(literal) => leaf("number", literal),
        Json::String(literal) => leaf("string", literal),
        Json::Array(items) => Shape::Node(format!("Array({})", items.len()), members_by_index(items)),
        Json::Object(members) => match typed_form(json) {
            Some((kind, content)) => shape_of_typed_form(kind, content),
            None => Shape::Node("Object".to_owned(), members_by_name(members)),
        },
    }
}

fn members_by_index<'j>(items: &'j [Json<'j>]) -> Vec<(String, &'j Json<'j>)> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| (index.to_string(), item))
        .collect()
}

fn members_by_name<'j>(members: &'j [(&'j str, Json<'j>)]) -> Vec<(String, &'j Json<'j>)> {
    members
        .iter()
        .map(|(name, value)| (display_name(name), value))
        .collect()
}

/// A name, without quotes if it is a simple one.
fn display_name(literal: &str) -> String {
    let inner = unquoted(literal);
    let simple = !inner.is_empty()
        && inner
            .chars()
            .all(|char| char.is_alphanumeric() || "_$-. ".contains(char));
    if simple { inner } else { literal }.to_owned()
}

fn shape_of_typed_form<'j>(kind: &str, content: &'j Json<'j>) -> Shape<'j> {
    let special = |label: &str, text: String| Shape::Leaf("special", label.to_owned(), text);
    let word = |name: &str| content.get(name).and_then(Json::as_plain_str).unwrap_or("?");
    let text = |name: &str| content.get(name).map_or_else(String::new, to_text);
    match (kind, content) {
        ("undefined", _) => Shape::Leaf("null", String::new(), "undefined".to_owned()),
        ("number", _) => Shape::Leaf(
            "number",
            String::new(),
            content.as_plain_str().unwrap_or("?").to_owned(),
        ),
        ("bigint", _) => Shape::Leaf(
            "number",
            String::new(),
            format!("{}n", content.as_plain_str().unwrap_or("?")),
        ),
        ("date", Json::Null) => special("Date", "invalid".to_owned()),
        ("date", _) => special("Date", content.as_plain_str().unwrap_or("?").to_owned()),
        ("regexp", _) => special(
            "RegExp",
            format!("/{}/{}", decoded(&text("source")), word("flags")),
        ),
        ("map", Json::Array(entries)) => Shape::Node(
            format!("Map({})", entries.len()),
            entries
                .iter()
                .enumerate()
                .flat_map(|(index, entry)| match entry {
                    Json::Array(pair) => pair
                        .iter()
                        .zip(["key", "value"])
                        .map(|(part, name)| (format!("{index} {name}"), part))
                        .collect(),
                    other => vec![(index.to_string(), other)],
                })
                .collect(),
        ),
        ("set", Json::Array(items)) => Shape::Node(format!("Set({})", items.len()), members_by_index(items)),
        ("bytes", _) => match content.get("base64").and_then(Json::as_plain_str) {
            Some(base64) => {
                let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
                special(
                    &format!("{}({} bytes)", word("type"), base64.len() / 4 * 3 - padding),
                    base64.to_owned(),
                )
            }
            None => Shape::Node(
                format!("{} of a part", word("type")),
                content
                    .get("buffer")
                    .map(|buffer| ("buffer".to_owned(), buffer))
                    .into_iter()
                    .collect(),
            ),
        },
        ("error", Json::Object(members)) => Shape::Node(
            word("name").to_owned(),
            members_by_name(members)
                .into_iter()
                .filter(|(name, _)| name != "name")
                .collect(),
        ),
        ("blob", _) => {
            let label = if content.get("name").is_some() {
                "File"
            } else {
                "Blob"
            };
            special(label, to_text(content))
        }
        ("boxed", _) => special("boxed", to_text(content)),
        ("sparse", _) => match content.get("items") {
            Some(Json::Object(members)) => Shape::Node(
                format!("Array({}), sparse", text("length")),
                members_by_name(members),
            ),
            _ => special("Array", to_text(content)),
        },
        ("opaque", _) => special(word("type"), word("reason").to_owned()),
        ("id", _) => match content.get("value").map(shape) {
            Some(Shape::Node(label, members)) => Shape::Node(format!("{label} *{}", text("id")), members),
            Some(leaf) => leaf,
            None => special("?", to_text(content)),
        },
        ("ref", _) => special("reference", format!("*{}", to_text(content))),
        ("object", Json::Object(members)) => Shape::Node("Object".to_owned(), members_by_name(members)),
        _ => special("?", to_text(content)),
    }
}

fn to_text(json: &Json<'_>) -> String {
    let mut text = String::new();
    json.write(&mut text);
    text
}

/// The content of a string literal, with U+FFFD for lone surrogates.
fn decoded(literal: &str) -> String {
    if literal.len() < 2 {
        return String::new();
    }
    String::from_utf16_lossy(&utf16(literal))
}

/// The preview of a closed value.
fn preview(json: &Json<'_>) -> String {
    const MAX_WIDTH: usize = 120;
    let text = to_text(json);
    match text.char_indices().nth(MAX_WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn truncate(text: &str) -> String {
    match text.char_indices().nth(MAX_LINE_WIDTH) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(typed: &str) -> Vec<String> {
        tree_lines(typed, &[])
            .into_iter()
            .map(|line| {
                let parts = [line.name, line.label, line.text];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                format!("{}{}", " ".repeat(line.depth), parts.join(" "))
            })
            .collect()
    }

    #[test]
    fn values_show_their_javascript_types() {
        assert_eq!(
            shown(
                r#"{"a":1,"b c":"x","d":{"$date":"2026-01-01T00:00:00.000Z"},"m":{"$map":[["k",{"$undefined":true}]]},"n":{"$number":"-0"},"i":{"$bigint":"5"},"y":{"$bytes":{"type":"Uint8Array","base64":"AAEC"}},"r":{"$regexp":{"source":"a\\d","flags":"g"}}}"#
            ),
            [
                "Object",
                " a 1",
                " b c \"x\"",
                " d Date 2026-01-01T00:00:00.000Z",
                " m Map(1)",
                "  0 key \"k\"",
                "  0 value undefined",
                " n -0",
                " i 5n",
                " y Uint8Array(3 bytes) AAEC",
                " r RegExp /a\\d/g",
            ]
        );
        assert_eq!(shown("\"\\ud800\""), ["\"\\ud800\""]);
        assert_eq!(shown(r#"{"$object":{"$x":1}}"#), ["Object", " $x 1"]);
        assert_eq!(
            shown(r#"{"$opaque":{"type":"ImageData","reason":"not representable in JSON"}}"#),
            ["ImageData not representable in JSON"]
        );
        assert!(shown("{")[0].starts_with("unreadable"));
    }

    #[test]
    fn deep_values_are_closed_until_toggled() {
        let typed = r#"{"a":{"b":{"c":1}}}"#;
        assert_eq!(shown(typed), ["Object", " a Object", "  b Object {\"c\":1}"]);
        let toggled = Vec::from(["/a/b".to_owned()]);
        assert_eq!(tree_lines(typed, &toggled).len(), 4);
        let closed = Vec::from(["/a".to_owned()]);
        assert_eq!(tree_lines(typed, &closed).len(), 2);
    }

    #[test]
    fn members_beyond_the_limit_are_counted() {
        let typed = format!("[{}]", vec!["0"; MAX_MEMBERS + 7].join(","));
        let lines = tree_lines(&typed, &[]);
        assert_eq!(lines.len(), MAX_MEMBERS + 2);
        assert_eq!(lines[MAX_MEMBERS + 1].text, "7 more");
    }
}
