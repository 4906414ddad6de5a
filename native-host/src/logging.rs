//! The host's log goes to stderr (browsers show it in their own logs) and to a file; never to
//! stdout, which belongs to the frames. What `idb-relay apply` logs it has also printed, so its log
//! is a file only.
//!
//! [`rotating`]: the file.

mod rotating;

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    process,
    sync::{Mutex, OnceLock},
};

use protocol::shown::shown;
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

/// What every line begins with: the time, and which process it is of. Hosts of several profiles
/// write to one file.
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

/// Writes each event as one line in which no foreign text can act on a terminal.
struct Lines<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = Lines<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines(self.0.make_writer())
    }
}

impl<W: Write> Write for Lines<W> {
    /// Each call is an event.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = shown(text.strip_suffix('\n').unwrap_or(&text));
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn write_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_env("IDB_RELAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_timer(Stamp)
        .with_target(false)
        .with_writer(Lines(writer))
        .with_filter(filter);
    let _already_set = tracing_subscriber::registry().with(layer).try_init();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What was written.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("whole").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn foreign_text_stays_within_its_line() {
        let memory = Memory::default();
        let writer = memory.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Lines(move || writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!("lost: {}", "why\nERROR forged \u{1b}[2J\u{202e}");
            tracing::info!(details = "a\nb", "second");
        });
        let text = String::from_utf8(memory.0.lock().expect("whole").clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains(r"lost: why\u{a}ERROR forged"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}
