//! Which origins are enabled: those of the host's configuration, and those that the user switched on in the browser.

use protocol::origin::{OriginError, OriginPattern};

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Capture {
    host: Vec<OriginPattern>,
    user: Vec<OriginPattern>,
}

impl Capture {
    /// With what the user switched on. Entries that are no origins (another version wrote them) are left out.
    pub fn new(user: &[String]) -> Self {
        Self {
            host: Vec::new(),
            user: user
                .iter()
                .filter_map(|text| OriginPattern::parse(text).ok())
                .collect(),
        }
    }

    /// Takes over the host's list; what can be read of it counts, the first mistake is reported.
    pub fn set_host(&mut self, origins: &[String]) -> Result<(), OriginError> {
        let mut first_error = Ok(());
        self.host.clear();
        for text in origins {
            match OriginPattern::parse(text) {
                Ok(pattern) => self.host.push(pattern),
                Err(error) if first_error.is_ok() => first_error = Err(error),
                Err(_) => {}
            }
        }
        first_error
    }

    /// Whether documents of this origin, as the browser reports it, are captured.
    pub fn allows(&self, origin: &str) -> bool {
        self.host
            .iter()
            .chain(&self.user)
            .any(|pattern| pattern.matches(origin))
    }

    /// The match patterns under which the page scripts are registered, sorted, each once.
    pub fn match_patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = self
            .host
            .iter()
            .chain(&self.user)
            .map(OriginPattern::match_pattern)
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_count_and_patterns_are_named_once() {
        let mut capture = Capture::new(&["https://shop.example".into(), "nonsense".into()]);
        let host = ["http://localhost:8080".into(), "http://localhost:8081".into()];
        capture.set_host(&host).expect("origins");
        assert!(capture.allows("http://localhost:8081"));
        assert!(capture.allows("https://shop.example"));
        assert!(!capture.allows("http://localhost:8082"));
        assert!(!capture.allows("null"));
        assert_eq!(
            capture.match_patterns(),
            ["http://localhost/*", "https://shop.example/*"]
        );
    }

    #[test]
    fn a_mistake_in_the_hosts_list_is_reported_and_the_rest_counts() {
        let mut capture = Capture::default();
        let mistaken = ["localhost".into(), "http://localhost:1".into()];
        assert!(matches!(capture.set_host(&mistaken), Err(OriginError::Scheme(_))));
        assert!(capture.allows("http://localhost:1"));
    }
}
