//! What one would write by hand instead (`tests/peer/`): a server that publishes to Redis what
//! pages post, and a subscriber that sets it in Memcached.

use std::{fs, path::Path, process::Command};

use anyhow::Result;
use lab::{
    directories,
    process::Process,
    servers::{MemcachedServer, RedisServer},
    wait::{self, PATIENCE, Seen},
};
use tempfile::TempDir;

/// Both programs with their servers.
pub struct Peer {
    /// Where the rows arrive.
    pub memcached: MemcachedServer,
    /// Where pages post rows.
    pub url: String,
    _server: Process,
    _subscriber: Process,
    _redis: RedisServer,
    _logs: TempDir,
}

impl Peer {
    /// Starts everything.
    pub fn start() -> Result<Self> {
        let redis = RedisServer::start()?;
        let memcached = MemcachedServer::start()?;
        let logs = TempDir::new()?;
        let (subscriber, _) = node(logs.path(), "subscriber", &[redis.url(), memcached.address()])?;
        let (server, port) = node(logs.path(), "server", &[redis.url()])?;
        Ok(Self {
            memcached,
            url: format!("http://127.0.0.1:{port}/"),
            _server: server,
            _subscriber: subscriber,
            _redis: redis,
            _logs: logs,
        })
    }
}

/// Starts a script and waits for its first line.
fn node(logs: &Path, script: &str, arguments: &[String]) -> Result<(Process, String)> {
    let log = logs.join(script);
    let mut command = Command::new("node");
    command
        .arg(directories::tests_directory().join(format!("peer/{script}.mjs")))
        .args(arguments);
    let mut process = Process::start(script, &command, &log)?;
    let line = wait::until(&format!("the peer's {script}"), PATIENCE, || {
        process.must_live()?;
        let said = fs::read_to_string(&log)?;
        Ok(match said.split_once('\n') {
            Some((line, _)) => Seen::Ready(line.to_owned()),
            None => Seen::Not(format!("it said {said:?}")),
        })
    })?;
    Ok((process, line))
}
