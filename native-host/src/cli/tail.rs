//! `idb-relay tail`.

use std::{
    collections::HashSet,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use clap::Args;

use super::CliError;
use crate::{
    config::Config,
    journal::{
        JournalError,
        read::{Entry, Reader, SinkSummary, journals},
    },
    timing,
};

mod line;

/// How many events are read at once.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Watch every write as it passes each stage
///
/// One line for each event, in order, once it has passed the journal, Redis and Memcached; the
/// milliseconds count from the moment at which the page saw the commit. An event does not wait for
/// a server that is away: its line says so.
///
/// --json prints one object a line: {"event": …, "stages":
/// {"captured": 0, "journal": 3, "redis": 5, "memcached": 6}}, null for a stage that is switched
/// off or has not been passed, and "notes" where a stage has something to say about the event.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  idb-relay tail\n  idb-relay tail -n 0 --json | jq .event.after\n  \
    idb-relay tail -n 1000 --no-follow"
)]
pub(super) struct Arguments {
    /// How many past events of each profile to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: u64,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// End after the past events
    #[arg(long)]
    no_follow: bool,
    /// Only this browser profile
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

/// A journal that is watched.
struct Watched {
    reader: Reader,
    /// The last event that was printed.
    printed: u64,
    /// What the journal's generation was when nothing more could be printed.
    seen: Option<i64>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load()?;
    let directory = &config.journal.directory;
    let mut watched: Vec<Watched> = Vec::new();
    let mut known = HashSet::new();
    discover(arguments, directory, &mut known, &mut watched, arguments.lines)?;
    if arguments.no_follow {
        if watched.is_empty() {
            return Err(JournalError::Missing(directory.clone()).into());
        }
        for journal in &mut watched {
            while print(journal, arguments, true, out)? {}
        }
        return Ok(());
    }
    let mut next_discovery = Instant::now() + timing::cli::tail_journals();
    loop {
        let mut printed = false;
        for journal in &mut watched {
            printed |= print(journal, arguments, false, out)?;
        }
        if printed {
            out.flush()?;
        } else {
            thread::sleep(timing::cli::TAIL_POLL);
        }
        if Instant::now() >= next_discovery {
            // What began while we watched is shown from its beginning.
            discover(arguments, directory, &mut known, &mut watched, u64::MAX)?;
            next_discovery = Instant::now() + timing::cli::tail_journals();
        }
    }
}

fn discover(
    arguments: &Arguments,
    directory: &Path,
    known: &mut HashSet<PathBuf>,
    watched: &mut Vec<Watched>,
    lines: u64,
) -> Result<(), CliError> {
    for path in journals(directory)? {
        let profile = path.file_stem().and_then(|stem| stem.to_str());
        if known.contains(&path)
            || arguments
                .profile
                .as_deref()
                .is_some_and(|wanted| profile != Some(wanted))
        {
            continue;
        }
        let reader = match Reader::open(&path) {
            Ok(reader) => reader,
            // Just being made: next time.
            Err(JournalError::Missing(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let printed = reader.tail()?.max(reader.head()?.saturating_sub(lines));
        watched.push(Watched {
            reader,
            printed,
            seen: None,
        });
        known.insert(path);
    }
    Ok(())
}

/// Prints the events that have passed every stage, or, if `all`, those that have not too; whether
/// there were any.
fn print(
    journal: &mut Watched,
    arguments: &Arguments,
    all: bool,
    out: &mut impl Write,
) -> Result<bool, CliError> {
    let reader = &journal.reader;
    let generation = reader.generation()?;
    if journal.seen == Some(generation) {
        return Ok(false);
    }
    let sinks: Vec<SinkSummary> = reader.sinks()?.into_iter().filter(|sink| sink.enabled).collect();
    let entries = reader.events(journal.printed, BATCH, BATCH_BYTES)?;
    let ready = |entry: &&Entry| {
        all || sinks
            .iter()
            .all(|sink| sink.number >= entry.number || !crate::sinks::runner::passes_on(&sink.state))
    };
    let mut any = false;
    for entry in entries.iter().take_while(ready) {
        let stages = line::Stages::of(reader, entry, &sinks)?;
        if arguments.json {
            stages.write_json(entry, out)?;
        } else {
            stages.write_text(reader, entry, out)?;
        }
        journal.printed = entry.number;
        any = true;
    }
    if !any {
        journal.seen = Some(generation);
    }
    Ok(any)
}
