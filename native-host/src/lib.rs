//! The native host of idb-relay: a browser starts it, hands it what pages committed, and it brings
//! that to Redis and Memcached.
//!
//! ```text
//! stdin ─▶ messaging ─▶ journal (SQLite: events + mirror) ─▶ sinks::redis
//!  ◀── acknowledgements ──┘                               └─▶ sinks::memcached
//! ```
//!
//! **Invariants:** stdout carries frames and nothing else, and one thread owns it. Nothing is
//! acknowledged before it is on disk. The journal knows no sink; a sink reads the journal and never
//! talks to stdin. Nothing here panics on bad input: every mistake has a name and a fix
//! ([`failure`]).
//!
//! # Layout
//!
//! - [`host`]: a session with the extension; owns messaging, journal, sinks and inspection.
//! - [`messaging`]: frames, and the two threads around stdin and stdout.
//! - [`journal`]: the SQLite file: the events, the mirror of every store, the progress of each
//!   sink.
//! - [`sinks`]: one thread each for Redis and Memcached, resuming from their own offsets.
//! - `memcached`: speaking to Memcached servers.
//! - [`compare`]: what Memcached holds otherwise than the mirror, and putting it right.
//! - [`inspect`]: answers the inspector's questions, reading the journal as the commands do.
//! - [`apply`]: from Redis to Memcached, as a process of its own.
//! - [`doctor`]: whether everything on the way works, with fixes.
//! - [`config`]: the TOML file, with errors that name line, key and the nearest known key.
//! - [`install`]: tells browsers where this host is.
//! - [`cli`]: one file per command.
//! - `directories`: where the platform wants files.
//! - [`failure`]: what every named error offers.
//! - [`logging`]: stderr and a file; never stdout.
//! - `output`: lines for people and for programs, with foreign text in them.
//! - `threads`: threads that go through values.
//! - `temporary`: files that are to be renamed or removed at once.
//! - `failpoint`: where tests end the process.
//! - `timing`: every duration that the host waits for.

pub mod apply;
pub mod cli;
pub mod compare;
pub mod config;
mod directories;
pub mod doctor;
mod failpoint;
pub mod failure;
pub mod host;
mod inspect;
pub mod install;
pub mod journal;
pub mod logging;
pub mod memcached;
pub mod messaging;
mod output;
pub mod sinks;
mod temporary;
mod threads;
mod time;
mod timing;

/// The version of this host, as it stands in events and hellos.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
