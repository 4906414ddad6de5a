//! Logs go to stderr (browsers show it in their own logs) and to a file; never to stdout, which belongs to the frames.
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
        writer::MakeWriterExt as _,
    },
    prelude::*,
};

use self::rotating::Rotating;

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

/// Where the log file is, if the platform says where a user's state belongs.
pub fn path() -> Option<PathBuf> {
    let directories = crate::config::directories()?;
    let directory = directories
        .state_dir()
        .unwrap_or_else(|| directories.data_local_dir());
    Some(directory.join("idb-relay.log"))
}

/// Starts logging for the host; `IDB_RELAY_LOG` takes a filter such as `debug`.
///
/// A log that cannot be opened is no reason not to run: stderr still has everything.
pub fn start() {
    let filter = EnvFilter::try_from_env("IDB_RELAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_timer(Stamp)
        .with_target(false);
    let file = path().map(|path| (Rotating::open(&path, MAX_LOG), path));
    let trouble = match file {
        Some((Ok(file), _)) => {
            let both = io::stderr.and(Mutex::new(file));
            let _already_set = tracing_subscriber::registry()
                .with(layer.with_writer(both).with_filter(filter))
                .try_init();
            return;
        }
        Some((Err(error), path)) => format!("{} cannot be written: {error}", path.display()),
        None => "this user has no home directory".to_owned(),
    };
    let _already_set = tracing_subscriber::registry()
        .with(layer.with_writer(io::stderr).with_filter(filter))
        .try_init();
    tracing::warn!("logging to stderr only: {trouble}");
}
