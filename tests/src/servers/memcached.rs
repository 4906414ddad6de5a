//! A private Memcached server, and the little of its text protocol that a test needs.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::free_port;
use crate::{
    process::Process,
    wait::{self, PATIENCE, Seen},
};

/// A Memcached server. It forgets everything when it ends, as Memcached does.
#[derive(Debug)]
pub struct MemcachedServer {
    directory: TempDir,
    port: u16,
    megabytes: u32,
    process: Option<Process>,
}

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The client's flags.
    pub flags: u32,
    /// The value.
    pub value: Vec<u8>,
}

impl MemcachedServer {
    /// Starts a server and waits until it answers.
    pub fn start() -> Result<Self> {
        // Memcached's own default.
        Self::of_size(64)
    }

    /// The same, with room for this much.
    pub fn of_size(megabytes: u32) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("idb-relay-memcached-")
            .tempdir()?;
        let mut server = Self {
            directory,
            port: free_port()?,
            megabytes,
            process: None,
        };
        server.restart()?;
        Ok(server)
    }

    /// The port, the same after each restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:…`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Kills it; there is nothing it could save.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Starts it (again), empty, on the same port, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let mut command = Command::new("memcached");
        command.args(["-l", "127.0.0.1", "-U", "0", "-p", &self.port.to_string()]);
        command.args(["-m", &self.megabytes.to_string()]);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        let mut process = Process::start("memcached", &command, &self.directory.path().join("log"))?;
        wait::until("an answer of Memcached", PATIENCE, || {
            process.must_live()?;
            Ok(
                match self.connect().and_then(|mut client| client.command("version")) {
                    Ok(_) => Seen::Ready(()),
                    Err(error) => Seen::Not(format!("{error:#}")),
                },
            )
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// The item under a key.
    pub fn get(&self, key: &str) -> Result<Option<Item>> {
        self.connect()?.get(key)
    }

    /// Everything it holds, by key, without the hosts' marks.
    pub fn dump(&self) -> Result<BTreeMap<String, Item>> {
        let mut client = self.connect()?;
        wait::until("a whole dump of Memcached", PATIENCE, || {
            let mut items = BTreeMap::new();
            for key in client.keys()? {
                // Gone since it was listed: not there.
                if let Some(item) = client.get(&key)? {
                    items.insert(key, item);
                }
            }
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

    /// A connection of one's own, for many questions.
    pub fn connect(&self) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))
            .with_context(|| format!("cannot connect to Memcached at {}", self.address()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Sends a line and reads the first line of the answer.
    fn command(&mut self, command: &str) -> Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.line()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(
            self.0.read_line(&mut line)? > 0,
            "Memcached closed the connection"
        );
        Ok(line.trim_end().to_owned())
    }

    /// The item under a key.
    pub fn get(&mut self, key: &str) -> Result<Option<Item>> {
        let line = self.command(&format!("get {key}"))?;
        if line == "END" {
            return Ok(None);
        }
        let fields: Vec<_> = line.split(' ').collect();
        let &["VALUE", _, flags, length] = &fields[..] else {
            bail!("Memcached answered {line:?} to a get of {key:?}");
        };
        let mut value = vec![0; length.parse()?];
        self.0.read_exact(&mut value)?;
        self.line()?;
        ensure!(self.line()? == "END", "Memcached answered more than one item");
        Ok(Some(Item {
            flags: flags.parse()?,
            value,
        }))
    }

    /// Stores an item, as another client of the server may.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let answer = self.command(&format!("set {key} 0 0 {}\r\n{value}", value.len()))?;
        ensure!(
            answer == "STORED",
            "Memcached answered {answer:?} to a set of {key:?}"
        );
        Ok(())
    }

    /// Removes an item, as another client of the server may.
    pub fn delete(&mut self, key: &str) -> Result<()> {
        let answer = self.command(&format!("delete {key}"))?;
        ensure!(
            answer == "DELETED",
            "Memcached answered {answer:?} to a delete of {key:?}"
        );
        Ok(())
    }

    /// How many items the server holds.
    pub fn count(&mut self) -> Result<usize> {
        let mut line = self.command("stats")?;
        let mut count = None;
        while line != "END" {
            count = count.or_else(|| line.strip_prefix("STAT curr_items ")?.parse().ok());
            line = self.line()?;
        }
        count.context("Memcached's statistics have no curr_items")
    }

    fn keys(&mut self) -> Result<Vec<String>> {
        let mut line = self.command("lru_crawler metadump all")?;
        let mut keys = Vec::new();
        loop {
            if line == "END" {
                return Ok(keys);
            }
            // Another dump is going on; what is missing is asked for again.
            if line.starts_with("BUSY") {
                return Ok(keys);
            }
            // "key=<percent-encoded> exp=-1 …"
            let key = line.strip_prefix("key=").and_then(|rest| rest.split(' ').next());
            let Some(key) = key.and_then(protocol::name::decode) else {
                bail!("Memcached answered {line:?} to a dump of its keys");
            };
            keys.push(key.into_owned());
            line = self.line()?;
        }
    }
}
