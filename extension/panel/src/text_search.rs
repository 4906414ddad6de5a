//! Search in texts that ignores the case.

/// Splits a text at the first wanted text that occurs in it: before, match, after.
///
/// The wanted texts are in lower case ([`lower`]).
pub fn split_at_match<'t>(text: &'t str, wanted: &[String]) -> (&'t str, &'t str, &'t str) {
    match wanted.iter().find_map(|wanted| find(text, wanted)) {
        Some((from, to)) => (&text[..from], &text[from..to], &text[to..]),
        None => (text, "", ""),
    }
}

/// A text in lower case, each character by itself, as [`find`] compares them.
///
/// `str::to_lowercase` looks at neighbours, too: a Greek sigma at the end of a word has a form of
/// its own.
pub fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The byte range at which a text has another one, ignoring the case. `wanted` is in lower case.
///
/// Nothing is allocated where both are ASCII, since this runs for every event.
pub fn find(text: &str, wanted: &str) -> Option<(usize, usize)> {
    let first = *wanted.as_bytes().first()?;
    if wanted.is_ascii() {
        // No byte of a longer character is ASCII, so a match never begins or ends inside a
        // character.
        let (bytes, wanted) = (text.as_bytes(), wanted.as_bytes());
        let last = bytes.len().checked_sub(wanted.len())?;
        let mut from = 0;
        while from <= last {
            let rest = &bytes[from..=last];
            let at = memchr::memchr2(first, first.to_ascii_uppercase(), rest)? + from;
            let end = at + wanted.len();
            if bytes[at..end].eq_ignore_ascii_case(wanted) {
                return Some((at, end));
            }
            from = at + 1;
        }
        return None;
    }
    if text.is_ascii() {
        return None;
    }
    // Lower case may take another number of bytes, so compare character by character.
    text.char_indices().find_map(|(at, _)| {
        let mut rest = text[at..].char_indices();
        let mut wanted = wanted.chars().peekable();
        while wanted.peek().is_some() {
            let (_, char) = rest.next()?;
            for lower in char.to_lowercase() {
                if wanted.next() != Some(lower) {
                    return None;
                }
            }
        }
        Some((at, rest.next().map_or(text.len(), |(end, _)| at + end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_ignores_case() {
        assert_eq!(find("abcABD", "abd"), Some((3, 6)));
        assert_eq!(find("ab", "abd"), None);
        assert_eq!(find("aab", "ab"), Some((1, 3)));
        assert_eq!(find("xÜNAL", "ünal"), Some((1, 6)));
        assert_eq!(find("ÜÜn", "ün"), Some((2, 5)));
        assert_eq!(find("İx", "x"), Some((2, 3)));
        assert_eq!(find("plain", "ü"), None);
        assert_eq!(find("x", ""), None);
        assert_eq!(find("ΟΔΟΣ 1, Οδός 2", &lower("ΟΔΌΣ")), None);
        assert_eq!(find("die ΟΔΟΣ", &lower("ΟΔΟΣ")), Some((4, 12)));
    }
}
