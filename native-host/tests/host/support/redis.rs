//! A Redis server, and what the host has written there.

use std::path::PathBuf;

use redis::{Commands as _, streams::StreamRangeReply};

use super::{server::TestServer, until};

const STREAM: &str = "idb:events";

/// A Redis server that syncs every write, so that it comes back with what it had.
pub type Redis = TestServer<test_servers::redis::Redis>;

impl Redis {
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
