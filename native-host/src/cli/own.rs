//! `idb-relay own`.

use std::io::Write;

use clap::Args;

use super::{CliError, place::readers};
use crate::{
    config::Config,
    journal::{read::Reader, side_files::file_lock},
    output::line,
    sinks::memcached::owner::hand_over,
};

/// Let a browser profile own the Memcached keys of an origin
///
/// Two browser profiles that use one site have databases of their own and, unless memcached.key has
/// {profile} in it, the same keys. The first one owns them; the others are journaled and published,
/// and leave Memcached alone. This hands them over: the new owner's host writes all of its records
/// again and deletes what is not its own, within seconds if it runs, else when it starts next.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  idb-relay own --origin http://localhost:8080 --profile 7d7f3f0e-3a53-4d5c-9f0e-0d2b7a2f6c11"
)]
pub(super) struct Arguments {
    /// The page's origin: scheme, host and port
    #[arg(long, value_name = "ORIGIN")]
    origin: String,
    /// The browser profile; it can be left out if only one knows the origin
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load()?;
    let mut found: Vec<Reader> = Vec::new();
    for reader in readers(&config, arguments.profile.as_deref())? {
        if reader.origins()?.contains(&arguments.origin) {
            found.push(reader);
        }
    }
    if found.len() > 1 {
        let mut profiles = Vec::new();
        for reader in &found {
            profiles.push(reader.author()?.0);
        }
        return Err(CliError::Profiles(profiles.join(", ")));
    }
    let Some(reader) = found.pop() else {
        return Err(CliError::Absent(format!(
            "nothing of {} is known",
            arguments.origin
        )));
    };
    let (profile, browser) = reader.author()?;
    let memcached = config.memcached.of_profile(&profile);
    let former = hand_over(&memcached, &arguments.origin, &profile, &browser).map_err(|trouble| {
        CliError::Memcached {
            error: trouble.message,
            fix: trouble.fix,
        }
    })?;
    let origin = &arguments.origin;
    match former {
        Some(former) if former.profile == profile => {
            line!(
                out,
                "profile {profile} ({browser}) owns the keys of {origin} already"
            )?;
            return Ok(());
        }
        Some(former) => line!(
            out,
            "profile {profile} ({browser}) owns the keys of {origin} now, {former} no more"
        )?,
        None => line!(
            out,
            "profile {profile} ({browser}) owns the keys of {origin} now; there was no owner"
        )?,
    }
    if !file_lock::is_held(reader.path()) {
        line!(
            out,
            "its host does not run; it brings Memcached up to date when it starts"
        )?;
    }
    Ok(())
}
