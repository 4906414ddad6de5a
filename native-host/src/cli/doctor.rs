//! `idb-relay doctor`.

use std::io::Write;

use clap::Args;
use serde_json::json;

use super::CliError;
use crate::{
    config::Config,
    doctor::{Verdict, examine},
    output::{self, line},
};

/// Check everything that a write passes, and list fixes
///
/// Checks whether your browsers know this host, the configuration, the journals, Redis and
/// Memcached. Exits with 1 if there is a problem; notes do not count.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print one JSON object: {"problems": 0, "checks":
    /// [{"area", "verdict": "ok"|"note"|"problem", "message", "fix"}]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let checks = examine(&Config::load());
    let problems = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Problem)
        .count();
    if arguments.json {
        output::json(out, &json!({"problems": problems, "checks": checks}))?;
    } else {
        for check in &checks {
            let verdict = match check.verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Problem => "PROBLEM",
            };
            line!(out, "{verdict:<8} {:<14} {}", check.area, check.message)?;
            if let Some(fix) = &check.fix {
                line!(out, "{:23} fix: {fix}", "")?;
            }
        }
    }
    match problems {
        0 => Ok(()),
        problems => Err(CliError::Problems(problems)),
    }
}
