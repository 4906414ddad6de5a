//! A Redis server, and what the host has written there.

use std::{ops::Deref, path::PathBuf};

use redis::{Commands as _, streams::StreamRangeReply};
use test_servers::{RedisOptions, RedisServer};

use super::until;

const STREAM: &str = "idb:events";

/// A Redis server that syncs every write, so that it comes back with what it had.
pub struct Redis(RedisServer);

/// What cannot fail.
impl Deref for Redis {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.0
    }
}

impl Redis {
    pub fn start() -> Self {
        Self(RedisServer::start().expect("Redis starts"))
    }

    pub fn restart(&mut self) {
        self.0.restart().expect("Redis starts again");
    }

    /// With other options.
    pub fn restart_with(&mut self, options: &RedisOptions) {
        self.0.restart_with(options).expect("Redis starts again");
    }

    /// Without waiting until it answers: it may have much to read.
    pub fn restart_without_waiting(&mut self, options: &RedisOptions) {
        self.0.restart_without_waiting(options).expect("Redis starts");
    }

    /// Waits until it does what it is asked.
    pub fn await_answer(&mut self) {
        self.0.await_answer().expect("Redis answers");
    }

    pub fn kill(&mut self) {
        self.0.kill().expect("Redis is killed");
    }

    pub fn pause(&self) {
        self.0.pause().expect("Redis is up");
    }

    pub fn resume(&self) {
        self.0.resume().expect("Redis is up");
    }

    /// While it is down: the files of all that it holds.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.0.files().expect("files")
    }

    /// While it is down: lets it hold what these files say; nothing, if there are none.
    pub fn restore(&self, files: &[(PathBuf, Vec<u8>)]) {
        self.0.restore(files).expect("restored");
    }

    pub fn connection(&self) -> redis::Connection {
        self.0.connect().expect("a connection")
    }

    /// Sends a command; it must succeed.
    pub fn send_command(&self, words: &[&str]) {
        send(&mut self.connection(), words);
    }

    /// The same where the server asks for a password.
    pub fn send_command_with_password(&self, password: &str, words: &[&str]) {
        let connection = self.0.connect_with_password(password);
        send(&mut connection.expect("a connection"), words);
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

    /// The events in the stream, as they stand there.
    pub fn stream_text(&self) -> Vec<String> {
        let reply: StreamRangeReply = self.connection().xrange_all(STREAM).expect("a stream");
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
    pub fn stream_length(&self) -> u64 {
        self.connection().xlen(STREAM).expect("a stream")
    }

    /// Cuts off all of the stream.
    pub fn trim_stream(&self) {
        self.send_command(&["XTRIM", STREAM, "MAXLEN", "0"]);
    }

    /// The text of the last event in the stream.
    pub fn newest_event(&self) -> String {
        let reply: StreamRangeReply = self
            .connection()
            .xrevrange_count(STREAM, "+", "-", 1)
            .expect("a stream");
        reply.ids[0].get("event").expect("an event")
    }

    /// Waits until the stream has so many events.
    pub fn await_stream(&self, count: usize) -> Vec<serde_json::Value> {
        until(&format!("the stream has {count} events"), || {
            self.stream_length() >= count as u64
        });
        self.stream()
    }
}

fn send(connection: &mut redis::Connection, words: &[&str]) {
    let (name, arguments) = words.split_first().expect("a command");
    redis::cmd(name)
        .arg(arguments)
        .exec(connection)
        .expect("an answer");
}
