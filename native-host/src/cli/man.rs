//! `idb-relay man`.

use std::{fs, io::Write, path::PathBuf};

use clap::{Args, CommandFactory as _};

use super::CliError;
use crate::output::line;

/// Write the man pages into a directory
///
/// One page for the program and one for each command, for packages to bring along. The directory is
/// made if it is not there.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  idb-relay man ~/.local/share/man/man1    then: man idb-relay\n  \
    idb-relay man . && man ./idb-relay-install.1"
)]
pub(super) struct Arguments {
    /// The directory
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    let directory = &arguments.directory;
    let failed = |source| CliError::Pages {
        directory: directory.clone(),
        source,
    };
    // Its page would say what `--help` says.
    let command = super::Arguments::command().disable_help_subcommand(true);
    fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(command, directory).map_err(failed)?;
    line!(out, "wrote the pages to {}", directory.display())?;
    Ok(())
}
