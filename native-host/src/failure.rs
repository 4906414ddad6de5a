//! What every named error of this program offers: a message that says what failed with what, and a
//! fix.

use protocol::wire::host::{ErrorCode, HostError};

/// What is wrong with foreign JSON, without anything of what it says: serde's message repeats
/// values, which may be secrets.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!("(line {}, column {})", error.line(), error.column());
    if !error.is_data() {
        return format!("it is not JSON {place}");
    }
    // Names of fields and what was expected are words of this program; what comes before is not.
    if let Some(field) = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        return format!("it has no field {field:?} {place}");
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or_default();
            format!("expected {expected} {place}")
        }
        None => format!("it is JSON of another form {place}"),
    }
}

/// An error that a person can act on.
pub trait Failure: std::error::Error {
    /// The kind under which the extension knows it.
    fn code(&self) -> ErrorCode;

    /// What to do about it.
    fn fix(&self) -> String;

    /// The message for the extension.
    fn to_message(&self) -> HostError {
        HostError {
            code: self.code(),
            message: self.to_string(),
            fix: self.fix(),
            context: None,
            sequence: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{body::Body, wire::host::ToHost};
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn json_fault_tells_nothing_of_the_text() {
        for text in [
            r#"{"delivery":{"context":"c","sequence":"hunter2","page":{},"body":{}}}"#,
            r#"{"hunter2":1}"#,
            r#"{"hunter2, expected hunter2":1}"#,
            r#"{"delivery":{"context":{"hunter2":1}}}"#,
            r#"{"delivery":"hunter2"}"#,
            r#"{"delivery":{}}"#,
            r#""hunter2"#,
        ] {
            let error = serde_json::from_str::<ToHost<'_, &RawValue>>(text).expect_err(text);
            let fault = json_fault(&error);
            assert!(!fault.contains("hunter2") && fault.contains("column"), "{fault}");
        }
        let error =
            serde_json::from_str::<Body<'_>>(r#"{"commit":{"database":"d"}}"#).expect_err("no commit");
        assert!(
            json_fault(&error).starts_with("it has no field \""),
            "{}",
            json_fault(&error)
        );
    }
}
