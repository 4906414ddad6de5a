//! Which origins a capture rule means.

use std::fmt;

/// An entry of `capture.origins`: an exact origin, or one with `*` for any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: String,
    host: String,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Default,
    Number(u16),
    Any,
}

/// Why a text is not an [`OriginPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No `http://` or `https://` at the start.
    #[error("{0:?} has no scheme; write the whole origin, such as \"http://localhost:8080\"")]
    Scheme(String),
    /// A path, query, user or fragment follows.
    #[error(
        "{0:?} is more than an origin; write scheme, host and port only, such as \"http://localhost:8080\""
    )]
    NotAnOrigin(String),
    /// No host, or a wildcard in it.
    #[error("{0:?} has no exact host; only the port may be \"*\", as in \"http://localhost:*\"")]
    Host(String),
    /// The host has letters beyond ASCII. Browsers name such an origin by another spelling, so it
    /// would match nothing.
    #[error(
        "{0:?} has letters that browsers never write in an origin; write the host in ASCII, as the browser names it \
         (\"https://xn--…\")"
    )]
    NotAscii(String),
    /// Not a number of 1–65535 and not `*`.
    #[error("{0:?} has no valid port; write a number or \"*\"")]
    Port(String),
}

impl OriginPattern {
    /// Reads a pattern. Scheme and host are lower-cased, a scheme's own port is dropped, as
    /// browsers serialise origins.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower
            .split_once("://")
            .ok_or_else(|| OriginError::Scheme(text.to_owned()))?;
        if !matches!(scheme, "http" | "https") {
            return Err(OriginError::Scheme(text.to_owned()));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@', '\\', ' ', '%']) {
            return Err(OriginError::NotAnOrigin(text.to_owned()));
        }
        // The colons of an IPv6 address stand in brackets.
        let host_end = rest.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match rest[host_end..].rfind(':') {
            Some(colon) => (&rest[..host_end + colon], Some(&rest[host_end + colon + 1..])),
            None => (rest, None),
        };
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || host.contains('*') || (!bracketed && host.contains([':', '[', ']'])) {
            return Err(OriginError::Host(text.to_owned()));
        }
        if !host.is_ascii() {
            return Err(OriginError::NotAscii(text.to_owned()));
        }
        let own_port = if scheme == "http" { 80 } else { 443 };
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            Some(digits) => match digits.parse::<u16>() {
                Ok(number) if number == own_port => Port::Default,
                Ok(number) if number > 0 => Port::Number(number),
                _ => return Err(OriginError::Port(text.to_owned())),
            },
        };
        Ok(Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Whether a serialised origin, as a browser reports it, is meant.
    pub fn matches(&self, origin: &str) -> bool {
        let Ok(other) = Self::parse(origin) else {
            return false;
        };
        self.scheme == other.scheme
            && self.host == other.host
            && other.port != Port::Any
            && (self.port == Port::Any || self.port == other.port)
    }

    /// The extension match pattern that covers it (`http://localhost/*`). Firefox knows no ports in
    /// match patterns, so the pattern covers all ports of the host: the background checks the exact
    /// origin of every document.
    pub fn match_pattern(&self) -> String {
        format!("{}://{}/*", self.scheme, self.host)
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Port::Default => Ok(()),
            Port::Number(number) => write!(formatter, ":{number}"),
            Port::Any => formatter.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, origin, expected) in [
            ("http://localhost:8080", "http://localhost:8080", true),
            ("http://localhost:8080", "http://localhost:8081", false),
            ("http://localhost:8080", "https://localhost:8080", false),
            ("http://localhost:*", "http://localhost:1", true),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "http://localhost.evil.example:1", false),
            ("https://Shop.example:443/", "https://shop.example", true),
            ("http://[::1]:*", "http://[::1]:9", true),
            ("http://localhost:*", "null", false),
        ] {
            assert_eq!(
                OriginPattern::parse(pattern).expect(pattern).matches(origin),
                expected,
                "{pattern} {origin}"
            );
        }
    }

    #[test]
    fn mistakes_are_named() {
        use OriginError::{Host, NotAnOrigin, NotAscii, Port, Scheme};
        assert!(matches!(OriginPattern::parse("localhost:8080"), Err(Scheme(_))));
        assert!(matches!(OriginPattern::parse("ftp://a"), Err(Scheme(_))));
        assert!(matches!(OriginPattern::parse("http://a/b"), Err(NotAnOrigin(_))));
        assert!(matches!(OriginPattern::parse("http://*:80"), Err(Host(_))));
        assert!(matches!(OriginPattern::parse("http://a:0"), Err(Port(_))));
        assert!(matches!(OriginPattern::parse("http://a:b"), Err(Port(_))));
        assert!(matches!(OriginPattern::parse("http://:1"), Err(Host(_))));
        for origin in [
            "https://bücher.example",
            "https://BÜCHER.example:8443",
            "http://\u{3000}",
        ] {
            assert!(
                matches!(OriginPattern::parse(origin), Err(NotAscii(_))),
                "{origin}"
            );
        }
    }
}
