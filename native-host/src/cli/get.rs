//! `idb-relay get`.

use std::io::Write;

use clap::Args;
use protocol::{key::Key, value::plain};

use super::{
    CliError,
    place::{StoreArguments, find, readers},
};
use crate::config::Config;

/// Print what IndexedDB holds under a key, as the journal's mirror knows it
///
/// Values are JSON: "typed" is lossless (a date is {"$date":…}), --plain prints what Memcached holds by default. Exits with 1 if
/// there is no such record.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    idb-relay get --origin http://localhost:8080 --database shop --store orders --key 42")]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The record's key as JSON: 42, '"alice"', '[1,"a"]', '{"$date":"2026-01-31T12:00:00.000Z"}'
    #[arg(long, value_name = "JSON")]
    key: String,
    /// Print the plain form
    #[arg(long)]
    plain: bool,
    /// The browser profile's id, if several have the store (see `idb-relay status`)
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let key = Key::parse(&arguments.key)?;
    let config = Config::load()?;
    let readers = readers(&config, arguments.profile.as_deref())?;
    let (reader, store) = find(readers, &arguments.store.place())?;
    let Some(value) = reader.record(store.id, &key)? else {
        return Err(CliError::Absent(format!("there is no record with the key {key}")));
    };
    if arguments.plain {
        let plain = plain(&value, usize::MAX).map_err(|error| CliError::Absent(error.to_string()))?;
        writeln!(out, "{plain}")?;
    } else {
        writeln!(out, "{value}")?;
    }
    Ok(())
}
