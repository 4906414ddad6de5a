//! What is said to a person.

use serde::{Deserialize, Serialize};

/// A problem in words, with its cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// What is wrong, with what.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

/// The pieces of a sentence in their order: words (`false`), and what is to be typed or read as code (`true`), which stands between
/// backticks.
pub fn pieces(sentence: &str) -> impl Iterator<Item = (bool, &str)> {
    let paired = sentence.matches('`').count().is_multiple_of(2);
    sentence
        .split(move |char| paired && char == '`')
        .enumerate()
        .map(|(index, piece)| (index % 2 == 1, piece))
        .filter(|(_, piece)| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_stands_between_backticks() {
        let all = |sentence| pieces(sentence).collect::<Vec<_>>();
        assert_eq!(
            all("Run `idb-relay install`."),
            [(false, "Run "), (true, "idb-relay install"), (false, ".")]
        );
        assert_eq!(all("`a`"), [(true, "a")]);
        assert_eq!(all("one ` alone"), [(false, "one ` alone")]);
        assert_eq!(all(""), []);
    }
}
