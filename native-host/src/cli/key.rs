//! `idb-relay key`.

use std::io::{self, IsTerminal as _, Write};

use clap::Args;
use protocol::key::Key;

use super::{CliError, place::StoreArguments};
use crate::{config::Config, output::line};

/// Print the Memcached key of a record
///
/// It follows from memcached.key of the configuration alone; the record need not exist.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    idb-relay key --origin http://localhost:8080 --database shop --store orders --key '[1,\"a\"]'")]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The record's key as JSON: 42, '"alice"', '[1,"a"]', '{"$date":"2026-01-31T12:00:00.000Z"}'
    #[arg(long, value_name = "JSON")]
    key: String,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let key = Key::parse(&arguments.key)?;
    let memcached = Config::load()?.memcached;
    let name = memcached
        .key
        .record_name(arguments.store.place().names(), &key.to_string());
    if io::stdout().is_terminal() {
        line!(out, "{name}")?;
    } else {
        // For a program, which is to find the item by it.
        writeln!(out, "{name}")?;
    }
    Ok(())
}
