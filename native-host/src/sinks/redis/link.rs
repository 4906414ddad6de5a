//! A connection to a server, and what that server remembers of a profile's events.

use std::{
    borrow::Cow,
    fs,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use redis::{
    Client, Connection, ConnectionLike as _, ErrorKind, IntoConnectionInfo as _, RedisError, TlsCertificates,
    io::tcp::TcpSettings, streams::StreamRangeReply,
};
use serde::Deserialize;

use super::memory::Memory;
use crate::{
    config::{self, address::is_tls},
    timing,
};

/// The slowest line by which a call still arrives, in bytes a second, and how many bytes may be in
/// buffers on the way at most, where their progress cannot be seen: those of the systems here and
/// there grow to a few MiB. What is more is waited for piece by piece.
const SLOWEST: usize = 64 * 1024;
const BUFFERED: usize = 8 * 1024 * 1024;

/// After how many bytes of events the server is asked about its memory, also before
/// [`timing::redis::memory`] is over.
const MEMORY_BYTES: usize = 16 * 1024 * 1024;

/// How many entries of a stream are read at once: few, for each may be large; more where other
/// profiles' are many.
const SCAN: usize = 16;
const LONGEST_SCAN: usize = 512;

/// A connection on which nothing has failed yet.
pub(super) struct Link {
    connection: Connection,
    cursor_key: String,
    /// The last event that the server has, as it said last; 0 if it knows of none.
    cursor: u64,
    /// What the server knows this connection by; empty until it does.
    token: String,
    /// When the server was last asked about its memory, and how many bytes were sent since.
    asked_at: Option<Instant>,
    sent: usize,
}

/// What is read of an event in a stream, to know whose it is.
#[derive(Deserialize)]
struct Stamped<'e> {
    #[serde(borrow)]
    source: Source<'e>,
}

#[derive(Deserialize)]
struct Source<'e> {
    #[serde(borrow)]
    profile: Cow<'e, str>,
    sequence: u64,
}

/// Connects to a server.
pub fn connect(config: &config::Redis) -> Result<Connection, RedisError> {
    let info = config.url.as_str().into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let client = if is_tls(&config.url) {
        // An error means that the process has a provider already.
        let _either = rustls::crypto::ring::default_provider().install_default();
        let root_cert = config.ca_file.as_deref().map(fs::read).transpose();
        let root_cert = root_cert.map_err(|error| {
            let problem = format!("ca_file cannot be read: {error}");
            RedisError::from((ErrorKind::InvalidClientConfig, "redis.ca_file", problem))
        })?;
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert,
        };
        Client::build_with_tls(info, certificates)?
    } else {
        Client::open(info)?
    };
    let connection = client.get_connection_with_timeout(timing::redis::connect())?;
    connection.set_read_timeout(Some(timing::redis::answer()))?;
    connection.set_write_timeout(Some(timing::redis::answer()))?;
    Ok(connection)
}

/// The keys of a cursor's token, and of a challenge to it.
pub(super) fn token_keys(cursor: &str) -> (String, String) {
    (format!("{cursor}:host"), format!("{cursor}:challenge"))
}

impl Link {
    /// Connects and asks how far the server has come.
    pub(super) fn open(config: &config::Redis, cursor_key: &str) -> Result<Self, RedisError> {
        let mut link = Self {
            connection: connect(config)?,
            cursor_key: cursor_key.to_owned(),
            cursor: 0,
            token: String::new(),
            asked_at: None,
            sent: 0,
        };
        link.cursor = link.ask()?;
        Ok(link)
    }

    /// The key of the cursor.
    pub(super) fn cursor_key(&self) -> &str {
        &self.cursor_key
    }

    /// What the server knows this connection by.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The cursor is this connection's from now on; where it is now is asked again.
    pub(super) fn adopt(&mut self, token: String) -> Result<(), RedisError> {
        self.token = token;
        self.cursor = self.ask()?;
        Ok(())
    }

    /// The last event that the server has, as it said last; 0 if it knows of none.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Whether the connection is open, as far as is known without asking.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Asks whether the server is there and remembers what it did. A server can forget without
    /// closing a connection: `FLUSHALL`, or a proxy that has put another one in its place.
    pub(super) fn is_unbroken(&mut self) -> bool {
        // Ignore the error: the connection that replaces this one reports it.
        self.is_open()
            && self.ask().is_ok_and(|cursor| cursor == self.cursor)
            && self
                .holder()
                .is_ok_and(|holder| holder.as_ref() == Some(&self.token))
    }

    /// The token that the server has.
    pub(super) fn holder(&mut self) -> Result<Option<String>, RedisError> {
        let (token, _) = token_keys(&self.cursor_key);
        redis::cmd("GET").arg(token).query(&mut self.connection)
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// From now on the server may take as long as so many bytes need to get there, and the time for
    /// an answer.
    pub(super) fn be_patient(&self, bytes: usize) -> Result<(), RedisError> {
        let moving = Duration::from_millis((bytes.min(BUFFERED) * 1000 / SLOWEST) as u64);
        let patience = Some(timing::redis::answer_after(moving));
        self.connection.set_write_timeout(patience)?;
        self.connection.set_read_timeout(patience)
    }

    /// The server has said that it has all events up to this one.
    pub(super) fn passed(&mut self, reached: u64) {
        self.cursor = reached;
    }

    /// What the server says of its memory, if it is time to ask again. Nothing may be on its way.
    pub(super) fn memory(&mut self) -> Result<Option<Memory>, RedisError> {
        let is_recent = self
            .asked_at
            .is_some_and(|at| at.elapsed() < timing::redis::memory());
        if is_recent && self.sent < MEMORY_BYTES {
            return Ok(None);
        }
        (self.asked_at, self.sent) = (Some(Instant::now()), 0);
        self.be_patient(0)?;
        Memory::of(&mut self.connection)
    }

    /// The server has no room: it is asked again the next time.
    pub(super) fn ask_memory_again(&mut self) {
        self.asked_at = None;
    }

    /// So many bytes of events are on their way.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
    }

    /// The last event of this profile that stands in the stream, for a server that has lost its
    /// cursor but perhaps not the stream: one that evicts keys may. If there is one it becomes the
    /// cursor again.
    pub(super) fn recover(&mut self, stream: &str, profile: &str) -> Result<(), RedisError> {
        let Some((last, _)) = self.last_in_stream(stream, profile)? else {
            return Ok(());
        };
        redis::cmd("SET")
            .arg(&self.cursor_key)
            .arg(last)
            .exec(&mut self.connection)?;
        self.cursor = last;
        Ok(())
    }

    /// The last event of a profile in the stream: its number and its text.
    pub(super) fn last_in_stream(
        &mut self,
        stream: &str,
        profile: &str,
    ) -> Result<Option<(u64, String)>, RedisError> {
        let found = |number, _: &str, event| ControlFlow::Break((number, event));
        match newest_first(&mut self.connection, stream, ("+", "-"), profile, found)? {
            ControlFlow::Break(last) => Ok(Some(last)),
            ControlFlow::Continue(()) => Ok(None),
        }
    }

    /// Hands out the profile's events in the stream from its end until `each` has seen enough.
    pub(super) fn newest_first<T>(
        &mut self,
        stream: &str,
        profile: &str,
        each: impl FnMut(u64, &str, String) -> ControlFlow<T>,
    ) -> Result<ControlFlow<T>, RedisError> {
        newest_first(&mut self.connection, stream, ("+", "-"), profile, each)
    }

    fn ask(&mut self) -> Result<u64, RedisError> {
        self.be_patient(0)?;
        let cursor: Option<u64> = redis::cmd("GET")
            .arg(&self.cursor_key)
            .query(&mut self.connection)?;
        Ok(cursor.unwrap_or(0))
    }
}

/// Hands out a profile's events in a stretch of the stream, from the end, with number, id and text,
/// until `each` has seen enough.
pub(super) fn newest_first<T>(
    connection: &mut Connection,
    stream: &str,
    (end, start): (&str, &str),
    profile: &str,
    mut each: impl FnMut(u64, &str, String) -> ControlFlow<T>,
) -> Result<ControlFlow<T>, RedisError> {
    let mut end = end.to_owned();
    let mut count = SCAN;
    loop {
        let range: StreamRangeReply = redis::cmd("XREVRANGE")
            .arg(stream)
            .arg(&end)
            .arg(start)
            .arg("COUNT")
            .arg(count)
            .query(connection)?;
        // A range has its end in it, and that entry was looked at before.
        let mut entries = range.ids.iter().filter(|entry| entry.id != end).peekable();
        if entries.peek().is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut next = String::new();
        for entry in entries {
            let event: Option<String> = entry.get("event");
            if let Some(event) = event
                && let Ok(Stamped { source }) = serde_json::from_str(&event)
                && source.profile == profile
            {
                let number = source.sequence;
                if let ControlFlow::Break(found) = each(number, &entry.id, event) {
                    return Ok(ControlFlow::Break(found));
                }
            }
            next.clone_from(&entry.id);
        }
        end = next;
        count = (2 * count).min(LONGEST_SCAN);
    }
}
