//! What ends a command.

use std::{fmt, io, path::PathBuf};

use protocol::key::KeyError;

use crate::{
    compare::FeedError, config::ConfigError, failure::Failure, install::InstallError, journal::JournalError,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The installation.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A key on the command line.
    #[error("--key: {0}")]
    Key(#[from] KeyError),
    /// Several journals have what was asked for.
    #[error("several browser profiles have it: {0}")]
    Profiles(String),
    /// What was asked for is not there.
    #[error("{0}")]
    Absent(String),
    /// What `doctor` found.
    #[error("{0} check{plural} failed", plural = if *.0 == 1 { "" } else { "s" })]
    Problems(usize),
    /// The host of this journal runs, and does not take requests.
    #[error("the host of {} did not take the request", .0.display())]
    RequestIgnored(PathBuf),
    /// The writer of Memcached is unknown, so writes in transit look like drift.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Memcached cannot be asked.
    #[error("{error}")]
    Memcached {
        /// What failed, with what.
        error: String,
        /// What to do about it.
        fix: String,
    },
    /// What `verify` found.
    #[error("Memcached does not hold what it should; differences: {0}")]
    Drift(Drift),
    /// Why `verify` could not find anything out.
    #[error("not compared: {0}")]
    NotCompared(Box<CliError>),
    /// The configuration has no Redis.
    #[error("Redis is switched off in the configuration")]
    NoRedis,
    /// The configuration has no stream.
    #[error("the configuration has no stream (redis.stream is \"\")")]
    NoStream,
    /// The system does not let us know when it wants the end.
    #[error("signals cannot be handled: {0}")]
    Signals(#[source] io::Error),
    /// The system starts no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[source] io::Error),
    /// Where this program is could not be found out.
    #[error("the path of this program cannot be found: {0}")]
    Program(#[source] io::Error),
    /// The man pages.
    #[error("the man pages cannot be written to {}: {source}", .directory.display())]
    Pages {
        /// Where to.
        directory: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The output.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// How many differences there are.
#[derive(Debug, Clone, Copy)]
pub enum Drift {
    /// So many.
    All(u64),
    /// So many were printed; then the reader of the output stopped reading.
    AtLeast(u64),
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(count) => write!(formatter, "{count}"),
            Self::AtLeast(count) => write!(formatter, "at least {count}"),
        }
    }
}

impl CliError {
    /// What the process ends with; `verify` tells a difference from not having found out.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotCompared(_) => 3,
            _ => 1,
        }
    }

    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::Config(error) => error.fix(),
            Self::Journal(error) => error.fix(),
            Self::Install(error) => error.fix(),
            Self::Key(_) => {
                "Quote it for the shell: --key 42, --key '\"alice\"', --key '[1,\"a\"]'.".to_owned()
            }
            Self::Profiles(_) => "Name one with --profile.".to_owned(),
            Self::Absent(_) => "`idb-relay ls` shows what there is.".to_owned(),
            Self::Problems(_) => "See the fix listed with each.".to_owned(),
            Self::RequestIgnored(_) => "Is it stuck, or older than this program? Restart the browser.".to_owned(),
            Self::Feed(error) => error.fix(),
            Self::Memcached { fix, .. } => fix.clone(),
            Self::Drift(_) => {
                "Run `idb-relay verify --repair`. It does not repair what waits for a host or an `idb-relay apply` that is not running: start that first \
                 (`idb-relay status` names it). While `idb-relay apply --pubsub` runs nothing is repaired: end it and run `idb-relay apply`, which fills \
                 Memcached from the stream."
                    .to_owned()
            }
            Self::NotCompared(error) => error.fix(),
            Self::NoRedis => "Remove enabled = false from [redis].".to_owned(),
            Self::NoStream => {
                "Name the stream, here and where the hosts run; or use --pubsub, which may miss events."
                    .to_owned()
            }
            Self::Pages { .. } => "Name a directory in which you may write.".to_owned(),
            Self::Signals(_) | Self::Thread(_) | Self::Program(_) | Self::Output(_) => "Check the system.".to_owned(),
        }
    }
}
