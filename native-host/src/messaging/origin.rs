//! Whether a page has an origin that records can be filed under.
//!
//! Which origins may be captured is decided by the extension, which knows what the user has
//! switched on. The host only refuses what is no origin at all: under `null` the records of
//! unrelated documents would meet.

use protocol::{
    origin::OriginPattern,
    wire::host::{ErrorCode, HostError, Page},
};

/// The schemes of extensions' own pages. What follows is an id of letters, digits and hyphens.
const EXTENSIONS: &[&str] = &[
    "chrome-extension://",
    "moz-extension://",
    "safari-web-extension://",
];

/// How much of a thing that is no origin is repeated in the message.
const SHOWN: usize = 80;

/// Tells whether a text is an origin.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// The last text that was one, if any was: most deliveries come from where the one before came
    /// from.
    last: Option<String>,
}

impl Origins {
    /// The refusal of a delivery whose page has no origin; nothing if it has one.
    pub(crate) fn refusal(&mut self, context: &str, sequence: u64, page: &Page<'_>) -> Option<HostError> {
        if self.last.as_deref() == Some(&*page.origin) {
            return None;
        }
        if is_origin(&page.origin) {
            self.last = Some(page.origin.clone().into_owned());
            return None;
        }
        Some(refusal(context, sequence, page))
    }
}

fn refusal(context: &str, sequence: u64, page: &Page<'_>) -> HostError {
    let shown: String = page.origin.chars().take(SHOWN).collect();
    HostError {
        code: ErrorCode::OriginNotCaptured,
        message: format!("a page delivers under {shown:?}, which is no origin of a web page"),
        fix: "Serve the page from http:// or https://; files and sandboxed frames have no origin of their own. If it is served \
               so, update the extension, which has to name the page's origin."
            .to_owned(),
        context: Some(context.to_owned()),
        sequence: Some(sequence),
    }
}

/// Whether this is an origin as browsers serialise them: lower case, without a scheme's own port,
/// with nothing behind it.
pub(crate) fn is_origin(text: &str) -> bool {
    if let Some(id) = EXTENSIONS.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        return !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    }
    // A pattern that means itself; one with `*` for the port matches no text with a `*`.
    text.bytes().all(|byte| byte.is_ascii_graphic())
        && OriginPattern::parse(text)
            .is_ok_and(|pattern| pattern.matches(text) && pattern.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_delivery_needs_an_origin_too() {
        let page = |origin: &'static str| Page {
            origin: origin.into(),
            tab: 1,
            frame: 0,
        };
        let mut origins = Origins::default();
        for origin in ["", "null", ""] {
            let refusal = origins.refusal("c", 1, &page(origin)).expect("refused");
            assert_eq!(refusal.code, ErrorCode::OriginNotCaptured);
        }
        assert_eq!(origins.refusal("c", 1, &page("http://localhost")), None);
        assert!(origins.refusal("c", 1, &page("")).is_some());
    }

    #[test]
    fn invalid_origins_are_refused() {
        for origin in [
            "http://localhost",
            "http://localhost:8080",
            "https://shop.example",
            "https://xn--bcher-kva.example:8443",
            "http://127.0.0.1:1",
            "http://[::1]:8080",
            "chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh",
            "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for text in [
            "",
            "null",
            "localhost:8080",
            "http://",
            "http://localhost/",
            "http://localhost:80",
            "http://localhost:*",
            "http://localhost:8080/page",
            "https://bücher.example",
            "http://a b",
            "http://a\n",
            "HTTP://localhost",
            "file://",
            "about:blank",
            "chrome-extension://",
            "chrome-extension://a/b",
        ] {
            assert!(!is_origin(text), "{text:?}");
        }
    }
}
