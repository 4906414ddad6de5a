//! Whether everything that a write passes on its way is as it must be, and what to do where it is
//! not.
//!
//! One file for each stretch of the way: [`files`] (configuration, journals), [`browsers`] (what
//! tells them of this host), [`servers`] (Redis and Memcached, under the names and with the fixes
//! that the sinks use), `others` (profiles that write in each other's place), [`feeding`] (who
//! writes to Memcached). Nothing is changed but what a check must try and undo: a file where the
//! journals are.

use serde::Serialize;

use crate::{
    config::Config, config::ConfigError, failure::Failure as _, journal::progress::condition::Problem,
};

mod browsers;
pub mod feeding;
mod files;
mod others;
mod servers;

pub use protocol::wire::inspector::Verdict;

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Which stretch of the way: `configuration`, `journal`, `browser`, `redis` or `memcached`.
    pub area: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    fn ok(area: &'static str, message: impl Into<String>) -> Self {
        Self {
            area,
            verdict: Verdict::Ok,
            message: message.into(),
            fix: None,
        }
    }

    fn note(area: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Note,
            fix: Some(fix.into()),
            ..Self::ok(area, message)
        }
    }

    fn problem(area: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Problem,
            ..Self::note(area, message, fix)
        }
    }

    fn trouble(area: &'static str, trouble: Problem) -> Self {
        Self::problem(area, trouble.message, trouble.fix)
    }
}

impl From<Check> for protocol::wire::inspector::Check {
    fn from(check: Check) -> Self {
        Self {
            area: check.area.to_owned(),
            verdict: check.verdict,
            message: check.message,
            fix: check.fix,
        }
    }
}

/// Looks at everything, in the order in which a write passes it.
pub fn examine(config: &Result<Config, ConfigError>) -> Vec<Check> {
    let mut checks = browsers::examine();
    match config {
        Ok(config) => {
            checks.extend(files::examine(config));
            checks.extend(servers::examine(config));
            checks.extend(others::examine(config));
            checks.extend(feeding::examine(config));
        }
        Err(error) => checks.push(Check::problem("configuration", error.to_string(), error.fix())),
    }
    checks
}
