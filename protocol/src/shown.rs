//! How foreign text is shown: names, keys and messages that a page, a server or a file made.
//!
//! A terminal obeys control characters, and a reader is misled by characters that change the
//! direction of a line or have no width. So all foreign text that is shown outside of our own
//! documents (terminals, logs, messages, commands to copy) passes one of these functions. In our
//! own documents elements isolate directions instead (`unicode-bidi`).
//!
//! - [`shown`]: in a line of text, as `\u{1b}`.
//! - [`shown_json`]: in JSON text, as `\u001b`: a reader of JSON reads the same as without.
//! - [`shell_word`], [`shell_option`]: in a command for a POSIX shell.

use std::{borrow::Cow, fmt::Write as _};

/// Characters that are not seen where they stand, or that act on others: controls (C0, DEL, C1),
/// line and paragraph separators, everything that Unicode calls a format character (directions and
/// widths among them), blank letters, variation selectors but the two that emoji need, and tags.
/// Ranges in order, both ends included.
const HIDDEN: &[(u32, u32)] = &[
    (0x00, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x600, 0x605),
    (0x61C, 0x61C),
    (0x6DD, 0x6DD),
    (0x70F, 0x70F),
    (0x890, 0x891),
    (0x8E2, 0x8E2),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0D),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x110BD, 0x110BD),
    (0x110CD, 0x110CD),
    (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

/// Whether a character is not to be shown as it is.
pub fn is_hidden(char: char) -> bool {
    let code = u32::from(char);
    if (0x20..0x7F).contains(&code) {
        return false;
    }
    HIDDEN.iter().any(|(from, to)| (*from..=*to).contains(&code))
}

/// The text with its hidden characters replaced; borrowed if it has none.
fn replaced(text: &str, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_hidden(char) {
            replace(char, &mut out);
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// Foreign text within a line. It cannot end the line.
pub fn shown(text: &str) -> Cow<'_, str> {
    replaced(text, |char, out| out.extend(char.escape_unicode()))
}

/// JSON text on a line: hidden characters can stand only in its strings and between its values.
/// Newlines and tabs between values become spaces.
pub fn shown_json(text: &str) -> Cow<'_, str> {
    replaced(text, |char, out| match char {
        // Not in a string: there they are escaped.
        '\0'..='\x1F' => out.push(' '),
        char => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        }
    })
}

/// A word for a POSIX shell. Hidden characters are written as the bytes that they are, in `$'…'`.
/// No word can have U+0000, and shells end it there: it becomes the text `\u{0}`, so that the word
/// is not cut there.
pub fn shell_word(word: &str) -> String {
    if word.contains('\0') {
        return shell_word(&word.replace('\0', "\\u{0}"));
    }
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-./:@%+,".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(is_hidden) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut out = "$'".to_owned();
    for char in word.chars() {
        match char {
            '\\' | '\'' => out.extend(['\\', char]),
            char if is_hidden(char) => {
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    let _infallible = write!(out, "\\{byte:03o}");
                }
            }
            char => out.push(char),
        }
    }
    out.push('\'');
    out
}

/// An option with its value for a POSIX shell. A value that begins with a dash would be taken for
/// another option.
pub fn shell_option(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{between}{}", shell_word(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str =
        "\u{1b}]0;x\u{7}\u{1b}[2J\n\u{9b}31m\u{7f}\u{2028}\u{202e}\u{2066}\u{200d}\u{feff}\u{e0041}é世👍";

    #[test]
    fn hidden_characters_are_shown_as_numbers() {
        assert_eq!(
            shown(NAME),
            r"\u{1b}]0;x\u{7}\u{1b}[2J\u{a}\u{9b}31m\u{7f}\u{2028}\u{202e}\u{2066}\u{200d}\u{feff}\u{e0041}é世👍"
        );
        assert!(matches!(shown("orders é \\ \"a\""), Cow::Borrowed(_)));
        // As the standard library sees it, all that is not printable; blanks aside.
        for char in ('\0'..='\u{10ffff}').filter(|char| char.is_control()) {
            assert!(is_hidden(char), "{char:?}");
        }
        assert!(HIDDEN.is_sorted() && HIDDEN.iter().all(|(from, to)| from <= to));
    }

    #[test]
    fn shown_json_reads_as_before() {
        let json = serde_json::to_string(&[NAME, "\u{85}"]).expect("JSON");
        let shown = shown_json(&json);
        assert!(!shown.contains(is_hidden), "{shown}");
        let read: Vec<String> = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, [NAME, "\u{85}"]);
        assert_eq!(shown_json("[1,\n\t2]"), "[1,  2]");
    }

    #[test]
    fn shell_words_are_what_the_shell_reads() {
        for word in [
            NAME,
            "",
            "it's",
            "a b",
            "$(x) `y` \\ \"",
            "-x",
            "\\'\n",
            "a\u{202e}'b",
            "shop\0x",
        ] {
            let quoted = shell_word(word);
            assert!(!quoted.contains(is_hidden), "{quoted}");
            if let Ok(output) = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {quoted}")])
                .output()
            {
                let expected = word.replace('\0', "\\u{0}");
                assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{quoted}");
            }
        }
        assert_eq!(shell_word("http://localhost:1"), "http://localhost:1");
        assert_eq!(shell_option("--store", "-x"), "--store=-x");
        assert_eq!(shell_option("--store", "-x y"), "--store='-x y'");
        assert_eq!(shell_option("--store", "x"), "--store x");
    }
}
