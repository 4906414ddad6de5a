//! The host's log goes to stderr (browsers show it in their own logs) and to a file; never to stdout, which belongs to the frames. What
//! `idb-relay apply` logs it has also printed, so its log is a file only.
//!
//! [`rotating`]: the file.

mod rotating;

use std::{
    fmt, io,
    path::PathBuf,
    process,
    sync::{Mutex, OnceLock},
};

use tracing_subscriber::{
    EnvFilter,
    fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
        writer::{MakeWriter, MakeWriterExt as _},
    },
    prelude::*,
};

use self::rotating::Rotating;
use crate::directories::Directories;

/// Past this size, in bytes, a log is put aside (`.log.old`).
const MAX_LOG: u64 = 4 * 1024 * 1024;

/// Whose host this is, once the browser has said it.
static PROFILE: OnceLock<String> = OnceLock::new();

/// What every line begins with: the time, and which process it is of. Hosts of several profiles write to one file.
struct Stamp;

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        SystemTime.format_time(writer)?;
        write!(writer, " pid={}", process::id())?;
        PROFILE
            .get()
            .map_or(Ok(()), |profile| write!(writer, " profile={profile}"))
    }
}

/// Lets every line say from now on whose host this is.
pub fn set_profile(profile: &str) {
    let _already_set = PROFILE.set(profile.to_owned());
}

/// A process that keeps a log.
#[derive(Debug, Clone, Copy)]
pub enum Log {
    /// The host.
    Host,
    /// `idb-relay apply`.
    Apply,
}

impl Log {
    fn file_name(self) -> &'static str {
        match self {
            Self::Host => "idb-relay.log",
            Self::Apply => "idb-relay-apply.log",
        }
    }
}

/// Where the log file is, if the platform says where a user's state belongs.
pub fn path(log: Log) -> Option<PathBuf> {
    Some(Directories::find()?.state.join(log.file_name()))
}

/// Starts logging; `IDB_RELAY_LOG` takes a filter such as `debug`.
///
/// A log file that cannot be opened is no reason not to run: then everything goes to stderr.
pub fn start(log: Log) {
    let file = path(log)
        .ok_or_else(|| "this user has no home directory".to_owned())
        .and_then(|path| {
            Rotating::open(&path, MAX_LOG)
                .map_err(|error| format!("{} cannot be written: {error}", path.display()))
        });
    match (file, log) {
        (Ok(file), Log::Host) => write_to(io::stderr.and(Mutex::new(file))),
        (Ok(file), Log::Apply) => write_to(Mutex::new(file)),
        (Err(trouble), _) => {
            write_to(io::stderr);
            tracing::warn!("logging to stderr only: {trouble}");
        }
    }
}

fn write_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_env("IDB_RELAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_timer(Stamp)
        .with_target(false)
        .with_writer(writer)
        .with_filter(filter);
    let _already_set = tracing_subscriber::registry().with(layer).try_init();
}
