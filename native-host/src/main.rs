//! `idb-relay`: run by a browser it is the native host, run by a person the commands of
//! [`idb_relay::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    idb_relay::cli::run(std::env::args_os())
}
