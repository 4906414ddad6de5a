//! Between string literals and what they stand for.

use std::{fmt::Write as _, str::Chars};

/// A string literal without its quotes, escapes untouched.
pub fn unquoted(literal: &str) -> &str {
    &literal[1..literal.len() - 1]
}

/// The UTF-16 code units that a string literal stands for; lone surrogates stay what they are.
pub fn utf16(literal: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(literal.len());
    let mut chars = unquoted(literal).chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            units.push(escaped(&mut chars));
        } else {
            units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
        }
    }
    units
}

/// The code unit that an escape stands for, after its backslash.
fn escaped(chars: &mut Chars<'_>) -> u16 {
    match chars.next() {
        Some('b') => 0x08,
        Some('f') => 0x0C,
        Some('n') => 0x0A,
        Some('r') => 0x0D,
        Some('t') => 0x09,
        // Four hexadecimal digits: the reader let nothing else pass.
        Some('u') => chars
            .by_ref()
            .take(4)
            .fold(0, |unit, digit| (unit << 4) | hexadecimal(digit)),
        // `"`, `\` and `/` stand for themselves.
        other => other.map_or(0, |char| char as u16),
    }
}

/// The text that a string literal stands for; `None` if it has a lone surrogate.
pub(super) fn unescaped(literal: &str) -> Option<String> {
    let mut rest = unquoted(literal);
    let mut text = String::with_capacity(rest.len());
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escape.chars();
        let unit = escaped(&mut chars);
        let low = match unit {
            // The other half of the pair is an escape of its own.
            0xD800..0xDC00 => chars.as_str().strip_prefix('\\').map(|escape| {
                chars = escape.chars();
                escaped(&mut chars)
            }),
            _ => None,
        };
        for char in char::decode_utf16([unit].into_iter().chain(low)) {
            text.push(char.ok()?);
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Some(text)
}

fn hexadecimal(digit: char) -> u16 {
    digit
        .to_digit(16)
        .and_then(|value| u16::try_from(value).ok())
        .unwrap_or(0)
}

/// The string literal of UTF-16 code units, as `JSON.stringify` writes it (ECMA-262,
/// `QuoteJSONString`).
pub fn quote_utf16(units: &[u16], out: &mut String) {
    out.push('"');
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\u{C}') => out.push_str("\\f"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok(char) if char < ' ' => drop(write!(out, "\\u{:04x}", char as u32)),
            Ok(char) => out.push(char),
            Err(lone) => drop(write!(out, "\\u{:04x}", lone.unpaired_surrogate())),
        }
    }
    out.push('"');
}
