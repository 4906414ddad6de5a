//! `idb-relay resync`.

use std::{collections::BTreeSet, io::Write, thread, time::Instant};

use clap::Args;

use super::{CliError, place::readers};
use crate::{
    config::Config,
    journal::{
        read::Reader,
        side_files::{file_lock, requests},
    },
    output::line,
    timing,
};

/// Have pages read their stores again
///
/// Asks the running host to have an open page of each origin read all its databases. What is found
/// to differ from the mirror follows as `r` and `d` events and reaches the caches. Where no browser
/// runs, or no page of the origin is open, nothing needs to be asked: a page that loads is read as
/// a whole.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  idb-relay resync\n  idb-relay resync --origin http://localhost:8080")]
pub(super) struct Arguments {
    /// Only this origin; without it, every origin that the journal knows
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Only this browser profile
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load()?;
    let mut found = false;
    for reader in readers(&config, arguments.profile.as_deref())? {
        let known: BTreeSet<String> = reader
            .stores()?
            .into_iter()
            .map(|store| store.place.origin)
            .filter(|origin| arguments.origin.as_ref().is_none_or(|wanted| wanted == origin))
            .collect();
        if !known.is_empty() {
            found = true;
            ask(&reader, &known, out)?;
        }
    }
    match &arguments.origin {
        Some(origin) if !found => Err(CliError::Absent(format!("nothing of {origin} is known"))),
        _ => Ok(()),
    }
}

fn ask(reader: &Reader, origins: &BTreeSet<String>, out: &mut impl Write) -> Result<(), CliError> {
    let (profile, browser) = reader.author()?;
    let journal = reader.path();
    if !file_lock::is_held(journal) {
        line!(
            out,
            "{browser}, profile {profile}: not running; its pages are read when they load"
        )?;
        return Ok(());
    }
    requests::resync(journal, origins.iter().map(String::as_str))?;
    let deadline = Instant::now() + timing::cli::RESYNC;
    while !requests::is_empty(journal) {
        if Instant::now() > deadline {
            return Err(CliError::RequestIgnored(journal.to_owned()));
        }
        thread::sleep(timing::cli::RESYNC_POLL);
    }
    for origin in origins {
        line!(
            out,
            "{browser}, profile {profile}: an open page of {origin} reads its stores; if none is open, the next one that loads does"
        )?;
    }
    Ok(())
}
