//! Entries of `capture.origins`, held against what browsers make of them.
//!
//! The extension compares an entry with the origin that the browser reports, letter by letter. An
//! entry in another spelling (`https://bücher.example`, `http://127.1`) would be accepted and never
//! match, so it is refused with the spelling that does.

use protocol::origin::{OriginError, OriginPattern};
use url::Url;

/// Why an entry is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntryError {
    /// It is no origin pattern.
    #[error(transparent)]
    Pattern(#[from] OriginError),
    /// Browsers name the origin in another way.
    #[error("{entry:?} matches nothing: browsers name this origin {named:?}; write that")]
    Spelling {
        /// As it was written.
        entry: String,
        /// As browsers write it.
        named: String,
    },
    /// Browsers don't take it for an origin.
    #[error("{entry:?} matches nothing: browsers do not take this for an origin ({reason})")]
    NoOrigin {
        /// As it was written.
        entry: String,
        /// Their reason.
        reason: url::ParseError,
    },
}

/// Reads an entry that some origin can match.
pub(super) fn parse(entry: &str) -> Result<OriginPattern, EntryError> {
    let pattern = match OriginPattern::parse(entry) {
        Err(OriginError::NotAscii(_)) => None,
        pattern => Some(pattern?),
    };
    let written = pattern
        .as_ref()
        .map_or_else(|| entry.to_owned(), ToString::to_string);
    let named = in_browsers(&written).map_err(|reason| EntryError::NoOrigin {
        entry: entry.to_owned(),
        reason,
    })?;
    match pattern {
        Some(pattern) if named == written => Ok(pattern),
        _ => Err(EntryError::Spelling {
            entry: entry.to_owned(),
            named,
        }),
    }
}

/// The pattern in the spelling of browsers.
fn in_browsers(pattern: &str) -> Result<String, url::ParseError> {
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    let (origin, any_port) = match pattern.strip_suffix(":*") {
        Some(origin) => (origin, ":*"),
        None => (pattern, ""),
    };
    Ok(Url::parse(origin)?.origin().ascii_serialization() + any_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_browsers_spell_alike_are_taken() {
        for (entry, pattern) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://localhost:*", "http://localhost:*"),
            ("HTTPS://Shop.example:443/", "https://shop.example"),
            ("http://[::1]:*", "http://[::1]:*"),
            (
                "https://xn--bcher-kva.example:8443",
                "https://xn--bcher-kva.example:8443",
            ),
            ("http://my_host:8080", "http://my_host:8080"),
        ] {
            assert_eq!(parse(entry).expect(entry).to_string(), pattern);
        }
    }

    #[test]
    fn entries_in_another_spelling_are_refused_with_the_right_one() {
        for (entry, named) in [
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://BÜCHER.example:*", "https://xn--bcher-kva.example:*"),
            (
                "https://bücher.example:8443/",
                "https://xn--bcher-kva.example:8443",
            ),
            ("http://127.1:8080", "http://127.0.0.1:8080"),
            ("http://0x7f.0.0.1", "http://127.0.0.1"),
            ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
            ("http://[::FFFF:127.0.0.1]:*", "http://[::ffff:7f00:1]:*"),
        ] {
            let error = parse(entry).expect_err(entry).to_string();
            assert!(
                error.contains(&format!("{entry:?}")) && error.contains(&format!("{named:?}")),
                "{error}"
            );
        }
    }

    #[test]
    fn entries_that_are_no_origins_are_refused() {
        for entry in [
            "http://[::1",
            "http://256.0.0.1",
            "https://xn--a.example",
            "http://a^b",
            "localhost:8080",
        ] {
            assert!(parse(entry).is_err(), "{entry}");
        }
    }
}
