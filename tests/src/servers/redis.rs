//! A private Redis server.

use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::free_port;
use crate::{
    process::Process,
    wait::{self, PATIENCE, Seen},
};

/// A Redis server whose data outlasts [`RedisServer::stop`] and [`RedisServer::kill`]: every write
/// is in its append-only file before it answers, so what a stream held before a crash it holds
/// afterwards.
#[derive(Debug)]
pub struct RedisServer {
    directory: TempDir,
    port: u16,
    persistent: bool,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub fn start() -> Result<Self> {
        Self::start_as(true)
    }

    /// The same, as fast as it can be: it writes nothing to the disk, and what it holds ends with
    /// it.
    pub fn start_volatile() -> Result<Self> {
        Self::start_as(false)
    }

    fn start_as(persistent: bool) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("idb-relay-redis-").tempdir()?;
        let mut server = Self {
            directory,
            port: free_port()?,
            persistent,
            process: None,
        };
        server.restart()?;
        Ok(server)
    }

    /// The port, the same after each restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://…`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// A new connection.
    pub fn connect(&self) -> Result<redis::Connection> {
        let client = redis::Client::open(self.url())?;
        client
            .get_connection()
            .with_context(|| format!("cannot connect to {}", self.url()))
    }

    /// Ends it as an administrator does.
    pub fn stop(&mut self) -> Result<()> {
        self.process
            .take()
            .map_or(Ok(()), |mut process| process.terminate())
    }

    /// Kills it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Starts it (again) on the same port and data, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendfsync", "always"])
            .args(["--appendonly", if self.persistent { "yes" } else { "no" }])
            .arg("--dir")
            .arg(self.directory.path());
        let mut process = Process::start("redis-server", &command, &self.directory.path().join("log"))?;
        wait::until("an answer of Redis", PATIENCE, || {
            process.must_live()?;
            let answer = self
                .connect()
                .and_then(|mut connection| Ok(redis::cmd("PING").query::<String>(&mut connection)?));
            Ok(match answer {
                Ok(_) => Seen::Ready(()),
                Err(error) => Seen::Not(format!("{error:#}")),
            })
        })?;
        self.process = Some(process);
        Ok(())
    }
}
