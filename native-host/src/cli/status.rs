//! `idb-relay status`.

use std::io::Write;

use clap::Args;
use serde_json::json;

use super::{CliError, place::readers};
use crate::{
    config::{self, Config},
    journal::{
        JournalError, lock,
        read::{Reader, SinkSummary},
    },
    logging,
};

/// Show the journals, and how far Redis and Memcached have come
///
/// For each browser profile: whether its host runs, its last event, and for each sink its state, how many events it is behind,
/// and what is wrong with it and what to do about that.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load()?;
    let readers = match readers(&config, None) {
        // That nothing has been captured yet is a status too.
        Err(CliError::Journal(JournalError::Missing(_))) => Vec::new(),
        other => other?,
    };
    if arguments.json {
        let profiles = readers.iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
        let status = json!({
            "version": crate::VERSION,
            "configuration": config::path(),
            "log": logging::path(),
            "journal_directory": config.journal.directory,
            "profiles": profiles,
        });
        writeln!(out, "{status}")?;
        return Ok(());
    }
    writeln!(out, "journals in {}", config.journal.directory.display())?;
    if readers.is_empty() {
        writeln!(
            out,
            "  none yet: load the extension, run `idb-relay install`, and open a page that is captured"
        )?;
    }
    for reader in &readers {
        print(reader, out)?;
    }
    Ok(())
}

fn as_json(reader: &Reader) -> Result<serde_json::Value, JournalError> {
    let (profile, browser) = reader.author()?;
    let head = reader.head()?;
    let mut sinks = serde_json::Map::new();
    for sink in reader.sinks()? {
        let summary = json!({
            "enabled": sink.enabled,
            "state": sink.state,
            "since": sink.since,
            "behind": behind(reader, head, &sink)?,
            "error": sink.error,
            "cure": sink.cure,
            "notices": reader.notices(&sink.name)?,
        });
        sinks.insert(sink.name, summary);
    }
    Ok(json!({
        "profile": profile,
        "browser": browser,
        "journal": reader.path(),
        "running": lock::is_held(reader.path()),
        "head": head,
        "sinks": sinks,
    }))
}

fn print(reader: &Reader, out: &mut impl Write) -> Result<(), CliError> {
    let (profile, browser) = reader.author()?;
    let head = reader.head()?;
    let running = if lock::is_held(reader.path()) {
        "running"
    } else {
        "not running"
    };
    writeln!(
        out,
        "{browser}, profile {profile}: host {running}, last event {head}"
    )?;
    for sink in reader.sinks()?.into_iter().filter(|sink| sink.enabled) {
        let behind = match behind(reader, head, &sink)? {
            // What a server that is away still has nobody knows.
            0 if sink.error.is_some() => "no event waits for it".to_owned(),
            0 => "up to date".to_owned(),
            1 => "1 event behind".to_owned(),
            events => format!("{events} events behind"),
        };
        writeln!(out, "  {}: {}, {behind}", sink.name, sink.state)?;
        if let Some(error) = &sink.error {
            writeln!(
                out,
                "    {error}\n    cure: {}",
                sink.cure.as_deref().unwrap_or("none is known")
            )?;
        }
        match reader.notices(&sink.name)? {
            0 => {}
            count => writeln!(
                out,
                "    {count} of the last events have a remark; `idb-relay tail` shows it"
            )?,
        }
    }
    Ok(())
}

/// How many events a sink has still to pass on. Not the difference of the numbers: a new sink's number is 0.
fn behind(reader: &Reader, head: u64, sink: &SinkSummary) -> Result<u64, JournalError> {
    Ok(head - sink.number.max(reader.tail()?).min(head))
}
