//! Which origins are enabled: by the user in the browser, by the host's configuration, or by
//! managed policy. Any of them counts.

use protocol::{
    origin::{OriginError, OriginPattern},
    table::Table,
};

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Capture {
    user: Vec<OriginPattern>,
    host: Vec<OriginPattern>,
    policy: Vec<OriginPattern>,
}

impl Capture {
    /// With what the user switched on, and what the host's list was. Entries that are no origins
    /// (another version wrote them) are left out.
    pub fn new(user: &[String], host: &[String]) -> Self {
        Self {
            user: readable(user),
            host: readable(host),
            ..Self::default()
        }
    }

    /// The user's decision about an origin; whether it changes anything.
    pub fn set_user(&mut self, origin: &str, enabled: bool) -> bool {
        let Ok(pattern) = OriginPattern::parse(origin) else {
            return false;
        };
        let known = self.user.contains(&pattern);
        if enabled && !known {
            self.user.push(pattern);
        } else if !enabled {
            self.user.retain(|other| *other != pattern);
        }
        known != enabled
    }

    /// What the user switched on.
    pub fn user(&self) -> Vec<String> {
        self.user.iter().map(ToString::to_string).collect()
    }

    /// The host's list.
    pub fn host(&self) -> Vec<String> {
        self.host.iter().map(ToString::to_string).collect()
    }

    /// Takes over the host's list; what can be read of it counts, the first mistake is reported.
    pub fn set_host(&mut self, origins: &[String]) -> Result<(), OriginError> {
        self.host = readable(origins);
        origins
            .iter()
            .find_map(|text| OriginPattern::parse(text).err())
            .map_or(Ok(()), Err)
    }

    /// The policy's list.
    pub fn policy(&self) -> Vec<String> {
        self.policy.iter().map(ToString::to_string).collect()
    }

    /// Takes over the policy's list, as far as it can be read.
    pub fn set_policy(&mut self, origins: &[String]) {
        self.policy = readable(origins);
    }

    /// Whether documents of this origin, as the browser reports it, are captured.
    pub fn allows(&self, origin: &str) -> bool {
        self.all().any(|(pattern, _)| pattern.matches(origin))
    }

    /// Every entry with who made it.
    pub fn origins(&self) -> Table<String, String> {
        self.all()
            .map(|(pattern, who)| (pattern.to_string(), who.to_owned()))
            .collect()
    }

    /// The entries for which the permission for their match pattern is not among these.
    pub fn ungranted(&self, granted: &[String]) -> Vec<String> {
        let mut missing: Vec<String> = self
            .all()
            .filter(|(pattern, _)| !granted.contains(&pattern.match_pattern()))
            .map(|(pattern, _)| pattern.to_string())
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// The match patterns under which the page scripts are registered, sorted, each once.
    pub fn match_patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = self.all().map(|(pattern, _)| pattern.match_pattern()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }

    /// The words are those of [`protocol::wire::inspector::Background::origins`], the strongest last.
    fn all(&self) -> impl Iterator<Item = (&OriginPattern, &'static str)> {
        let user = self.user.iter().map(|pattern| (pattern, "user"));
        let host = self.host.iter().map(|pattern| (pattern, "configuration"));
        let policy = self.policy.iter().map(|pattern| (pattern, "policy"));
        user.chain(host).chain(policy)
    }
}

fn readable(origins: &[String]) -> Vec<OriginPattern> {
    origins
        .iter()
        .filter_map(|text| OriginPattern::parse(text).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_count_and_patterns_are_named_once() {
        let mut capture = Capture::new(&["https://shop.example".into(), "nonsense".into()], &[]);
        let host = ["http://localhost:8080".into(), "http://localhost:8081".into()];
        capture.set_host(&host).expect("origins");
        capture.set_policy(&["http://localhost:8081".into(), "?".into()]);
        assert!(capture.allows("http://localhost:8081"));
        assert!(capture.allows("https://shop.example"));
        assert!(!capture.allows("http://localhost:8082"));
        assert!(!capture.allows("null"));
        assert_eq!(
            capture.match_patterns(),
            ["http://localhost/*", "https://shop.example/*"]
        );
        let origins = capture.origins();
        let who: Vec<(&str, &str)> = origins.iter().map(|(origin, by)| (&**origin, &**by)).collect();
        let expected = [
            ("http://localhost:8080", "configuration"),
            ("http://localhost:8081", "policy"),
            ("https://shop.example", "user"),
        ];
        assert_eq!(who, expected);
        assert_eq!(
            capture.ungranted(&["http://localhost/*".into()]),
            ["https://shop.example"]
        );
    }

    #[test]
    fn the_user_switches_on_and_off() {
        let mut capture = Capture::default();
        assert!(capture.set_user("http://localhost:1/", true));
        assert!(!capture.set_user("http://localhost:1", true));
        assert!(!capture.set_user("nonsense", true));
        assert_eq!(capture.user(), ["http://localhost:1"]);
        assert!(capture.allows("http://localhost:1"));
        assert!(capture.set_user("http://localhost:1", false));
        assert!(!capture.allows("http://localhost:1"));
    }

    #[test]
    fn a_mistake_in_the_hosts_list_is_reported_and_the_rest_counts() {
        let mut capture = Capture::default();
        let mistaken = ["localhost".into(), "http://localhost:1".into()];
        assert!(matches!(capture.set_host(&mistaken), Err(OriginError::Scheme(_))));
        assert!(capture.allows("http://localhost:1"));
    }
}
