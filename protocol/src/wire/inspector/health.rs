//! How the host and its servers are.

use serde::{Deserialize, Serialize};

/// How the host is. `idb-relay status --json` says the same of each profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The host's version.
    pub version: String,
    /// Its protocol.
    pub protocol: u32,
    /// The journal file.
    pub journal: String,
    /// Its size in bytes.
    pub journal_bytes: u64,
    /// What the events in it take, in bytes; the rest is the mirror, and room that is used again.
    #[serde(default)]
    pub events_bytes: u64,
    /// How much they may take until they lose their values; `None`: as much as the disk holds.
    #[serde(default)]
    pub events_max_bytes: Option<u64>,
    /// How many events have lost their values since the journal was made, because there was no
    /// room.
    #[serde(default)]
    pub stripped: u64,
    /// The last event.
    pub head: u64,
    /// The number before the first event that the journal still has.
    pub tail: u64,
    /// The sinks.
    pub sinks: Vec<Sink>,
    /// Template of Redis channels.
    pub channel: String,
    /// The Redis stream; empty for none.
    pub stream: String,
    /// Template of Memcached keys.
    pub memcached_key: String,
    /// `plain` or `typed`.
    pub memcached_value: String,
    /// The configuration file.
    pub configuration: String,
    /// Where the host is, for commands that a person copies.
    pub program: String,
}

/// A sink and its server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    /// `redis` or `memcached`.
    pub name: String,
    /// Its servers, without what opens them.
    #[serde(default)]
    pub servers: Vec<String>,
    /// The command line that reaches the server with its own client, word by word, if there is such
    /// a client: `redis-cli`, `-p`, `6380`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client: Vec<String>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// One word, such as `running` or `unreachable`.
    pub state: String,
    /// Since when, in milliseconds since the epoch.
    pub since: i64,
    /// How often it has failed since it last came further; 0 while nothing is wrong.
    #[serde(default)]
    pub attempts: u64,
    /// The last event it has passed on.
    pub number: u64,
    /// How many events it has still to pass on.
    pub behind: u64,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// How many of the last events it has something to say about.
    pub notices: u64,
    /// From the page's commit to this stage, over the last events; absent before there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// How many of the last events `lag` leaves out: the time of their commit cannot be right.
    #[serde(default)]
    pub untimed: u64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Half are at most this late.
    pub p50: f64,
    /// 95 of 100 are.
    pub p95: f64,
    /// 99 of 100 are.
    pub p99: f64,
}
