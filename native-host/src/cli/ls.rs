//! `idb-relay ls`.

use std::io::Write;

use clap::Args;

use super::{CliError, place::readers};
use crate::{
    compare::Scope,
    config::Config,
    journal::read::{Reader, StoreSummary},
    output::{self, line},
};

/// List the stores that are known, or the records of one
///
/// Without --store, one line for each object store: origin › database › store, and how many records
/// it holds. With --origin, --database and --store, one line for each record: its key, a tab, its
/// value. --json prints one JSON object a line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  idb-relay ls\n  \
    idb-relay ls --origin http://localhost:8080 --database shop --store orders")]
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
    /// The records of this store
    #[arg(long, value_name = "NAME", requires = "database")]
    store: Option<String>,
    /// Only this browser profile
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load()?;
    let scope = Scope {
        origin: arguments.origin.clone(),
        bucket: arguments.bucket.clone(),
        database: arguments.database.clone(),
        store: arguments.store.clone(),
    };
    let mut found = false;
    for reader in readers(&config, arguments.profile.as_deref())? {
        for store in reader.stores()?.iter().filter(|store| scope.means(&store.place)) {
            found = true;
            if arguments.store.is_some() {
                records(&reader, store, arguments.json, out)?;
            } else {
                summary(&reader, store, arguments.json, out)?;
            }
        }
    }
    if found || arguments.origin.is_none() {
        Ok(())
    } else {
        Err(CliError::Absent("no store of that name is known".to_owned()))
    }
}

fn summary(reader: &Reader, store: &StoreSummary, json: bool, out: &mut impl Write) -> Result<(), CliError> {
    let place = &store.place;
    if json {
        let line = serde_json::json!({
            "profile": reader.author()?.0,
            "origin": place.origin,
            "bucket": place.bucket,
            "database": place.database,
            "database_version": store.version,
            "store": place.store,
            "records": store.records,
            "complete": store.complete,
            "pending_reads": store.pending_reads,
        });
        return Ok(output::json(out, &line)?);
    }
    let bucket = if place.bucket.is_empty() {
        String::new()
    } else {
        format!(" (bucket {})", place.bucket)
    };
    let plural = if store.records == 1 { "" } else { "s" };
    line!(
        out,
        "{}{bucket} › {} › {}  {} record{plural}{}{}",
        place.origin,
        place.database,
        place.store,
        store.records,
        if store.complete {
            ""
        } else {
            ", not read as a whole yet"
        },
        if store.pending_reads {
            ", some to be read again"
        } else {
            ""
        },
    )?;
    Ok(())
}

fn records(reader: &Reader, store: &StoreSummary, json: bool, out: &mut impl Write) -> Result<(), CliError> {
    reader.each_record(store.id, |key, value| {
        // Both are JSON already.
        if json {
            output::json_texts(out, &[&format!("{{\"key\":{key},\"value\":{value}}}")])?;
        } else {
            output::json_texts(out, &[key, value])?;
        }
        Ok::<_, CliError>(())
    })
}
