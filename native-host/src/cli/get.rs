//! `idb-relay get`.

use std::io::Write;

use clap::Args;
use protocol::{key::Key, value::plain};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    CliError,
    place::{StoreArguments, find, readers},
};
use crate::{
    config::Config,
    failure::json_fault,
    journal::read::{Reader, StoreSummary},
    memcached::most_bytes,
    output,
};

/// Print what IndexedDB holds under a key, as the journal's mirror knows it
///
/// Values are JSON: "typed" is lossless (a date is {"$date":…}), --plain prints what Memcached
/// holds by default. Exits with 1 if there is no such record.
#[derive(Debug, Args)]
#[command(after_help = "What --json prints:\n  \
    profile, origin, bucket (\"\" is the default one), database, database_version, store, key\n  \
    typed, plain    both forms of the value; plain_error instead of plain if it has no such form\n  \
    complete        the store was read as a whole since the host started\n  \
    pending_reads   some of the store's records are to be read again\n\n\
    Examples:\n  \
    idb-relay get --origin http://localhost:8080 --database shop --store orders --key 42\n  \
    idb-relay get --origin http://localhost:8080 --database shop --store orders --key 42 --json | jq .typed")]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The record's key as JSON: 42, '"alice"', '[1,"a"]', '{"$date":"2026-01-31T12:00:00.000Z"}'
    #[arg(long, value_name = "JSON")]
    key: String,
    /// Print the plain form
    #[arg(long, conflicts_with = "json")]
    plain: bool,
    /// Print one JSON object with both forms, and where they are from
    #[arg(long)]
    json: bool,
    /// The browser profile's id, if several have the store (see `idb-relay status`)
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

/// What --json prints. Values keep their digits: they are JSON texts already.
#[derive(Serialize)]
struct Record<'r> {
    profile: &'r str,
    origin: &'r str,
    bucket: &'r str,
    database: &'r str,
    database_version: u64,
    store: &'r str,
    complete: bool,
    pending_reads: bool,
    key: &'r RawValue,
    typed: &'r RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain: Option<&'r RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_error: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let key = Key::parse(&arguments.key)?;
    let config = Config::load()?;
    let readers = readers(&config, arguments.profile.as_deref())?;
    let (reader, store) = find(readers, &arguments.store.place())?;
    let Some(value) = reader.record(store.id, &key)? else {
        return Err(CliError::Absent(format!("there is no record with the key {key}")));
    };
    if arguments.json {
        let record = as_json(&reader, &store, &key, &value)?;
        output::json_texts(out, &[&record])?;
    } else if arguments.plain {
        let plain =
            plain(&value, most_bytes("", None)).map_err(|error| CliError::Absent(error.to_string()))?;
        output::json_texts(out, &[&plain])?;
    } else {
        output::json_texts(out, &[&value])?;
    }
    Ok(())
}

fn as_json(reader: &Reader, store: &StoreSummary, key: &Key, value: &str) -> Result<String, CliError> {
    let (profile, _) = reader.author()?;
    let key = key.to_string();
    let plain = plain(value, most_bytes("", None));
    let (plain, plain_error) = match &plain {
        Ok(plain) => (Some(json(plain)?), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let record = Record {
        profile: &profile,
        origin: &store.place.origin,
        bucket: &store.place.bucket,
        database: &store.place.database,
        database_version: store.version,
        store: &store.place.store,
        complete: store.complete,
        pending_reads: store.pending_reads,
        key: json(&key)?,
        typed: json(value)?,
        plain,
        plain_error,
    };
    serde_json::to_string(&record).map_err(|error| damaged(&error))
}

fn json(text: &str) -> Result<&RawValue, CliError> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

fn damaged(error: &serde_json::Error) -> CliError {
    CliError::Absent(format!(
        "the journal does not hold JSON there: {}",
        json_fault(error)
    ))
}
