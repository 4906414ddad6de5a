//! Numbers and times for people, and the names of operations and servers.

use protocol::{event::Op, inspect::left_out_bytes, shown::shown};

use crate::{model::Row, query::find};

/// The operation in a word.
pub fn operation(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Read => "read",
        Op::Truncate => "clear",
        Op::Schema => "schema",
        Op::Gap => "gap",
    }
}

/// Bytes: `17 B`, `4.2 KB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// Milliseconds as short as can be, for the strip of stages: `7`, `1.2s`, `3m`.
pub fn short_duration(milliseconds: i64) -> String {
    match milliseconds {
        ..1000 => milliseconds.to_string(),
        1000..60_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        60_000..3_600_000 => format!("{}m", milliseconds / 60_000),
        _ => format!("{}h", milliseconds / 3_600_000),
    }
}

/// Milliseconds: `7 ms`, `1.2 s`, `3 min`.
pub fn duration(milliseconds: i64) -> String {
    match milliseconds {
        ..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        60_000..3_600_000 => format!("{} min", milliseconds / 60_000),
        _ => format!("{} h", milliseconds / 3_600_000),
    }
}

/// A number with its thousands apart: `100,000`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A stage or server as people write it.
pub fn title(stage: &str) -> &str {
    match stage {
        "journal" => "Journal",
        "redis" => "Redis",
        "memcached" => "Memcached",
        other => other,
    }
}

/// `1 event`, `2 events`.
pub fn counted(number: usize, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// An origin without what goes without saying: `localhost:8080`.
pub fn site(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, rest)| rest)
}

/// The beginning of the event's value for its line in the list, as many bytes of it as fit, about; where a text is searched for, the part around the first one that is found.
pub fn preview<'r>(row: &'r Row, texts: &[String], width: usize) -> (&'static str, &'r str) {
    const AHEAD: usize = 24;
    let value = row.value();
    if !row.has_key || value == "null" && row.size().is_none() {
        return ("", "");
    }
    if left_out_bytes(value).is_some() {
        return ("", "too large for the list");
    }
    let found = texts.iter().find_map(|wanted| find(value, wanted));
    let start = match found {
        Some((at, _)) if at > AHEAD * 2 => boundary(value, at - AHEAD),
        _ => 0,
    };
    let end = boundary(value, (start + width).min(value.len()));
    (if start > 0 { "…" } else { "" }, &value[start..end])
}

/// As much of a text's beginning as fits, with what stands for the rest.
pub fn cut(text: &str, letters: usize) -> (&str, &'static str) {
    match text.char_indices().nth(letters) {
        Some(_) => {
            let end = text.char_indices().nth(letters.saturating_sub(1));
            (&text[..end.map_or(0, |(end, _)| end)], "…")
        }
        None => (text, ""),
    }
}

/// How many letters of its two wide columns a line of the list has room for, by its width in pixels: where an event was
/// written, and its key with its value. The style sheet divides the columns so, too.
pub fn columns(width: usize) -> (usize, usize) {
    let (rest, share) = match width {
        860.. => (width - 546, 8),
        640.. => (width - 416, 8),
        _ => (width.saturating_sub(172), 9),
    };
    // A letter is 6.6 pixels wide, wherever it is not wider.
    let letters = |tenths: usize| rest * tenths / (10 + share) * 10 / 66 + 1;
    (letters(share), letters(10))
}

/// The next place from here on where a character begins.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// Names, each within the one before, in a text that has no elements: none changes the direction of what follows.
pub fn names(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(" › ");
        }
        if name.is_ascii() {
            text.push_str(name);
        } else {
            // Isolated; a name that ends the isolation is shown with that as a number.
            text.extend(["\u{2068}", &shown(name), "\u{2069}"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::row;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [size(17), size(4200), size(5_250_000)],
            ["17 B", "4.2 KB", "5.2 MB"]
        );
        assert_eq!(
            [duration(7), duration(1234), duration(61_000)],
            ["7 ms", "1.2 s", "1 min"]
        );
        assert_eq!(
            [short_duration(7), short_duration(1234), short_duration(61_000)],
            ["7", "1.2s", "1m"]
        );
        assert_eq!(
            [count(7), count(1000), count(1_234_567)],
            ["7", "1,000", "1,234,567"]
        );
        assert_eq!(
            [counted(1, "event"), counted(0, "event")],
            ["1 event", "0 events"]
        );
    }

    #[test]
    fn texts_are_cut_between_letters() {
        assert_eq!(cut("abc", 3), ("abc", ""));
        assert_eq!(cut("äbcd", 3), ("äb", "…"));
        assert_eq!(cut("abcd", 0), ("", "…"));
    }

    #[test]
    fn columns_share_what_is_left_of_a_line() {
        // (1260 - 546) / 1.8 = 396 pixels, of which the first has 0.8.
        assert_eq!(columns(1260), (49, 61));
        assert_eq!(columns(0), (1, 1));
    }

    #[test]
    fn what_is_not_here_is_not_shown_as_a_value() {
        let marker = protocol::inspect::left_out("feed", 70_000);
        let row = row("u", "1", marker.get());
        assert_eq!(
            preview(&row, &["feed".to_owned()], 200),
            ("", "too large for the list")
        );
    }

    #[test]
    fn previews_show_what_was_found() {
        let value = format!("\"{}needle{}\"", "ü".repeat(300), "x".repeat(300));
        let row = row("c", "1", &value);
        let (before, text) = preview(&row, &["needle".to_owned()], 200);
        assert!(
            before == "…" && text.contains("needle") && text.len() <= 210,
            "{text}"
        );
        let (before, text) = preview(&row, &[], 200);
        assert!(before.is_empty() && text.starts_with("\"ü"), "{text}");
        assert_eq!(
            preview(&crate::model::tests::row("d", "1", "null"), &[], 200),
            ("", "")
        );
    }
}
