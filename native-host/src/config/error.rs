//! What can be wrong with a configuration.

use std::{fmt, io, path::PathBuf};

use protocol::wire::host::ErrorCode;

use crate::failure::Failure;

/// A mistake, and where it is.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: Option<usize>,
    /// The mistake.
    pub problem: ConfigProblem,
}

/// The mistakes.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is not TOML.
    #[error("it is not TOML: {0}")]
    Syntax(String),
    /// A key that does not exist.
    #[error("there is no key {key:?}{}", in_section(.section))]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it stands in; empty at the top.
        section: String,
        /// The known key that looks most like it.
        nearest: Option<&'static str>,
        /// All known keys there.
        known: &'static [&'static str],
    },
    /// A key that this version does not have yet.
    #[error("{key} is not available in this version")]
    NotYet {
        /// What it says.
        key: &'static str,
        /// What to do instead.
        fix: &'static str,
    },
    /// A value of another type.
    #[error("{key} must be {expected}, not {found}")]
    Type {
        /// Section and key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A table lacks what it cannot do without.
    #[error("{key} is missing")]
    Absent {
        /// Section and key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value of the right type that makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// Section and key.
        key: String,
        /// Why not.
        problem: String,
    },
    /// This user has no home directory, so a default cannot be found.
    #[error("{0} has no default here: this user has no home directory")]
    NoDefault(String),
}

fn in_section(section: &str) -> String {
    if section.is_empty() {
        String::new()
    } else {
        format!(" in [{section}]")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the configuration {}", self.path.display())?;
        if let Some(line) = self.line {
            write!(formatter, ", line {line}")?;
        }
        write!(formatter, ": {}", self.problem)
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}

impl Failure for ConfigError {
    fn code(&self) -> ErrorCode {
        ErrorCode::Config
    }

    fn fix(&self) -> String {
        match &self.problem {
            ConfigProblem::Unreadable(_) => format!(
                "Make the file readable, or let {} name another one.",
                super::VARIABLE
            ),
            ConfigProblem::Syntax(_) => {
                "Correct the line; strings stand in quotes, lists in brackets.".to_owned()
            }
            ConfigProblem::UnknownKey {
                nearest: Some(nearest),
                ..
            } => format!("Did you mean {nearest:?}?"),
            ConfigProblem::UnknownKey { known, .. } => format!("The keys here are {}.", known.join(", ")),
            ConfigProblem::NotYet { fix, .. } => (*fix).to_owned(),
            ConfigProblem::Type { expected, .. } => format!("Write {expected}."),
            ConfigProblem::Absent { expected, .. } => format!("Add it: {expected}."),
            ConfigProblem::Value { .. } => {
                "Correct the value, or remove the line to have the default.".to_owned()
            }
            ConfigProblem::NoDefault(key) => format!("Set {key} in the configuration."),
        }
    }
}
