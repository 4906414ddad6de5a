//! The part of an event's value that fits into the list.

use protocol::wire::inspector::left_out_bytes;

use super::row::EventRow;
use crate::text_search::find;

/// The part of an event's value that the list shows, of about `width` bytes, and what stands before
/// it.
///
/// It is the beginning of the value, or the part around the first searched text that occurs in it.
pub fn preview<'r>(row: &'r EventRow, texts: &[String], width: usize) -> (&'static str, &'r str) {
    /// The bytes shown before a match.
    const LEAD: usize = 24;
    let value = row.value();
    if !row.has_key || value == "null" && row.value_size().is_none() {
        return ("", "");
    }
    if left_out_bytes(value).is_some() {
        return ("", "too large for the list");
    }
    let found = texts.iter().find_map(|needle| find(value, needle));
    let start = match found {
        Some((at, _)) if at > LEAD * 2 => char_boundary_from(value, at - LEAD),
        _ => 0,
    };
    let end = char_boundary_from(value, (start + width).min(value.len()));
    (if start > 0 { "…" } else { "" }, &value[start..end])
}

/// The first character boundary at or after an index.
fn char_boundary_from(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::tests::row;

    #[test]
    fn left_out_value_is_not_shown() {
        let marker = protocol::wire::inspector::left_out("feed", 70_000);
        let row = row("u", "1", marker.get());
        assert_eq!(
            preview(&row, &["feed".to_owned()], 200),
            ("", "too large for the list")
        );
    }

    #[test]
    fn preview_shows_the_match() {
        let value = format!("\"{}needle{}\"", "ü".repeat(300), "x".repeat(300));
        let row = row("c", "1", &value);
        let (before, text) = preview(&row, &["needle".to_owned()], 200);
        assert!(
            before == "…" && text.contains("needle") && text.len() <= 210,
            "{text}"
        );
        let (before, text) = preview(&row, &[], 200);
        assert!(before.is_empty() && text.starts_with("\"ü"), "{text}");
        assert_eq!(preview(&self::row("d", "1", "null"), &[], 200), ("", ""));
    }
}
