//! Private servers on free loopback ports.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use idb_relay::config::endpoint::Endpoint;
use redis::Commands as _;
use rustix::process::{Pid, Signal};

use super::{Certificates, PATIENCE, until};

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// A server on a free port. Until it has the port another process may take it, the sooner the
/// busier the machine is: then `start` returns `None`, and another port is tried.
fn on_free_port<T>(mut start: impl FnMut(u16) -> Option<T>) -> T {
    const ATTEMPTS: usize = 10;
    (0..ATTEMPTS)
        .find_map(|_| start(free_port()))
        .unwrap_or_else(|| panic!("a server ended at once on each of {ATTEMPTS} free ports"))
}

fn has_ended(child: Option<&mut Child>) -> bool {
    child.is_none_or(|child| child.try_wait().expect("a child").is_some())
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// Connects to a server that may be stopped in its tracks: no read from it waits without a limit.
fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let _ended = child.kill();
        let _reaped = child.wait();
    }
}

fn signal(child: Option<&Child>, signal: Signal) {
    if let Some(child) = child {
        rustix::process::kill_process(Pid::from_child(child), signal).expect("a child");
    }
}

/// A Redis server that syncs every write, so that it comes back with what it had.
pub struct Redis {
    child: Option<Child>,
    port: u16,
    directory: PathBuf,
}

impl Redis {
    pub fn start(directory: &Path) -> Self {
        on_free_port(|port| {
            let mut redis = Self {
                child: None,
                port,
                directory: directory.to_owned(),
            };
            redis.begin_with(&[]);
            redis.comes_up().then_some(redis)
        })
    }

    pub fn up(&mut self) {
        self.up_with(&[]);
    }

    /// With more options.
    pub fn up_with(&mut self, options: &[&str]) {
        self.begin_with(options);
        assert!(self.comes_up(), "Redis ended: is its port {} taken?", self.port);
    }

    /// Waits until it does what it is asked; whether it does not end before that.
    fn comes_up(&mut self) -> bool {
        let mut comes_up = None;
        until("Redis answers", || {
            let ended = has_ended(self.child.as_mut());
            comes_up = (ended || self.answers()).then_some(!ended);
            comes_up.is_some()
        });
        comes_up == Some(true)
    }

    /// Whether it does what it is asked, it and no other server that has its port.
    fn answers(&self) -> bool {
        let info: redis::RedisResult<String> = self
            .connected()
            .and_then(|mut connection| redis::cmd("INFO").arg("server").query(&mut connection));
        let own = format!("process_id:{}\r\n", self.id());
        // INFO answers before the data are there.
        info.is_ok_and(|info| info.contains(&own))
            && self
                .connected()
                .is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok())
    }

    fn started(&self, options: &[&str]) -> Child {
        let port = self.port.to_string();
        let directory = self.directory.to_str().expect("UTF-8");
        let usual = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--dir",
            directory,
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ];
        spawn(Command::new("redis-server").args(usual).args(options))
    }

    /// Waits until it does what it is asked.
    pub fn await_answer(&self) {
        until("Redis answers", || self.answers());
    }

    /// Without waiting until it answers: it may have much to read.
    pub fn begin_with(&mut self, options: &[&str]) {
        self.child = Some(self.started(options));
    }

    pub fn down(&mut self) {
        end(&mut self.child);
    }

    /// The process, while it is up.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("up").id()
    }

    /// Stops it in its tracks.
    pub fn pause(&self) {
        signal(self.child.as_ref(), Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.child.as_ref(), Signal::CONT);
    }

    /// While it is down: the files of all that it holds.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fs::read_dir(self.data())
            .expect("a directory")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let bytes = fs::read(&path).expect("read");
                (path, bytes)
            })
            .collect()
    }

    /// While it is down: lets it hold what these files say; nothing, if there are none.
    pub fn restore(&self, files: &[(PathBuf, Vec<u8>)]) {
        fs::remove_dir_all(self.data()).expect("removed");
        fs::create_dir(self.data()).expect("made");
        for (path, bytes) in files {
            fs::write(path, bytes).expect("written");
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("appendonlydir")
    }

    /// Sends a command; it must succeed.
    pub fn command(&self, words: &[&str]) {
        let (name, arguments) = words.split_first().expect("a command");
        redis::cmd(name)
            .arg(arguments)
            .exec(&mut self.connection())
            .expect("an answer");
    }

    /// Whether it rewrites its append-only file.
    pub fn is_rewriting(&self) -> bool {
        let info: String = redis::cmd("INFO")
            .arg("persistence")
            .query(&mut self.connection())
            .expect("an answer");
        info.contains("aof_rewrite_in_progress:1") || info.contains("aof_rewrite_scheduled:1")
    }

    pub fn exists(&self, key: &str) -> bool {
        self.connection().exists(key).expect("an answer")
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn connection(&self) -> redis::Connection {
        self.connected().expect("a connection")
    }

    /// No read from it waits without a limit, neither while it connects nor later.
    fn connected(&self) -> redis::RedisResult<redis::Connection> {
        let connection = redis::Client::open(self.url())?.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// The events in the stream, as they stand there.
    pub fn stream_text(&self) -> Vec<String> {
        let reply: redis::streams::StreamRangeReply =
            self.connection().xrange_all("idb:events").expect("a stream");
        reply
            .ids
            .iter()
            .map(|entry| entry.get("event").expect("an event"))
            .collect()
    }

    /// The events in the stream.
    pub fn stream(&self) -> Vec<serde_json::Value> {
        self.stream_text()
            .iter()
            .map(|event| serde_json::from_str(event).expect("JSON"))
            .collect()
    }

    /// How many events are in the stream.
    pub fn length(&self) -> u64 {
        self.connection().xlen("idb:events").expect("a stream")
    }

    /// Cuts off all of the stream.
    pub fn trim(&self) {
        redis::cmd("XTRIM")
            .arg(&["idb:events", "MAXLEN", "0"])
            .exec(&mut self.connection())
            .expect("cut");
    }

    /// The text of the last event in the stream.
    pub fn newest(&self) -> String {
        let reply: redis::streams::StreamRangeReply = self
            .connection()
            .xrevrange_count("idb:events", "+", "-", 1)
            .expect("a stream");
        reply.ids[0].get("event").expect("an event")
    }

    /// Waits until the stream has so many events.
    pub fn await_stream(&self, count: usize) -> Vec<serde_json::Value> {
        until(&format!("the stream has {count} events"), || {
            self.length() >= count as u64
        });
        self.stream()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Looks at what a Memcached server holds, whether or not it is there.
pub struct Watcher {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
}

impl Watcher {
    /// `None` if there is nothing, or the server does not say.
    pub fn get(&mut self, key: &str) -> Option<String> {
        let mut reader = match self.connection.take() {
            Some(reader) => reader,
            None => BufReader::new(connect(self.port).ok()?),
        };
        let value = ask(&mut reader, key).ok()?;
        self.connection = Some(reader);
        value
    }
}

impl Watcher {
    /// What it holds under these names, all asked for at once; nothing if the server does not say.
    pub fn get_all(&mut self, names: &[String]) -> Vec<(String, String)> {
        let mut asked = || {
            let mut reader = match self.connection.take() {
                Some(reader) => reader,
                None => BufReader::new(connect(self.port)?),
            };
            let found = ask_all(&mut reader, names)?;
            self.connection = Some(reader);
            io::Result::Ok(found)
        };
        // A server that goes in the middle has said nothing.
        asked().unwrap_or_default()
    }
}

fn ask_all(reader: &mut BufReader<TcpStream>, names: &[String]) -> io::Result<Vec<(String, String)>> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let mut found = Vec::new();
    for names in names.chunks(64) {
        let command = format!("get {}\r\n", names.join(" "));
        reader.get_mut().write_all(command.as_bytes())?;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header == "END\r\n" {
                break;
            }
            let words: Vec<&str> = header.split_whitespace().collect();
            let ["VALUE", name, _, length] = words[..] else {
                return Err(broken());
            };
            let mut value = vec![0; length.parse::<usize>().map_err(|_| broken())? + 2];
            reader.read_exact(&mut value)?;
            value.truncate(value.len() - 2);
            found.push((name.to_owned(), String::from_utf8(value).map_err(|_| broken())?));
        }
    }
    Ok(found)
}

fn ask(reader: &mut BufReader<TcpStream>, key: &str) -> io::Result<Option<String>> {
    reader.get_mut().write_all(format!("get {key}\r\n").as_bytes())?;
    let mut header = String::new();
    reader.read_line(&mut header)?;
    if header == "END\r\n" {
        return Ok(None);
    }
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let length = header
        .trim_end()
        .rsplit_once(' ')
        .and_then(|(_, length)| length.parse().ok());
    let length: usize = length.ok_or_else(broken)?;
    let mut value = vec![0; length + "\r\nEND\r\n".len()];
    reader.read_exact(&mut value)?;
    value.truncate(length);
    String::from_utf8(value).map(Some).map_err(|_| broken())
}

/// A Memcached server.
pub struct Memcached {
    child: Option<Child>,
    port: u16,
    options: &'static [&'static str],
    /// What each connection has to say first.
    login: Option<&'static str>,
}

impl Memcached {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more options.
    pub fn start_with(options: &'static [&'static str]) -> Self {
        on_free_port(|port| {
            let mut memcached = Self {
                child: None,
                port,
                options,
                login: None,
            };
            memcached.begin_at("127.0.0.1", &[]);
            memcached.comes_up().then_some(memcached)
        })
    }

    pub fn up(&mut self) {
        self.up_with(&[]);
    }

    /// With more options.
    pub fn up_with(&mut self, options: &[&str]) {
        self.up_at("127.0.0.1", options);
    }

    /// With TLS on another port, beside the usual one.
    pub fn up_with_tls(&mut self, port: u16, certificates: &Certificates, options: &[&str]) {
        let addresses = format!("notls:127.0.0.1:{},127.0.0.1:{port}", self.port);
        let files = format!(
            "ssl_chain_cert={},ssl_key={}",
            certificates.certificate.display(),
            certificates.key.display()
        );
        let tls: Vec<&str> = [options, &["-Z", "-o", &files]].concat();
        self.up_at(&addresses, &tls);
    }

    /// Only for those whose user and password (`user:password`) are in this file, as the tests
    /// themselves say it from now on.
    pub fn up_with_login(&mut self, file: &Path, login: &'static str) {
        fs::write(file, format!("{login}\n")).expect("written");
        self.up_with(&["-Y", file.to_str().expect("UTF-8")]);
        self.login = Some(login);
    }

    /// From now on each connection of the tests says this user and password (`user:password`)
    /// first.
    pub fn expect_login(&mut self, login: &'static str) {
        self.login = Some(login);
    }

    /// At a socket alone; what looks at it here cannot.
    pub fn up_at_socket(&mut self, socket: &Path) {
        let path = socket.to_str().expect("UTF-8");
        self.child = Some(spawn(Command::new("memcached").args(["-s", path, "-u", "root"])));
        until("Memcached answers", || UnixStream::connect(socket).is_ok());
    }

    fn up_at(&mut self, addresses: &str, options: &[&str]) {
        self.begin_at(addresses, options);
        assert!(
            self.comes_up(),
            "Memcached ended: is its port {} taken?",
            self.port
        );
    }

    /// Waits until it takes connections; whether it does not end before that.
    fn comes_up(&mut self) -> bool {
        let mut comes_up = None;
        until("Memcached answers", || {
            let answers = answers(self.port);
            let ended = has_ended(self.child.as_mut());
            comes_up = (ended || answers).then_some(!ended);
            comes_up.is_some()
        });
        comes_up == Some(true)
    }

    fn begin_at(&mut self, addresses: &str, options: &[&str]) {
        let port = self.port.to_string();
        // Root must say as whom to run; for everybody else the option means nothing.
        let usual = ["-l", addresses, "-p", &port, "-U", "0", "-u", "root"];
        self.child = Some(spawn(
            Command::new("memcached")
                .args(usual)
                .args(self.options)
                .args(options),
        ));
    }

    pub fn down(&mut self) {
        end(&mut self.child);
    }

    /// The process, while it is up.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("up").id()
    }

    /// Stops it in its tracks.
    pub fn pause(&self) {
        signal(self.child.as_ref(), Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.child.as_ref(), Signal::CONT);
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn command(&self, command: &str) -> BufReader<TcpStream> {
        let stream = connect(self.port).expect("a connection");
        let mut reader = BufReader::new(stream);
        if let Some(login) = self.login {
            let words = login.replace(':', " ");
            let first = format!("set a 0 0 {}\r\n{words}\r\n", words.len());
            reader.get_mut().write_all(first.as_bytes()).expect("sent");
            let mut answer = String::new();
            reader.read_line(&mut answer).expect("an answer");
            assert_eq!(answer, "STORED\r\n");
        }
        reader.get_mut().write_all(command.as_bytes()).expect("sent");
        reader
    }

    /// By the classic protocol, as any client would. Its flags must be 0.
    pub fn get(&self, key: &str) -> Option<String> {
        let mut reader = self.command(&format!("get {key}\r\n"));
        let (of, value) = read_item(&mut reader)?;
        assert_eq!(of, key);
        Some(value)
    }

    /// The names of all that it holds.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        // It goes through its memory in the background, and does so for one at a time.
        until("Memcached lists its keys", || {
            names.clear();
            for line in self.command("lru_crawler metadump all\r\n").lines() {
                let line = line.expect("an answer");
                if line == "END" {
                    return true;
                }
                let Some(rest) = line.strip_prefix("key=") else {
                    assert!(line.starts_with("BUSY"), "{line}");
                    return false;
                };
                names.push(unescaped(rest.split(' ').next().unwrap_or_default()));
            }
            false
        });
        names
    }

    /// What it holds under these names.
    pub fn get_all(&self, names: &[String]) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for names in names.chunks(64) {
            let mut reader = self.command(&format!("get {}\r\n", names.join(" ")));
            while let Some((name, value)) = read_item(&mut reader) {
                found.insert(name, value);
            }
        }
        found
    }

    /// A value, and what else the server says of its item: `f` flags, `t` seconds to live (-1: no
    /// expiry).
    pub fn about(&self, key: &str) -> Option<(String, String)> {
        let mut reader = self.command(&format!("mg {key} v f t\r\n"));
        let mut header = String::new();
        reader.read_line(&mut header).expect("an answer");
        let header = header.trim_end();
        if header == "EN" {
            return None;
        }
        let (length, flags) = header.strip_prefix("VA ")?.split_once(' ')?;
        let mut value = vec![0; length.parse().expect("a length")];
        reader.read_exact(&mut value).expect("the value");
        Some((String::from_utf8(value).expect("UTF-8"), flags.to_owned()))
    }

    /// Sends a command; the answer is one line.
    pub fn tell(&self, command: &str) -> String {
        let mut answer = String::new();
        self.command(command).read_line(&mut answer).expect("an answer");
        answer
    }

    /// For another thread.
    pub fn watcher(&self) -> Watcher {
        Watcher {
            port: self.port,
            connection: None,
        }
    }

    /// How many keys it holds, without what the usual host leaves there for itself.
    pub fn count(&self) -> usize {
        let own = [
            "idb-relay-host:profile-1",
            "idb-relay-run:profile-1",
            "idb-relay-owner:idb:http%3A//localhost%3A8080:{database}:{store}:{key}",
        ];
        let own = own.iter().filter(|name| self.get(name).is_some()).count();
        self.statistic("curr_items") - own
    }

    /// How often something was set.
    pub fn sets(&self) -> usize {
        self.statistic("cmd_set")
    }

    fn statistic(&self, name: &str) -> usize {
        let mut reader = self.command("stats\r\n");
        let begin = format!("STAT {name} ");
        loop {
            let mut line = String::new();
            assert_ne!(reader.read_line(&mut line).expect("an answer"), 0);
            if let Some(count) = line.strip_prefix(&begin) {
                return count.trim_end().parse().expect("a number");
            }
        }
    }

    /// Takes a key away, if it is there.
    pub fn delete(&self, key: &str) {
        let mut answer = String::new();
        let mut reader = self.command(&format!("delete {key}\r\n"));
        reader.read_line(&mut answer).expect("an answer");
        assert!(["DELETED\r\n", "NOT_FOUND\r\n"].contains(&&*answer), "{answer}");
    }

    pub fn set(&self, key: &str, value: &str) {
        self.set_for(key, value, 0);
    }

    /// Stores an item that expires after so many seconds; 0 means never.
    pub fn set_for(&self, key: &str, value: &str, seconds: u32) {
        let length = value.len();
        let mut reader = self.command(&format!("set {key} 0 {seconds} {length}\r\n{value}\r\n"));
        let mut answer = String::new();
        reader.read_line(&mut answer).expect("an answer");
        assert_eq!(answer, "STORED\r\n");
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A server at this address, as a connection needs it.
pub fn plain(address: &str) -> Endpoint {
    Endpoint::new(address, None, None)
}

/// What was percent-encoded.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(&tail[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// An item of the answer to `get`, if it is not at its end. Its flags must be 0.
fn read_item(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut header = String::new();
    reader.read_line(&mut header).expect("an answer");
    let words: Vec<&str> = header.split_whitespace().collect();
    let ["VALUE", of, "0", length] = words[..] else {
        assert_eq!(header, "END\r\n");
        return None;
    };
    let length: usize = length.parse().expect("a length");
    let mut value = vec![0; length + 2];
    reader.read_exact(&mut value).expect("the value");
    value.truncate(length);
    Some((of.to_owned(), String::from_utf8(value).expect("UTF-8")))
}
