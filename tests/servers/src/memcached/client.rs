//! A connection that speaks Memcached's text protocol.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::wait::{self, PATIENCE, Seen};

/// How many items one command asks for.
const PER_COMMAND: usize = 64;

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The client's flags.
    pub flags: u32,
    /// The value.
    pub value: Vec<u8>,
}

/// A connection. No read from it waits without a limit: the server may be paused.
#[derive(Debug)]
pub struct Client(BufReader<Box<dyn Stream>>);

trait Stream: Read + Write + Send + Debug {}

impl Stream for TcpStream {}

impl Stream for UnixStream {}

impl Client {
    /// Connects to the server of this address.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .with_context(|| format!("cannot connect to Memcached at {address}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(Box::new(stream))))
    }

    /// Connects to the server at this Unix socket.
    pub fn connect_to_socket(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot connect to Memcached at {}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(Box::new(stream))))
    }

    /// Says user and password (`user:password`) to a server that asks for them.
    pub fn log_in(&mut self, login: &str) -> Result<()> {
        self.set("login", &login.replacen(':', " ", 1))
    }

    /// Sends a command and returns the first line of the answer.
    pub fn send_command(&mut self, command: &str) -> Result<String> {
        let stream = self.0.get_mut();
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        self.read_line()
    }

    /// The item under a key.
    pub fn get(&mut self, key: &str) -> Result<Option<Item>> {
        let mut items = self.get_all(&[key])?;
        let item = items.remove(key);
        ensure!(
            items.is_empty(),
            "Memcached answered a get of {key:?} with {items:?}"
        );
        Ok(item)
    }

    /// The items under these keys, as far as there are any.
    pub fn get_all(&mut self, keys: &[impl AsRef<str>]) -> Result<BTreeMap<String, Item>> {
        let mut items = BTreeMap::new();
        for keys in keys.chunks(PER_COMMAND) {
            let mut command = "get".to_owned();
            for key in keys {
                command.push(' ');
                command.push_str(key.as_ref());
            }
            let mut line = self.send_command(&command)?;
            while line != "END" {
                let (key, item) = self.read_item(&line)?;
                items.insert(key, item);
                line = self.read_line()?;
            }
        }
        Ok(items)
    }

    /// The item under a key, and what else the server says of it: `f` flags, `t` seconds to live
    /// (-1: it does not expire).
    pub fn get_with_flags(&mut self, key: &str) -> Result<Option<(Vec<u8>, String)>> {
        let line = self.send_command(&format!("mg {key} v f t"))?;
        if line == "EN" {
            return Ok(None);
        }
        let answer = line.strip_prefix("VA ").and_then(|rest| rest.split_once(' '));
        let (length, flags) = answer.with_context(|| format!("Memcached answered {line:?} to mg"))?;
        let value = self.read_value(length.parse()?)?;
        Ok(Some((value, flags.to_owned())))
    }

    /// Stores an item, as another client of the server may.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        self.set_for(key, value, 0)
    }

    /// Stores an item that expires after so many seconds; 0 means never.
    pub fn set_for(&mut self, key: &str, value: &str, seconds: u32) -> Result<()> {
        let length = value.len();
        let answer = self.send_command(&format!("set {key} 0 {seconds} {length}\r\n{value}"))?;
        ensure!(
            answer == "STORED",
            "Memcached answered {answer:?} to a set of {key:?}"
        );
        Ok(())
    }

    /// Removes an item, as another client of the server may; whether there was one.
    pub fn delete(&mut self, key: &str) -> Result<bool> {
        match &*self.send_command(&format!("delete {key}"))? {
            "DELETED" => Ok(true),
            "NOT_FOUND" => Ok(false),
            answer => bail!("Memcached answered {answer:?} to a delete of {key:?}"),
        }
    }

    /// How many items the server holds.
    pub fn count(&mut self) -> Result<usize> {
        Ok(usize::try_from(self.statistic("curr_items")?)?)
    }

    /// One of the server's statistics that are numbers.
    pub fn statistic(&mut self, name: &str) -> Result<u64> {
        let prefix = format!("STAT {name} ");
        let mut number = None;
        let mut line = self.send_command("stats")?;
        while line != "END" {
            ensure!(line.starts_with("STAT "), "Memcached answered {line:?} to stats");
            if let Some(text) = line.strip_prefix(&prefix) {
                number = Some(text.parse()?);
            }
            line = self.read_line()?;
        }
        number.with_context(|| format!("Memcached's statistics have no {name}"))
    }

    /// The keys of all items that have not expired.
    pub fn keys(&mut self) -> Result<Vec<String>> {
        // The server lists them for one client at a time.
        wait::until("a list of Memcached's keys", PATIENCE, || {
            let mut line = self.send_command("lru_crawler metadump all")?;
            if line.starts_with("BUSY") {
                return Ok(Seen::Not(line));
            }
            let mut keys = Vec::new();
            while line != "END" {
                // "key=<percent-encoded> exp=-1 …"
                let key = line.strip_prefix("key=").and_then(|rest| rest.split(' ').next());
                let key = key.and_then(decode);
                keys.push(key.with_context(|| format!("Memcached answered {line:?} to a metadump"))?);
                line = self.read_line()?;
            }
            Ok(Seen::Ready(keys))
        })
    }

    /// The item whose header this is.
    fn read_item(&mut self, header: &str) -> Result<(String, Item)> {
        let fields: Vec<&str> = header.split(' ').collect();
        let ["VALUE", key, flags, length] = fields[..] else {
            bail!("Memcached answered {header:?} to a get");
        };
        let item = Item {
            flags: flags.parse()?,
            value: self.read_value(length.parse()?)?,
        };
        Ok((key.to_owned(), item))
    }

    fn read_value(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut value = vec![0; length];
        self.0.read_exact(&mut value)?;
        let rest = self.read_line()?;
        ensure!(rest.is_empty(), "Memcached sent {rest:?} behind a value");
        Ok(value)
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(
            self.0.read_line(&mut line)? > 0,
            "Memcached closed the connection"
        );
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// The text that was percent-encoded.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
