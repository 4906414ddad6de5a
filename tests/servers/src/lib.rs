//! Private Redis and Memcached servers for tests, the demo and the benchmarks.
//!
//! **Invariants:** a server is the installed program, with a free port of the loopback interface
//! and a directory of its own. It dies with the value that owns it, and with the test's process.
//! Nothing waits by sleeping for "long enough": [`wait::until`] polls a condition against a
//! deadline and says what it saw when the deadline passes. Nothing here knows idb-relay.
//!
//! # Layout
//!
//! - [`Server`]: what starts, kills, pauses and restarts either server.
//! - [`redis`], [`memcached`]: the two programs, their options and a client of each.
//! - [`port`]: free ports.
//! - [`process`], [`wait`]: what the rest stands on.

pub mod memcached;
pub mod port;
pub mod process;
pub mod redis;
mod server;
pub mod wait;

use std::path::PathBuf;

pub use self::{
    memcached::{Client, Item, MemcachedOptions, MemcachedServer},
    redis::{RedisOptions, RedisServer},
    server::{Program, Server},
};

/// TLS on a port of its own, beside the usual port in the clear.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The port.
    pub port: u16,
    /// The server's certificate, a PEM file.
    pub certificate: PathBuf,
    /// Its key, a PEM file.
    pub key: PathBuf,
}
