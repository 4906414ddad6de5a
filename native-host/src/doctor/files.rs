//! The configuration, and the journals with their directory.

use std::{fs, io::Write as _, path::Path};

use protocol::shown::shell_word;

use super::Check;
use crate::{
    config::{self, Config},
    failure::Failure as _,
    journal::{
        JournalError,
        read::{Reader, journals},
        side_files::{file_lock, log},
    },
    temporary,
};

const CONFIGURATION: &str = "configuration";
const JOURNAL: &str = "journal";

/// From how many bytes on a journal's write-ahead log is something to look at.
const LONG_LOG: u64 = 4 * log::LIMIT;

pub(super) fn examine(config: &Config) -> Vec<Check> {
    let mut checks = vec![configuration(config)];
    checks.extend(config::path().and_then(|path| readable_password(config, &path)));
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
        Err(error) => checks.push(Check::problem(JOURNAL, error.to_string(), error.fix())),
        Ok(paths) if paths.is_empty() => checks.push(Check::note(
            JOURNAL,
            format!(
                "no journal in {}: no browser has started the host yet",
                directory.display()
            ),
            "Load the extension, enable a site in its popup or in capture.origins, and open a page of it.",
        )),
        Ok(paths) => checks.extend(paths.iter().map(|path| journal(path))),
    }
    if mode(directory).is_some_and(|mode| mode & 0o022 != 0) {
        checks.push(Check::note(
            JOURNAL,
            format!(
                "other users can write to {}, and so put files in the journal's place",
                directory.display()
            ),
            format!("Run `chmod go-w {}`.", shell_word(&directory.to_string_lossy())),
        ));
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
        return Check::note(
            CONFIGURATION,
            message,
            "Nothing to do if you enable sites in the extension's popup; else list them in capture.origins.",
        );
    }
    let origins: Vec<_> = config.capture.origins.iter().map(ToString::to_string).collect();
    Check::ok(CONFIGURATION, format!("{name}; captures {}", origins.join(", ")))
}

/// Passwords that other users of this machine can read in the configuration.
fn readable_password(config: &Config, path: &Path) -> Option<Check> {
    let is_readable = mode(path).is_some_and(|mode| mode & 0o044 != 0);
    if !is_readable || config.passwords.is_empty() {
        return None;
    }
    let (noun, keys) = match &*config.passwords {
        [key] => ("password", (*key).to_owned()),
        keys => ("passwords", keys.join(" and ")),
    };
    Some(Check::note(
        CONFIGURATION,
        format!(
            "{} holds the {noun} of {keys}, and other users can read it",
            path.display()
        ),
        format!("Run `chmod 600 {}`.", shell_word(&path.to_string_lossy())),
    ))
}

/// What a file's owner, its group and all others may do with it, if it is there and the system
/// knows such modes.
#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(fs::metadata(path).ok()?.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<u32> {
    None
}

/// Whether a journal could be made and written there, or a directory for it below the nearest one
/// that is there.
fn try_out(directory: &Path) -> std::io::Result<()> {
    let directory = directory
        .ancestors()
        .find(|directory| directory.exists())
        .unwrap_or(directory);
    let (mut file, path) = temporary::create(directory, ".doctor", true)?;
    let written = file.write_all(&[0; 4096]);
    fs::remove_file(path)?;
    written
}

fn journal(path: &Path) -> Check {
    let look = || -> Result<String, JournalError> {
        let reader = Reader::open(path)?;
        let (profile, browser) = reader.author()?;
        let running = if file_lock::is_held(path) {
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
        Ok(message) if log::bytes(path) > LONG_LOG => Check::note(
            JOURNAL,
            format!(
                "{message}; its write-ahead log takes {} MiB",
                log::bytes(path) >> 20
            ),
            format!(
                "It shrinks within a minute of use unless a process holds it up, such as an idb-relay command that was stopped: `fuser -v {}` names who has the journal open.",
                shell_word(&path.to_string_lossy())
            ),
        ),
        Ok(message) => Check::ok(JOURNAL, message),
        // A host that is just starting has made the file and nothing in it yet.
        Err(JournalError::Missing(_)) => Check::ok(JOURNAL, format!("{} is just being made", path.display())),
        Err(error) => Check::problem(JOURNAL, error.to_string(), error.fix()),
    }
}
