//! A private Redis server, and connections to it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    Tls,
    server::{Program, Server},
    wait::PATIENCE,
};

/// A Redis server whose data outlast [`Server::kill`]: every write is in its append-only file
/// before it answers, so what a stream held before a crash it holds afterwards.
pub type RedisServer = Server<Redis>;

/// Redis as a program.
#[derive(Debug)]
pub struct Redis;

/// How a Redis server runs.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    is_volatile: bool,
    tls: Option<Tls>,
    arguments: Vec<String>,
}

impl RedisOptions {
    /// As fast as it can be: it writes nothing to the disk, and what it holds ends with it.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// With TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// With more arguments for the program.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }
}

impl Program for Redis {
    const NAME: &'static str = "redis-server";

    type Options = RedisOptions;

    fn command(options: &RedisOptions, port: u16, directory: &Path) -> Result<Command> {
        let mut command = Command::new(Self::NAME);
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendfsync", "always"])
            .args(["--appendonly", if options.is_volatile { "no" } else { "yes" }])
            .arg("--dir")
            .arg(directory);
        if let Some(tls) = &options.tls {
            command
                .args(["--tls-port", &tls.port.to_string(), "--tls-auth-clients", "no"])
                .arg("--tls-cert-file")
                .arg(&tls.certificate)
                .arg("--tls-key-file")
                .arg(&tls.key);
        }
        command.args(&options.arguments);
        Ok(command)
    }

    fn answering(server: &RedisServer) -> Result<u32> {
        let mut connection = server.connect()?;
        let info: String = redis::cmd("INFO").arg("server").query(&mut connection)?;
        // INFO answers before the data are there.
        redis::cmd("PING").exec(&mut connection)?;
        let id = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        Ok(id.context("Redis does not say its process_id")?.trim().parse()?)
    }
}

impl RedisServer {
    /// `redis://…`
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// A new connection.
    pub fn connect(&self) -> Result<redis::Connection> {
        connect(&self.url())
    }

    /// A new connection to a server that asks for this password.
    pub fn connect_with_password(&self, password: &str) -> Result<redis::Connection> {
        connect(&format!("redis://:{password}@{}", self.address()))
    }

    /// While it is down: the files of all that it holds.
    pub fn files(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        fs::read_dir(self.data())?
            .map(|entry| {
                let path = entry?.path();
                let bytes = fs::read(&path)?;
                Ok((path, bytes))
            })
            .collect()
    }

    /// While it is down: lets it hold what these files say; nothing, if there are none.
    pub fn restore(&self, files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
        fs::remove_dir_all(self.data())?;
        fs::create_dir(self.data())?;
        for (path, bytes) in files {
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.directory().join("appendonlydir")
    }
}

/// A server may be paused: neither connecting nor reading waits without a limit.
fn connect(url: &str) -> Result<redis::Connection> {
    let connected = || -> redis::RedisResult<_> {
        let connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    };
    connected().with_context(|| format!("cannot connect to {url}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_keeps_port_and_data_when_killed() -> Result<()> {
        let mut server = RedisServer::start()?;
        let port = server.port();
        redis::cmd("SET").arg(&["a", "1"]).exec(&mut server.connect()?)?;
        server.kill()?;
        assert!(server.connect().is_err());
        let files = server.files()?;
        server.restart()?;
        assert_eq!(server.port(), port);
        let value =
            || -> Result<Option<String>> { Ok(redis::cmd("GET").arg("a").query(&mut server.connect()?)?) };
        assert_eq!(value()?.as_deref(), Some("1"));
        assert!(!files.is_empty());
        Ok(())
    }

    #[test]
    fn redis_that_does_not_start_says_why() {
        let options = RedisOptions::default().arguments(&["--no-such-option", "1"]);
        let error = RedisServer::start_with(&options).expect_err("it has no such option");
        assert!(format!("{error:#}").contains("no-such-option"), "{error:#}");
    }
}
