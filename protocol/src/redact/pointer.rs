//! JSON Pointers (RFC 6901) in which `*` stands for every member or element.

use super::{MAX_STEPS, RuleError, work};
use crate::json;

/// One reference token of a pointer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// `*`: every member or element.
    Any,
    /// The member of this name, or the element of this index.
    Name(String),
}

impl Step {
    /// Whether it leads to the member whose name is this string literal (with its quotes).
    pub(super) fn leads_to(&self, literal: &str) -> bool {
        match self {
            Step::Any => true,
            // No unit takes more than an escape's six letters. A name may be passed many times.
            Step::Name(name) if literal.len() > 2 + 6 * name.len() => false,
            Step::Name(name) if literal.contains('\\') => {
                work::count(literal.len());
                name.encode_utf16().eq(json::utf16(literal))
            }
            Step::Name(name) => json::unquoted(literal) == name,
        }
    }

    /// Whether it leads to this element of an array.
    pub(super) fn leads_to_index(&self, index: usize) -> bool {
        match self {
            Step::Any => true,
            Step::Name(name) => index_of(name) == Some(index),
        }
    }

    /// Whether it leads to one of these parts of a thing.
    pub(super) fn leads_into(&self, parts: &[&str]) -> bool {
        match self {
            Step::Any => true,
            Step::Name(name) => parts.contains(&name.as_str()),
        }
    }

    /// Whether it can lead to an element.
    pub(super) fn is_index(&self) -> bool {
        match self {
            Step::Any => true,
            Step::Name(name) => index_of(name).is_some(),
        }
    }

    /// Whether it leads to a part of a buffer or of a view.
    pub(super) fn leads_into_bytes(&self) -> bool {
        self.is_index() || self.leads_into(&["base64", "buffer"])
    }
}

/// Without leading zeros, as RFC 6901 has it (section 4).
fn index_of(name: &str) -> Option<usize> {
    let index = name.parse::<usize>().ok()?;
    let canonical = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    canonical.then_some(index)
}

/// Reads a pointer.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, RuleError> {
    let Some(rest) = text.strip_prefix('/') else {
        return if text.is_empty() {
            Ok(Vec::new())
        } else {
            Err(RuleError::NotAPointer {
                field: text.to_owned(),
            })
        };
    };
    if rest.split('/').count() > MAX_STEPS {
        return Err(RuleError::TooDeep(text.to_owned()));
    }
    rest.split('/')
        .map(|token| match token {
            "*" => Ok(Step::Any),
            name => unescaped(name)
                .map(Step::Name)
                .ok_or_else(|| RuleError::Escape(text.to_owned())),
        })
        .collect()
}

fn unescaped(token: &str) -> Option<String> {
    let mut pieces = token.split('~');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        name.push(match piece.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        name.push_str(&piece[1..]);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Step {
        Step::Name(text.to_owned())
    }

    #[test]
    fn pointers_are_read_as_the_rfc_says() {
        assert_eq!(parse(""), Ok(vec![]));
        assert_eq!(parse("/"), Ok(vec![name("")]));
        assert_eq!(
            parse("/cards/*/a~1b~01"),
            Ok(vec![name("cards"), Step::Any, name("a/b~1")])
        );
        assert_eq!(parse("a.b"), Err(RuleError::NotAPointer { field: "a.b".into() }));
        assert_eq!(
            parse("a.b").expect_err("no slash").to_string(),
            r#""a.b" is no JSON Pointer; write "/a/b", "" for the whole value, or "@key" for the record's key"#
        );
        for text in ["/a~", "/a~2", "/~"] {
            assert_eq!(parse(text), Err(RuleError::Escape(text.into())));
        }
    }

    #[test]
    fn steps_lead_to_names_and_indices() {
        assert!(name("a\u{e9}").leads_to(r#""a\u00e9""#) && name("a").leads_to("\"a\""));
        assert!(!name("a").leads_to(r#""\ud800""#));
        assert!(name("10").leads_to_index(10) && !name("010").leads_to_index(10));
        assert!(!name("+1").leads_to_index(1) && Step::Any.leads_to_index(7));
    }
}
