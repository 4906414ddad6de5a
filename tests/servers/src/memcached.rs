//! A private Memcached server.
//!
//! - [`client`]: the little of its text protocol that a test needs.

mod client;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

pub use self::client::{Client, Item};
use crate::{
    Tls,
    server::{Program, Server},
    wait::{self, PATIENCE, Seen},
};

/// A Memcached server. It forgets everything when it ends, as Memcached does.
pub type MemcachedServer = Server<Memcached>;

/// Memcached as a program.
#[derive(Debug)]
pub struct Memcached;

/// How a Memcached server runs.
#[derive(Debug, Clone, Default)]
pub struct MemcachedOptions {
    megabytes: Option<u32>,
    socket: Option<PathBuf>,
    tls: Option<Tls>,
    login: Option<String>,
    arguments: Vec<String>,
}

impl MemcachedOptions {
    /// With room for this much.
    #[must_use]
    pub fn megabytes(mut self, megabytes: u32) -> Self {
        self.megabytes = Some(megabytes);
        self
    }

    /// At this Unix socket, and at no port.
    #[must_use]
    pub fn socket(mut self, socket: &Path) -> Self {
        self.socket = Some(socket.to_owned());
        self
    }

    /// With TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// For this `user:password` alone.
    #[must_use]
    pub fn login(mut self, login: &str) -> Self {
        self.login = Some(login.to_owned());
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

impl Program for Memcached {
    const NAME: &'static str = "memcached";

    type Options = MemcachedOptions;

    fn command(options: &MemcachedOptions, port: u16, directory: &Path) -> Result<Command> {
        let mut command = Command::new(Self::NAME);
        // Root must say as whom to run.
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        if let Some(socket) = &options.socket {
            command.arg("-s").arg(socket);
        } else {
            let addresses = match &options.tls {
                Some(tls) => format!("notls:127.0.0.1:{port},127.0.0.1:{}", tls.port),
                None => "127.0.0.1".to_owned(),
            };
            command.args(["-l", &addresses, "-p", &port.to_string(), "-U", "0"]);
        }
        if let Some(tls) = &options.tls {
            let (certificate, key) = (tls.certificate.display(), tls.key.display());
            let files = format!("ssl_chain_cert={certificate},ssl_key={key}");
            command.args(["-Z", "-o", &files]);
        }
        if let Some(login) = &options.login {
            let users = directory.join("users");
            fs::write(&users, format!("{login}\n"))?;
            command.arg("-Y").arg(users);
        }
        if let Some(megabytes) = options.megabytes {
            command.args(["-m", &megabytes.to_string()]);
        }
        command.args(&options.arguments);
        Ok(command)
    }

    fn answering(server: &MemcachedServer) -> Result<u32> {
        Ok(u32::try_from(server.connect()?.statistic("pid")?)?)
    }
}

impl MemcachedServer {
    /// The item under a key.
    pub fn get(&self, key: &str) -> Result<Option<Item>> {
        self.connect()?.get(key)
    }

    /// Everything it holds, by key, without what hosts keep there for themselves.
    pub fn dump(&self) -> Result<BTreeMap<String, Item>> {
        let mut client = self.connect()?;
        wait::until("a whole dump of Memcached", PATIENCE, || {
            let keys = client.keys()?;
            // What is gone since it was listed is not there.
            let mut items = client.get_all(&keys)?;
            // The crawler that lists the keys may end early, without a word, when it is called
            // again soon.
            let count = client.count()?;
            Ok(if items.len() >= count {
                items.retain(|key, _| !key.starts_with("idb-relay-"));
                Seen::Ready(items)
            } else {
                Seen::Not(format!("{} of {count} items", items.len()))
            })
        })
    }

    /// A connection for many questions, logged in if the server asks for that.
    pub fn connect(&self) -> Result<Client> {
        let options = self.options();
        let mut client = match &options.socket {
            Some(socket) => Client::connect_to_socket(socket),
            None => Client::connect(&self.address()),
        }?;
        if let Some(login) = &options.login {
            client.log_in(login).context("cannot log in to Memcached")?;
        }
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memcached_asks_for_its_login() -> Result<()> {
        let server = MemcachedServer::start_with(&MemcachedOptions::default().login("ann:opensesame"))?;
        server.connect()?.set("a", "1")?;
        let mut stranger = Client::connect(&server.address())?;
        assert!(stranger.get("a").is_err());
        Ok(())
    }

    #[test]
    fn memcached_answers_at_a_socket() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("memcached.sock");
        let server = MemcachedServer::start_with(&MemcachedOptions::default().socket(&socket))?;
        server.connect()?.set("a", "1")?;
        assert!(Client::connect(&server.address()).is_err());
        Ok(())
    }

    #[test]
    fn client_reads_many_items_and_their_keys() -> Result<()> {
        let server = MemcachedServer::start()?;
        let mut client = server.connect()?;
        let mut keys: Vec<String> = (0..100).map(|number| format!("key-{number}-ü")).collect();
        keys.sort();
        for key in &keys {
            client.set(key, "1\r\nEND\r\n")?;
        }
        wait::until("all keys", PATIENCE, || {
            let mut listed = client.keys()?;
            listed.sort();
            Ok(if listed == keys {
                Seen::Ready(())
            } else {
                Seen::Not(format!("{listed:?}"))
            })
        })?;
        let items = client.get_all(&keys)?;
        assert!(items.keys().eq(&keys));
        assert!(items.values().all(|item| item.value == b"1\r\nEND\r\n"));
        assert!(client.delete(&keys[0])? && !client.delete(&keys[0])?);
        assert_eq!(client.count()?, 99);
        Ok(())
    }
}
