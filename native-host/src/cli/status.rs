//! `idb-relay status`.

use std::{fmt::Write as _, io::Write};

use clap::Args;
use protocol::wire::inspector::Lag;
use serde_json::json;

use super::{CliError, place::readers};
use crate::{
    config::{self, Config},
    doctor::{Verdict, feeding},
    inspect::health::health,
    journal::{
        JournalError,
        read::{Reader, Worker},
        side_files::file_lock,
    },
    logging::{self, Log},
    output::{self, line},
    time::now_ms,
};

/// How many workers are named.
const MOST_WORKERS: usize = 5;

/// Show the journals, and how far Redis and Memcached have come
///
/// For each browser profile: whether its host runs, its last event, and for each sink its servers,
/// its state, how many events it is behind and how late it was with the last ones, and what is
/// wrong with it and what to do about that; how many stores are still to be read; and the workers
/// that are not observed. Then, where that is not the host alone, who feeds Memcached.
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
        let profiles = readers
            .iter()
            .map(|reader| as_json(reader, &config))
            .collect::<Result<Vec<_>, _>>()?;
        let status = json!({
            "version": crate::VERSION,
            "configuration": config::path(),
            "log": logging::path(Log::Host),
            "journal_directory": config.journal.directory,
            "feeding": feeding::examine(&config),
            "profiles": profiles,
        });
        return Ok(output::json(out, &status)?);
    }
    line!(out, "journals in {}", config.journal.directory.display())?;
    if readers.is_empty() {
        line!(
            out,
            "  none yet: load the extension, run `idb-relay install`, and open a page that is captured"
        )?;
    }
    for reader in &readers {
        print(reader, &config, out)?;
    }
    for check in feeding::examine(&config) {
        let warning = if check.verdict == Verdict::Ok {
            ""
        } else {
            "WARNING: "
        };
        line!(out, "{warning}{}", check.message)?;
        if let Some(fix) = &check.fix {
            line!(out, "  fix: {fix}")?;
        }
    }
    Ok(())
}

/// The profile's health, its sinks by name.
fn as_json(reader: &Reader, config: &Config) -> Result<serde_json::Value, CliError> {
    let (profile, browser) = reader.author()?;
    let health = health(config, reader)?;
    let mut sinks = serde_json::Map::new();
    for sink in &health.sinks {
        sinks.insert(sink.name.clone(), as_value(sink)?);
    }
    for (sink, failed) in reader.last_failures()? {
        if let Some(sink) = sinks.get_mut(&sink) {
            sink["last_error"] = as_value(&failed)?;
        }
    }
    let mut status = as_value(&health)?;
    status["sinks"] = sinks.into();
    status["profile"] = profile.into();
    status["browser"] = browser.into();
    status["unread_stores"] = reader.unread_stores()?.into();
    status["workers"] = as_value(&reader.workers()?)?;
    status["running"] = file_lock::is_held(reader.path()).into();
    Ok(status)
}

fn as_value(value: &impl serde::Serialize) -> Result<serde_json::Value, CliError> {
    serde_json::to_value(value).map_err(|error| CliError::Output(error.into()))
}

fn print(reader: &Reader, config: &Config, out: &mut impl Write) -> Result<(), CliError> {
    let (profile, browser) = reader.author()?;
    let health = health(config, reader)?;
    let running = if file_lock::is_held(reader.path()) {
        "running"
    } else {
        "not running"
    };
    let most = health
        .events_max_bytes
        .map_or_else(String::new, |most| format!(", limit {}", size(most)));
    line!(
        out,
        "{browser}, profile {profile}: host {running}, last event {}, journal {} (events {}{most})",
        health.head,
        size(health.journal_bytes),
        size(health.events_bytes),
    )?;
    if health.stripped > 0 {
        line!(
            out,
            "  {} events were stripped of their values: the journal was full (journal.max_mib)",
            health.stripped
        )?;
    }
    match reader.unread_stores()? {
        0 => {}
        stores => line!(
            out,
            "  not known as a whole, or with records to be read again: {stores} of the stores (`idb-relay ls` names them)"
        )?,
    }
    print_workers(&reader.workers()?, out)?;
    let failures = reader.last_failures()?;
    for sink in health.sinks.iter().filter(|sink| sink.enabled) {
        let behind = match sink.behind {
            // It is unknown what a server that is away still has.
            0 if sink.error.is_some() => "no event waits for it".to_owned(),
            0 => "up to date".to_owned(),
            1 => "1 event behind".to_owned(),
            events => format!("{events} events behind"),
        };
        let mut text = format!(
            "  {} at {}: {}, {behind}",
            sink.name,
            sink.servers.join(", "),
            sink.state
        );
        match sink.attempts {
            0 => {}
            1 => text.push_str("; tried once"),
            attempts => {
                let _infallible = write!(text, "; tried {attempts} times");
            }
        }
        if let Some(Lag { p50, p95, p99 }) = sink.lag {
            let _infallible = write!(
                text,
                "; last events after {p50} ms (p50), {p95} ms (p95), {p99} ms (p99)"
            );
        }
        match sink.untimed {
            0 => {}
            count => {
                let _infallible = write!(
                    text,
                    "; {count} of the last events left out, for the time of their commit cannot be right"
                );
            }
        }
        line!(out, "{text}")?;
        if let Some(error) = &sink.error {
            line!(out, "    {error}")?;
            line!(out, "    fix: {}", sink.fix.as_deref().unwrap_or("not known"))?;
        }
        let last = failures.iter().find(|(name, _)| *name == sink.name);
        if let Some((_, failed)) = last
            && let Some(recovered_at) = failed.recovered_at
        {
            let ago = (now_ms() - recovered_at).max(0) / 1000;
            line!(out, "    last error, resolved {ago} s ago: {}", failed.error)?;
        }
        match sink.notices {
            0 => {}
            count => line!(
                out,
                "    {count} of the last events have a note; `idb-relay tail` shows it"
            )?,
        }
    }
    Ok(())
}

/// The workers that are not observed, and what that means.
fn print_workers(workers: &[Worker], out: &mut impl Write) -> Result<(), CliError> {
    if workers.is_empty() {
        return Ok(());
    }
    line!(
        out,
        "  not observed, so what they write is found by comparison, while a page of the origin is visible:"
    )?;
    for Worker { origin, url, seen_at } in workers.iter().take(MOST_WORKERS) {
        let minutes = (now_ms() - seen_at).max(0) / 60_000;
        line!(out, "    the worker {url} of {origin}, seen {minutes} min ago")?;
    }
    match workers.len().saturating_sub(MOST_WORKERS) {
        0 => {}
        more => line!(out, "    and {more} more (`idb-relay status --json` names them)")?,
    }
    Ok(())
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    const GIB: u64 = 1024 * MIB;
    if bytes < MIB {
        return format!("{} KiB", bytes.div_ceil(KIB));
    }
    let (unit, name) = if bytes < GIB { (MIB, "MiB") } else { (GIB, "GiB") };
    match bytes % unit * 10 / unit {
        0 => format!("{} {name}", bytes / unit),
        tenths => format!("{}.{tenths} {name}", bytes / unit),
    }
}
