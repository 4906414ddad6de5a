//! Numbers, times and names as the panel writes them.

use protocol::{event::Op, shown::shown};

pub fn operation_name(op: Op) -> &'static str {
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

/// `17 B`, `4.2 KB`.
pub fn bytes(number: usize) -> String {
    match number {
        0..1000 => format!("{number} B"),
        1000..1_000_000 => format!("{}.{} KB", number / 1000, number % 1000 / 100),
        _ => format!("{}.{} MB", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// Milliseconds for the narrow columns of the stages: `7`, `1.2s`, `3m`.
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

/// A number with separated thousands: `100,000`.
pub fn count(number: u64) -> String {
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

/// The title of a stage or server.
pub fn stage_title(stage: &str) -> &str {
    match stage {
        "journal" => "Journal",
        "redis" => "Redis",
        "memcached" => "Memcached",
        other => other,
    }
}

/// A number and a noun with the plural in -s: `1 event`, `2 events`.
pub fn count_noun(number: u64, noun: &str) -> String {
    count_with(number, noun, &format!("{noun}s"))
}

/// A number with the singular or the plural: `1 delivery waits`, `2 deliveries wait`.
pub fn count_with(number: u64, singular: &str, plural: &str) -> String {
    let words = if number == 1 { singular } else { plural };
    format!("{} {words}", count(number))
}

/// An origin without its scheme: `localhost:8080`.
pub fn without_scheme(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, rest)| rest)
}

/// The beginning of a text, and an ellipsis if that is not all of it.
pub fn truncate(text: &str, letters: usize) -> (&str, &'static str) {
    match text.char_indices().nth(letters) {
        Some(_) => {
            let end = text.char_indices().nth(letters.saturating_sub(1));
            (&text[..end.map_or(0, |(end, _)| end)], "…")
        }
        None => (text, ""),
    }
}

/// How many letters fit into the two wide columns of the list, by its width in pixels.
///
/// The columns are the store, and the key with the value. `panel.css` divides the width in the same
/// way.
pub fn letters_per_column(width: usize) -> (usize, usize) {
    let (rest, share) = match width {
        860.. => (width - 546, 8),
        640.. => (width - 416, 8),
        _ => (width.saturating_sub(172), 9),
    };
    // A letter of the font for code is about 6.6 pixels wide.
    let letters = |tenths: usize| rest * tenths / (10 + share) * 10 / 66 + 1;
    (letters(share), letters(10))
}

/// Nested names in one text: `shop › orders`.
///
/// A name may be in a script that runs from right to left; it must not turn the names after it.
pub fn join_names(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(" › ");
        }
        if name.is_ascii() {
            text.push_str(name);
        } else {
            // Isolate it. `shown` escapes control characters with which a name could end the
            // isolation.
            text.extend(["\u{2068}", &shown(name), "\u{2069}"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!(
            [bytes(17), bytes(4200), bytes(5_250_000)],
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
            [count_noun(1, "event"), count_noun(0, "event")],
            ["1 event", "0 events"]
        );
    }

    #[test]
    fn texts_are_truncated_between_letters() {
        assert_eq!(truncate("abc", 3), ("abc", ""));
        assert_eq!(truncate("äbcd", 3), ("äb", "…"));
        assert_eq!(truncate("abcd", 0), ("", "…"));
    }

    #[test]
    fn wide_columns_share_the_rest_of_the_width() {
        // (1260 - 546) / 1.8 = 396 pixels, of which the first has 0.8.
        assert_eq!(letters_per_column(1260), (49, 61));
        assert_eq!(letters_per_column(0), (1, 1));
    }
}
