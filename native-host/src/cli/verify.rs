//! `idb-relay verify`.

use std::io::{self, Write};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::wire::inspector::{Address, Compared, Difference, DifferenceKind};

use super::{CliError, error::Drift, place::readers};
use crate::{
    apply::cache_writer::USUAL_GROUP,
    compare::{CompareError, Feed, Journals, Observer, Scope, compare},
    config::Config,
    failure::Failure as _,
    output::{self, line},
};

/// From how many records on a bar shows how far it is.
const LARGE: u64 = 10_000;

/// Compare Memcached with what IndexedDB holds, and name each difference
///
/// Looks up every record of the journals' mirrors in Memcached, and every item of Memcached that
/// has the name of a record. A record is "missing" if it has no item and "stale" if its item holds
/// something else. An item whose record is gone is "orphaned". It may run while browsers write:
/// writes in transit are not counted, unless nothing is running to deliver them. Records that are
/// too large for the server are not counted either. Records whose value the browser can no longer
/// read are named.
///
/// --repair corrects what differs, and never replaces a newer value by an older one.
///
/// Where memcached.mode is "off" it compares what `idb-relay apply` writes. Run it where the
/// browser is, because the mirror is there. It needs the servers, key and value of `apply`'s
/// configuration under [memcached], and must reach both Redis and Memcached.
#[derive(Debug, Args)]
#[command(
    after_help = "Exits with 0 if Memcached holds what it should (with --repair: now) or a running process is about to write it, with 1 if not, \
    with 3 if that could not be found out. Who stops reading ends the command, with 1, but no repair.\n\n\
    What --json prints, one object a line:\n  \
    {\"origin\", \"bucket\", \"database\", \"store\", \"key\", \"memcached_key\", \"kind\": \"missing\"|\"stale\"|\"orphaned\", \
    \"repaired\"} for each difference;\n  \
    {\"unreadable\": {\"origin\", …}} for each record whose value the browser can no longer read;\n  \
    {\"done\": true, \"total\", \"compared\", \"missing\", \"stale\", \"orphaned\", \"repaired\", …} at the end\n\n\
    Examples:\n  \
    idb-relay verify\n  \
    idb-relay verify --origin http://localhost:8080 --database shop --repair\n  \
    idb-relay verify --json | jq -r 'select(.kind) | .memcached_key'"
)]
pub(super) struct Arguments {
    /// Only this origin
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Only this storage bucket; empty for the default one
    #[arg(long, value_name = "NAME", requires = "origin")]
    bucket: Option<String>,
    /// Only this database
    #[arg(long, value_name = "NAME", requires = "origin")]
    database: Option<String>,
    /// Only this store
    #[arg(long, value_name = "NAME", requires = "database")]
    store: Option<String>,
    /// Only this browser profile
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// With memcached.mode = "off": the group of `idb-relay apply` that feeds Memcached
    #[arg(long, value_name = "NAME", default_value = USUAL_GROUP)]
    group: String,
    /// Write what differs as it should be
    #[arg(long)]
    repair: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let compared = verify(arguments, out).map_err(|error| match error {
        CliError::Drift(_) => error,
        other => CliError::NotCompared(Box::new(other)),
    })?;
    let differing = compared.missing + compared.stale + compared.orphaned + compared.held;
    match differing.saturating_sub(compared.repaired) {
        0 => Ok(()),
        differing => Err(CliError::Drift(Drift::All(differing))),
    }
}

fn verify(arguments: &Arguments, out: &mut impl Write) -> Result<Compared, CliError> {
    let config = Config::load()?;
    let memcached = &config.memcached;
    let scope = Scope {
        origin: arguments.origin.clone(),
        bucket: arguments.bucket.clone(),
        database: arguments.database.clone(),
        store: arguments.store.clone(),
    };
    let readers = readers(&config, arguments.profile.as_deref())?;
    let mut known = arguments.origin.is_none();
    for reader in &readers {
        known |= reader.places()?.iter().any(|place| scope.means(place));
    }
    if !known {
        return Err(CliError::Absent("no store of that name is known".to_owned()));
    }
    let journals = Journals::new(readers, &config.journal.directory)?;
    let feed = Feed::find(&config, &arguments.group)?;
    let mut printer = Printer {
        out,
        json: arguments.json,
        repair: arguments.repair,
        differences: 0,
        bar: None,
    };
    let compared = compare(
        memcached,
        &feed,
        &journals,
        &scope,
        arguments.repair,
        &mut printer,
    );
    let Printer { out, differences, .. } = printer;
    let compared = match compared {
        // Each difference that was found is one, also if the comparison did not finish.
        Err(CompareError::Output(error)) if has_had_enough(&error) => {
            return Err(CliError::Drift(Drift::AtLeast(differences)));
        }
        compared => compared?,
    };
    let written = if arguments.json {
        output::json(out, &compared)
    } else {
        summary(out, &compared, &memcached.servers.join(", "))
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if !has_had_enough(&error) => Err(error.into()),
        _ => Ok(compared),
    }
}

/// Whether the reader of the output has gone (`idb-relay verify | head`).
fn has_had_enough(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

impl From<CompareError> for CliError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Journal(error) => Self::Journal(error),
            CompareError::Output(error) => Self::Output(error),
            CompareError::Memcached(_) => Self::Memcached {
                fix: error.fix(),
                error: error.to_string(),
            },
        }
    }
}

/// Prints differences as they are found, above a bar if there is much to do and a terminal shows
/// it.
struct Printer<'o, W> {
    out: &'o mut W,
    json: bool,
    /// What differs is put right, whether or not anybody reads of it.
    repair: bool,
    /// How many differences there were.
    differences: u64,
    bar: Option<Bar>,
}

/// A bar, drawn to a terminal on stderr and nowhere else.
struct Bar {
    /// What is counted.
    what: &'static str,
    bar: ProgressBar,
}

impl Bar {
    fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new(0).with_message(what);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} {msg}, {eta} left")
        {
            bar.set_style(style);
        }
        Self { what, bar }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl<W: Write> Printer<'_, W> {
    /// Prints something above the bar, as JSON or for a person.
    fn say(
        &mut self,
        as_json: impl FnOnce(&mut W) -> io::Result<()>,
        in_words: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self {
            out,
            json,
            repair,
            bar,
            ..
        } = self;
        let seen = bar.as_ref().filter(|bar| !bar.bar.is_hidden());
        let write = || {
            if *json {
                as_json(out)?;
            } else {
                in_words(out)?;
            }
            // It is on screen before the bar is drawn again, so they do not run together.
            if seen.is_some() { out.flush() } else { Ok(()) }
        };
        let written = match seen {
            Some(seen) => seen.bar.suspend(write),
            None => write(),
        };
        match written {
            Err(error) if *repair && has_had_enough(&error) => Ok(()),
            written => written,
        }
    }
}

impl<W: Write> Observer for Printer<'_, W> {
    fn differs(&mut self, difference: Difference) -> io::Result<()> {
        self.differences += 1;
        self.say(
            |out| output::json(out, &difference),
            |out| print(out, &difference),
        )
    }

    fn unreadable(&mut self, record: Address) -> io::Result<()> {
        self.say(
            |out| output::json(out, &serde_json::json!({"unreadable": record})),
            |out| {
                let record = shown(&record);
                line!(out, "unreadable  {record}  (its file is gone, perhaps)")
            },
        )
    }

    fn advanced(&mut self, so_far: &Compared, items: Option<(u64, u64)>) -> io::Result<()> {
        let (what, done, all) = match items {
            None => ("records", so_far.compared, so_far.total),
            Some((looked, all)) => ("items", looked, all.max(looked)),
        };
        if all < LARGE {
            return Ok(());
        }
        if self.bar.as_ref().is_none_or(|bar| bar.what != what) {
            self.bar = Some(Bar::new(what));
        }
        if let Some(Bar { bar, .. }) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
        }
        Ok(())
    }
}

fn print(out: &mut impl Write, difference: &Difference) -> io::Result<()> {
    let kind = match difference.kind {
        DifferenceKind::Missing => "missing",
        DifferenceKind::Stale => "stale",
        DifferenceKind::Orphaned => "orphaned",
        DifferenceKind::Held => "held",
    };
    let address = &difference.address;
    let repaired = if difference.repaired { "  repaired" } else { "" };
    if address.key.is_empty() {
        return line!(out, "{kind:<8} {}{repaired}", difference.memcached_key);
    }
    line!(
        out,
        "{kind:<8} {}  {}{repaired}",
        shown(address),
        difference.memcached_key
    )
}

/// Where a record is, and its key.
fn shown(address: &Address) -> String {
    let bucket = if address.bucket.is_empty() {
        String::new()
    } else {
        format!(" (bucket {})", address.bucket)
    };
    format!(
        "{}{bucket} › {} › {}  {}",
        address.origin, address.database, address.store, address.key
    )
}

fn summary(out: &mut impl Write, compared: &Compared, servers: &str) -> io::Result<()> {
    let Compared {
        missing,
        stale,
        orphaned,
        repaired,
        ..
    } = compared;
    let differing = format!("{missing} missing, {stale} stale, {orphaned} orphaned");
    let found = match missing + stale + orphaned {
        0 if compared.held > 0 => "no other difference than these".to_owned(),
        0 => "no difference".to_owned(),
        all if *repaired == all => format!("{differing}; all repaired"),
        _ if *repaired > 0 => format!("{differing}; {repaired} repaired"),
        _ => differing,
    };
    line!(
        out,
        "{} compared with memcached at {servers}: {found}",
        records(compared.compared)
    )?;
    for (count, what) in [
        (
            compared.held,
            "held by another profile, which owns the keys of the origin; not repaired (`idb-relay own` changes the owner)",
        ),
        (
            compared.refused,
            "without an item because Memcached does not take the value",
        ),
        (compared.pending, "in transit: run it again"),
    ] {
        if count > 0 {
            line!(out, "  {} {what}", records(count))?;
        }
    }
    if compared.strangers > 0 {
        line!(
            out,
            "  {} items of origins that no journal here knows were left alone: another host's, or of a journal that is gone",
            compared.strangers
        )?;
    }
    for server in &compared.unlisted {
        line!(out, "  not every orphaned item was looked for: {server}")?;
    }
    Ok(())
}

fn records(count: u64) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}
