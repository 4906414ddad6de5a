//! What every named error of this program offers: a message that says what failed with what, and a cure.

use protocol::message::{ErrorCode, HostError};

/// An error that a person can act on.
pub trait Failure: std::error::Error {
    /// The kind under which the extension knows it.
    fn code(&self) -> ErrorCode;

    /// What to do about it.
    fn cure(&self) -> String;

    /// The message for the extension.
    fn to_message(&self) -> HostError {
        HostError {
            code: self.code(),
            message: self.to_string(),
            cure: self.cure(),
            context: None,
        }
    }
}
