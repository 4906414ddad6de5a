//! Printing, for people and for programs. It is one place because any line may hold foreign text:
//! see [`protocol::shown`].

use std::{
    fmt,
    io::{self, Write},
};

use protocol::shown::{shown, shown_json};
use serde::Serialize;

/// Prints exactly one line. Foreign text in it can neither end the line nor act on a terminal.
pub fn print_line(out: &mut impl Write, text: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(out, "{}", shown(&text.to_string()))
}

/// Prints JSON texts on one line, with tabs between; each reads as before.
pub fn json_texts(out: &mut impl Write, texts: &[&str]) -> io::Result<()> {
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.write_all(b"\t")?;
        }
        out.write_all(shown_json(text).as_bytes())?;
    }
    out.write_all(b"\n")
}

/// Prints a value as JSON on one line.
pub fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    json_texts(out, &[&serde_json::to_string(value)?])
}

/// The same for [`format_args!`]: `line!(out, "{} records", count)`.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {
        $crate::output::print_line($out, format_args!($($text)*))
    };
}

pub(crate) use line;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn lines_stay_lines() {
        let mut out = Vec::new();
        line!(&mut out, "a {}", "b\nc\u{1b}[2J").expect("written");
        json(&mut out, &["d\u{202e}\n"]).expect("written");
        json_texts(&mut out, &["1", "{\n\"a\": \"\u{9b}\"}"]).expect("written");
        let expected = r#"a b\u{a}c\u{1b}[2J
["d\u202e\n"]
1	{ "a": "\u009b"}
"#;
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    /// Any other way to print leaves foreign text as it is.
    #[test]
    fn commands_print_by_this_module_only() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut left = vec![
            sources.join("cli"),
            sources.join("cli.rs"),
            sources.join("apply/report.rs"),
        ];
        while let Some(path) = left.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(&path).expect("a directory");
                left.extend(entries.map(|entry| entry.expect("an entry").path()));
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source");
            let printed = text
                .lines()
                .filter(|line| {
                    ["writeln!(", "write!(out", "println!", "print!(", "eprint"]
                        .iter()
                        .any(|call| line.contains(call))
                })
                .count();
            // `key` prints a name that a program is to read.
            let allowed = usize::from(path.ends_with("cli/key.rs"));
            assert_eq!(printed, allowed, "{}", path.display());
        }
    }
}
