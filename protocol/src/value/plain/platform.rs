//! Platform objects (`$platform`): what `JSON.stringify` says of those that have a `toJSON`, which
//! tells more than their members.

use super::{PlainError, Writer};
use crate::{json::Json, number};

/// The members of a `DOMMatrix` that go by a second name, which comes first (Geometry Interfaces
/// Module, `DOMMatrix`).
const ALIASES: [(&str, &str); 6] = [
    ("a", "m11"),
    ("b", "m12"),
    ("c", "m21"),
    ("d", "m22"),
    ("e", "m41"),
    ("f", "m42"),
];

/// The members of a `DOMRect` that are computed.
const EDGES: [&str; 4] = ["top", "right", "bottom", "left"];
/// One of a `DOMMatrix`.
const IDENTITY: &str = "isIdentity";

/// The members that the plain form of a platform object has and its typed value lacks.
pub(crate) fn computed_names() -> impl Iterator<Item = &'static str> {
    ALIASES
        .iter()
        .map(|(alias, _)| *alias)
        .chain(EDGES)
        .chain([IDENTITY])
}

/// A number as a typed value has it; anything else is `NaN`.
fn number_at(content: &Json<'_>, name: &str) -> f64 {
    match content.get(name) {
        Some(Json::Number(literal)) => number::parse(literal),
        Some(form) => match form.get("$number").and_then(Json::as_plain_str) {
            Some("-0") => 0.0,
            Some("Infinity") => f64::INFINITY,
            Some("-Infinity") => f64::NEG_INFINITY,
            _ => f64::NAN,
        },
        None => f64::NAN,
    }
}

impl<'j, 'a> Writer<'j, 'a> {
    /// The plain form of a `$platform`'s content.
    pub(super) fn platform(&mut self, content: &'j Json<'a>) -> Result<(), PlainError> {
        let Json::Object(members) = content else {
            self.out.push_str("{}");
            return Ok(());
        };
        let kind = content
            .get("type")
            .and_then(Json::as_plain_str)
            .unwrap_or_default();
        if let ("FileList", Some(Json::Array(items))) = (kind, content.get("items")) {
            return self.array(items);
        }
        let members = members.iter().map(|(name, value)| (*name, value));
        let is_type = |name: &str| name == "\"type\"";
        if kind.starts_with("DOMMatrix") {
            self.out.push('{');
            for (alias, name) in ALIASES {
                self.computed(alias, number_at(content, name));
                self.out.push(',');
            }
            self.members(members.filter(|(name, _)| !is_type(name)))?;
            let identity = (1..=4).all(|column| {
                (1..=4).all(|row| {
                    let expected = if column == row { 1.0 } else { 0.0 };
                    (number_at(content, &format!("m{column}{row}")) - expected).abs() == 0.0
                })
            });
            self.out.push_str(if identity {
                ",\"isIdentity\":true}"
            } else {
                ",\"isIdentity\":false}"
            });
            return Ok(());
        }
        self.out.push('{');
        self.members(members.filter(|(name, _)| !is_type(name)))?;
        if kind.starts_with("DOMRect") {
            let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number_at(content, name));
            for (name, one, other, smaller) in [
                ("top", y, y + height, true),
                ("right", x, x + width, false),
                ("bottom", y, y + height, false),
                ("left", x, x + width, true),
            ] {
                self.out.push(',');
                // One that is NaN makes the result NaN, unlike in `f64::min`.
                let edge = if one.is_nan() || other.is_nan() {
                    f64::NAN
                } else if smaller {
                    one.min(other)
                } else {
                    one.max(other)
                };
                self.computed(name, edge);
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn computed(&mut self, name: &str, value: f64) {
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        if value.is_finite() {
            // `JSON.stringify` knows no -0.
            number::write(value + 0.0, &mut self.out);
        } else {
            self.out.push_str("null");
        }
    }
}
