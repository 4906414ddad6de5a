//! The configuration, and the journals with their directory.

use std::{fs, path::Path};

use super::Check;
use crate::{
    config::{self, Config},
    failure::Failure as _,
    journal::{
        JournalError, lock, log,
        read::{Reader, journals},
    },
};

const CONFIGURATION: &str = "configuration";
const JOURNAL: &str = "journal";

/// From how many bytes on a journal's write-ahead log is something to look at.
const LONG_LOG: u64 = 4 * log::LIMIT;

pub(super) fn examine(config: &Config) -> Vec<Check> {
    let mut checks = vec![configuration(config)];
    let directory = &config.journal.directory;
    if let Err(error) = try_out(directory) {
        checks.push(Check::problem(
            JOURNAL,
            format!("{} cannot be written: {error}", directory.display()),
            "Make it writable for this user, or name another one in journal.directory.",
        ));
        return checks;
    }
    match journals(directory) {
        Err(error) => checks.push(Check::problem(JOURNAL, error.to_string(), error.cure())),
        Ok(paths) if paths.is_empty() => checks.push(Check::remark(
            JOURNAL,
            format!(
                "no journal in {}: no browser has started the host yet",
                directory.display()
            ),
            "Load the extension, enable a site in its popup or in capture.origins, and open a page of it.",
        )),
        Ok(paths) => checks.extend(paths.iter().map(|path| journal(path))),
    }
    checks
}

fn configuration(config: &Config) -> Check {
    let path = config::path().unwrap_or_default();
    let name = if path.exists() {
        path.display().to_string()
    } else {
        format!("no file at {}: the defaults hold", path.display())
    };
    if config.capture.origins.is_empty() {
        let message = format!("{name}; it names no origin to capture");
        return Check::remark(
            CONFIGURATION,
            message,
            "Nothing to do if you enable sites in the extension's popup; else list them in capture.origins.",
        );
    }
    let origins: Vec<_> = config.capture.origins.iter().map(ToString::to_string).collect();
    Check::ok(CONFIGURATION, format!("{name}; captures {}", origins.join(", ")))
}

/// Whether a journal could be made and written there, or a directory for it below the nearest one that is there.
fn try_out(directory: &Path) -> std::io::Result<()> {
    let directory = directory
        .ancestors()
        .find(|directory| directory.exists())
        .unwrap_or(directory);
    let file = directory.join(format!(".doctor-{}", std::process::id()));
    fs::write(&file, [0; 4096])?;
    fs::remove_file(file)
}

fn journal(path: &Path) -> Check {
    let look = || -> Result<String, JournalError> {
        let reader = Reader::open(path)?;
        let (profile, browser) = reader.author()?;
        let running = if lock::is_held(path) {
            "host running"
        } else {
            "host not running"
        };
        let stores = reader.stores()?.len();
        Ok(format!(
            "{browser}, profile {profile}: {running}, {stores} stores, last event {}",
            reader.head()?
        ))
    };
    match look() {
        Ok(message) if log::bytes(path) > LONG_LOG => Check::remark(
            JOURNAL,
            format!(
                "{message}; its write-ahead log takes {} MiB",
                log::bytes(path) >> 20
            ),
            format!(
                "It shrinks within a minute of use unless a process holds it up, such as an idb-relay command that was stopped: `fuser -v {}` names who has the journal open.",
                path.display()
            ),
        ),
        Ok(message) => Check::ok(JOURNAL, message),
        // A host that is just starting has made the file and nothing in it yet.
        Err(JournalError::Missing(_)) => Check::ok(JOURNAL, format!("{} is just being made", path.display())),
        Err(error) => Check::problem(JOURNAL, error.to_string(), error.cure()),
    }
}
