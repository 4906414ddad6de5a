//! A problem in words for a person, with its fix.

use serde::{Deserialize, Serialize};

/// A problem in words, with its fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What failed, with what.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// A named error from the host. Codes never change their meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostError {
    /// What kind.
    pub code: ErrorCode,
    /// What failed, with what.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// The context of the delivery that caused it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The number of that delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        Self {
            message: error.message,
            fix: error.fix,
        }
    }
}

/// The kinds of [`HostError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The two protocol versions differ; the connection ends.
    ProtocolMismatch,
    /// The first message was not a hello; the connection ends.
    HelloExpected,
    /// A frame announced more bytes than allowed; the connection ends.
    FrameTooLong,
    /// The input ended inside a frame; what came before it is on disk.
    FrameTruncated,
    /// A frame was not a message of this protocol; it was skipped.
    MalformedMessage,
    /// A delivery's body does not make sense; it was dropped and its stores are to be compared.
    MalformedDelivery,
    /// Deliveries of a context never came, or cannot be kept; its stores are to be compared.
    DeliveriesMissing,
    /// The origin is not enabled in the configuration of the host nor by the user.
    OriginNotCaptured,
    /// The configuration file cannot be used; the connection ends.
    Config,
    /// Another host holds the journal; the connection ends, try again.
    JournalLocked,
    /// The journal has the format of another version; the connection ends.
    JournalFormat,
    /// The journal cannot be written (disk full, permissions, damage); nothing is acknowledged
    /// until it can.
    JournalFailed,
    /// The host does not know a question.
    MalformedQuestion,
    /// A question cannot be answered: what it asks for is not there, or too much is asked at once.
    QuestionFailed,
    /// There is no host to answer a question. Said by the background.
    HostAway,
}

/// The pieces of a sentence in their order: words (`false`), and what is to be typed or read as
/// code (`true`), which stands between backticks.
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
