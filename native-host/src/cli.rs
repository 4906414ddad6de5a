//! The commands, one file each. Started by a browser the program is the host instead.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    config::Config,
    host,
    logging::{self, Log},
    output::line,
};

mod apply;
mod completions;
mod doctor;
mod error;
mod get;
mod install;
mod key;
mod ls;
mod man;
mod own;
mod place;
mod resync;
mod status;
mod tail;
mod verify;

pub use self::error::{CliError, Drift};

#[derive(Debug, Parser)]
#[command(
    name = "idb-relay",
    version,
    about = "Watch IndexedDB writes reach Redis and Memcached",
    long_about = "idb-relay sees every write that a page commits to IndexedDB, journals it, publishes it to Redis and brings \
        Memcached up to date.\n\nBrowsers start this program by themselves once `idb-relay install` has registered it and \
        the extension is loaded. The commands below look at the journals that it keeps, one for each browser profile; \
        they may run at any time.",
    after_help = "The configuration is read from $IDB_RELAY_CONFIG, else from config.toml in the platform's configuration \
        directory (on Linux ~/.config/idb-relay). Without one, Redis is sought at 127.0.0.1:6379 and Memcached at 127.0.0.1:11211.",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::Install),
    Uninstall(install::Uninstall),
    Doctor(doctor::Arguments),
    Status(status::Arguments),
    Tail(tail::Arguments),
    Get(get::Arguments),
    Ls(ls::Arguments),
    Key(key::Arguments),
    Verify(verify::Arguments),
    Resync(resync::Arguments),
    Own(own::Arguments),
    Apply(apply::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Runs what these arguments (with the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if is_start_by_browser(&arguments) {
        logging::start(Log::Host);
        return host::run(Config::load(), io::stdin(), io::stdout());
    }
    let command = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.command,
        Err(error) => {
            let _stream_broke = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let mut out = io::BufWriter::new(io::stdout());
    let result = match command {
        Command::Install(arguments) => install::install(&arguments, &mut out),
        Command::Uninstall(arguments) => install::uninstall(&arguments, &mut out),
        Command::Doctor(arguments) => doctor::run(&arguments, &mut out),
        Command::Status(arguments) => status::run(&arguments, &mut out),
        Command::Tail(arguments) => tail::run(&arguments, &mut out),
        Command::Get(arguments) => get::run(&arguments, &mut out),
        Command::Ls(arguments) => ls::run(&arguments, &mut out),
        Command::Key(arguments) => key::run(&arguments, &mut out),
        Command::Verify(arguments) => verify::run(&arguments, &mut out),
        Command::Resync(arguments) => resync::run(&arguments, &mut out),
        Command::Own(arguments) => own::run(&arguments, &mut out),
        Command::Apply(arguments) => apply::run(arguments, &mut out),
        Command::Completions(arguments) => completions::run(&arguments, &mut out),
        Command::Man(arguments) => man::run(&arguments, &mut out),
    };
    // Also what a command has printed that failed in the end.
    let flushed = out.flush();
    match result.and_then(|()| Ok(flushed?)) {
        Ok(()) => ExitCode::SUCCESS,
        // `idb-relay tail | head`: the reader has had enough.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = io::stderr();
            let _stream_broke = line!(&mut stderr, "error: {error}")
                .and_then(|()| line!(&mut stderr, "  fix: {}", error.fix()));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Chromium hands the extension's origin over, Firefox the path of the host manifest and the
/// extension's id.
fn is_start_by_browser(arguments: &[OsString]) -> bool {
    let text = |index: usize| arguments.get(index).and_then(|argument| argument.to_str());
    let manifest =
        |argument: &OsString| std::path::Path::new(argument).extension() == Some(OsStr::new("json"));
    text(1).is_some_and(|first| first.starts_with("chrome-extension://"))
        || (arguments.get(1).is_some_and(manifest) && text(2).is_some_and(|id| id.contains('@')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(arguments: &[&str]) -> bool {
        is_start_by_browser(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn browser_calls_differ_from_calls_by_people() {
        assert!(browser(&[
            "idb-relay",
            "chrome-extension://abc/",
            "--parent-window=0"
        ]));
        assert!(browser(&[
            "idb-relay",
            "/home/a/dev.idb_relay.host.json",
            "idb-relay@idb-relay.dev"
        ]));
        assert!(!browser(&["idb-relay"]));
        assert!(!browser(&["idb-relay", "tail"]));
        assert!(!browser(&["idb-relay", "get", "a@b"]));
    }

    #[test]
    fn the_commands_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
