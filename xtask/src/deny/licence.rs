//! SPDX expressions: which of the licences that a package offers it is taken under.

/// The licences that may be, in the order of preference.
pub struct Allowed(Vec<String>);

impl Allowed {
    pub fn new(allowed: Vec<String>) -> Self {
        Self(allowed)
    }

    /// The licences under which a package is taken, all of which hold; `None`: the expression
    /// leaves no choice that is allowed, or makes no sense.
    pub fn choose(&self, expression: &str) -> Option<Vec<String>> {
        let spaced = expression
            .replace('(', " ( ")
            .replace(')', " ) ")
            // An older way to write it.
            .replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut reader = Reader {
            allowed: &self.0,
            words: &words,
        };
        let choice = reader.alternatives()?;
        if !reader.words.is_empty() {
            return None;
        }
        let ranks = choice?;
        Some(
            ranks
                .into_iter()
                .filter_map(|rank| self.0.get(rank).cloned())
                .collect(),
        )
    }
}

/// Places in the list of what is allowed, ascending; `None`: not allowed.
type Choice = Option<Vec<usize>>;

struct Reader<'a> {
    allowed: &'a [String],
    words: &'a [&'a str],
}

/// Each returns `None` for an expression that makes no sense.
impl Reader<'_> {
    fn takes(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    /// The best of them.
    fn alternatives(&mut self) -> Option<Choice> {
        let mut best = self.together()?;
        while self.takes("OR") {
            let other = self.together()?;
            best = match (best, other) {
                (Some(best), Some(other)) => Some(best.min(other)),
                (best, other) => best.or(other),
            };
        }
        Some(best)
    }

    /// All of them.
    fn together(&mut self) -> Option<Choice> {
        let mut all = self.single()?;
        while self.takes("AND") {
            let other = self.single()?;
            all = all.zip(other).map(|(mut all, other)| {
                all.extend(other);
                all.sort_unstable();
                all.dedup();
                all
            });
        }
        Some(all)
    }

    fn single(&mut self) -> Option<Choice> {
        if self.takes("(") {
            let inner = self.alternatives()?;
            return self.takes(")").then_some(inner);
        }
        let (first, rest) = self.words.split_first()?;
        if ["OR", "AND", "WITH", ")"].contains(first) {
            return None;
        }
        self.words = rest;
        let mut name = (*first).to_owned();
        if self.takes("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            name = format!("{name} WITH {exception}");
        }
        let rank = self.allowed.iter().position(|allowed| *allowed == name);
        Some(rank.map(|rank| vec![rank]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expression_is_met_by_what_is_preferred() {
        let allowed = Allowed::new(["MIT", "Apache-2.0", "ISC"].map(str::to_owned).to_vec());
        for (expression, taken) in [
            ("MIT", Some("MIT")),
            ("Apache-2.0 OR MIT", Some("MIT")),
            ("Apache-2.0/MIT", Some("MIT")),
            ("GPL-3.0 OR Apache-2.0", Some("Apache-2.0")),
            ("ISC AND (Apache-2.0 OR MIT)", Some("MIT ISC")),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", None),
            ("MIT OR Apache-2.0 AND Unicode-3.0", Some("MIT")),
            ("Apache-2.0 WITH LLVM-exception OR MIT", Some("MIT")),
            ("Apache-2.0 WITH LLVM-exception", None),
            ("MPL-2.0", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT MIT", None),
            ("", None),
        ] {
            let found = allowed.choose(expression).map(|taken| taken.join(" "));
            assert_eq!(found.as_deref(), taken, "{expression}");
        }
    }
}
