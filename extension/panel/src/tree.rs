//! A typed value as lines: name, JavaScript's type, text; what holds other values can be opened and closed.
//!
//! A line's path says where it stands, by names as JSON texts and numbers of entries: `/"cards"/0`. It is what is remembered of what is
//! open, and no JSON pointer.

use protocol::json::{Json, unquoted, utf16};

/// How many members of one value are shown; the rest is counted.
const MOST: usize = 500;
/// How long a text may be on one line, in characters.
const WIDTH: usize = 2000;

/// A line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How far it is indented.
    pub depth: usize,
    /// Where it stands.
    pub path: String,
    /// The member's name or the entry's number.
    pub name: String,
    /// A word for its style: `string number boolean null special object more`.
    pub kind: &'static str,
    /// Its type and size where that says more than the text does: `Map(2)`.
    pub label: String,
    /// The value itself, of what has no members.
    pub text: String,
    /// Whether it is open; `None`: there is nothing to open.
    pub open: Option<bool>,
}

/// The lines of a value. Depth 0 is open, deeper ones are if they are in `toggled`; for depth 0 and 1 it is the other way round.
pub fn lines(typed: &str, toggled: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    match Json::parse(typed) {
        Ok(json) => Writer {
            lines: &mut lines,
            toggled,
        }
        .value(&json, 0, String::new(), String::new()),
        Err(error) => lines.push(Line {
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

struct Writer<'w> {
    lines: &'w mut Vec<Line>,
    toggled: &'w [String],
}

/// What a value is, apart from its place.
enum Shape<'j> {
    Leaf(&'static str, String, String),
    /// A label and members: name, value.
    Node(String, Vec<(String, &'j Json<'j>)>),
}

impl Writer<'_> {
    fn value(&mut self, json: &Json<'_>, depth: usize, path: String, name: String) {
        match shape(json) {
            Shape::Leaf(kind, label, text) => self.lines.push(Line {
                depth,
                path,
                name,
                kind,
                label,
                text: cut(&text),
                open: None,
            }),
            Shape::Node(label, members) => {
                let open = !members.is_empty() && (depth < 2) != self.toggled.contains(&path);
                self.lines.push(Line {
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
                    for (name, value) in members.into_iter().take(MOST) {
                        self.value(value, depth + 1, format!("{path}/{name}"), name);
                    }
                    if count > MOST {
                        self.lines.push(Line {
                            depth: depth + 1,
                            path: format!("{path}/…"),
                            name: "…".to_owned(),
                            kind: "more",
                            label: String::new(),
                            text: format!("{} more", count - MOST),
                            open: None,
                        });
                    }
                }
            }
        }
    }
}

/// The one `$` form that an object stands for, with its content.
fn special<'j>(json: &'j Json<'j>) -> Option<(&'j str, &'j Json<'j>)> {
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
        Json::Array(items) => Shape::Node(format!("Array({})", items.len()), numbered(items)),
        Json::Object(members) => match special(json) {
            Some((kind, content)) => of_kind(kind, content),
            None => Shape::Node("Object".to_owned(), named(members)),
        },
    }
}

fn numbered<'j>(items: &'j [Json<'j>]) -> Vec<(String, &'j Json<'j>)> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| (index.to_string(), item))
        .collect()
}

fn named<'j>(members: &'j [(&'j str, Json<'j>)]) -> Vec<(String, &'j Json<'j>)> {
    members
        .iter()
        .map(|(name, value)| (name_of(name), value))
        .collect()
}

/// A name without its quotes where that leaves no doubt.
fn name_of(literal: &str) -> String {
    let inner = unquoted(literal);
    let simple = !inner.is_empty()
        && inner
            .chars()
            .all(|char| char.is_alphanumeric() || "_$-. ".contains(char));
    if simple { inner } else { literal }.to_owned()
}

fn of_kind<'j>(kind: &str, content: &'j Json<'j>) -> Shape<'j> {
    let special = |label: &str, text: String| Shape::Leaf("special", label.to_owned(), text);
    let word = |name: &str| content.get(name).and_then(Json::as_plain_str).unwrap_or("?");
    let text = |name: &str| content.get(name).map_or_else(String::new, written);
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
        ("set", Json::Array(items)) => Shape::Node(format!("Set({})", items.len()), numbered(items)),
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
            named(members)
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
            special(label, written(content))
        }
        ("boxed", _) => special("boxed", written(content)),
        ("sparse", _) => match content.get("items") {
            Some(Json::Object(members)) => {
                Shape::Node(format!("Array({}), sparse", text("length")), named(members))
            }
            _ => special("Array", written(content)),
        },
        ("opaque", _) => special(word("type"), word("reason").to_owned()),
        ("id", _) => match content.get("value").map(shape) {
            Some(Shape::Node(label, members)) => Shape::Node(format!("{label} *{}", text("id")), members),
            Some(leaf) => leaf,
            None => special("?", written(content)),
        },
        ("ref", _) => special("reference", format!("*{}", written(content))),
        ("object", Json::Object(members)) => Shape::Node("Object".to_owned(), named(members)),
        _ => special("?", written(content)),
    }
}

fn written(json: &Json<'_>) -> String {
    let mut text = String::new();
    json.write(&mut text);
    text
}

/// What a string literal says; lone surrogates as U+FFFD.
fn decoded(literal: &str) -> String {
    if literal.len() < 2 {
        return String::new();
    }
    String::from_utf16_lossy(&utf16(literal))
}

/// What a closed value shows of itself.
fn preview(json: &Json<'_>) -> String {
    const WIDTH: usize = 120;
    let text = written(json);
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(typed: &str) -> Vec<String> {
        lines(typed, &[])
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
    fn what_is_deep_is_closed_until_it_is_opened() {
        let typed = r#"{"a":{"b":{"c":1}}}"#;
        assert_eq!(shown(typed), ["Object", " a Object", "  b Object {\"c\":1}"]);
        let toggled = Vec::from(["/a/b".to_owned()]);
        assert_eq!(lines(typed, &toggled).len(), 4);
        let closed = Vec::from(["/a".to_owned()]);
        assert_eq!(lines(typed, &closed).len(), 2);
    }

    #[test]
    fn many_members_are_counted() {
        let typed = format!("[{}]", vec!["0"; MOST + 7].join(","));
        let lines = lines(&typed, &[]);
        assert_eq!(lines.len(), MOST + 2);
        assert_eq!(lines[MOST + 1].text, "7 more");
    }
}
