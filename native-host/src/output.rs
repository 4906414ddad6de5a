//! What is printed for people and for programs. One place, since it all may hold foreign text: see [`protocol::shown`].

use std::{
    fmt,
    io::{self, Write},
};

use protocol::shown::{shown, shown_json};
use serde::Serialize;

/// Prints one line. Whatever its parts say, it is one line, and a terminal takes no orders from it.
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
