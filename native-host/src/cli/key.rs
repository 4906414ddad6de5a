//! `idb-relay key`.

use std::io::{self, IsTerminal as _, Write};

use clap::Args;
use protocol::key::Key;

use super::{
    CliError,
    place::{StoreArguments, find, readers},
};
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
    /// The browser profile, if memcached.key has {profile}; without it, the one that knows the
    /// store
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let key = Key::parse(&arguments.key)?;
    let config = Config::load()?;
    let mut template = config.memcached.key.clone();
    if template.has_profile() {
        let profile = match &arguments.profile {
            Some(profile) => profile.clone(),
            None => {
                find(readers(&config, None)?, &arguments.store.place())?
                    .0
                    .author()?
                    .0
            }
        };
        template = template.of_profile(&profile);
    }
    let name = template.record_name(arguments.store.place().names(), &key.to_string());
    if io::stdout().is_terminal() {
        line!(out, "{name}")?;
    } else {
        // For a program, which is to find the item by it.
        writeln!(out, "{name}")?;
    }
    Ok(())
}
