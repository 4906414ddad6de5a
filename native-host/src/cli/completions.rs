//! `idb-relay completions`.

use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::CliError;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  source <(idb-relay completions bash)      in ~/.bashrc\n  \
    idb-relay completions zsh > ~/.zfunc/_idb-relay    a directory of fpath\n  \
    idb-relay completions fish > ~/.config/fish/completions/idb-relay.fish\n  \
    idb-relay completions powershell | Out-String | Invoke-Expression    in $PROFILE"
)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), CliError> {
    // `generate` panics where the reader has gone: `idb-relay completions bash | head`.
    let mut script = Vec::new();
    let mut command = super::Arguments::command();
    generate(arguments.shell, &mut command, "idb-relay", &mut script);
    // The generator takes the dash of the program's name for the one before a subcommand, in the
    // labels for bash alone: no option of any command would be completed.
    let script = String::from_utf8_lossy(&script).replace("idb__subcmd__relay", "idb__relay");
    Ok(out.write_all(script.as_bytes())?)
}
