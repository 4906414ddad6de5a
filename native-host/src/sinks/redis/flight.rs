//! Script calls on their way: several at a time, so that the server need not wait for us, nor we
//! for it.
//!
//! **Order holds** also if a call fails or is lost: each says which event it builds on, and the
//! server refuses one that would leave a gap. So when one in the middle fails, those behind it do
//! nothing, and all are sent again from where the server stands.
//!
//! **A slow line is no failure**: what was sent may be in buffers on the way for long, and sending
//! it again would only make more of it. So the time for an answer grows with what has to get there.

use std::collections::{HashMap, VecDeque};

use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value};

use super::link::Link;
use crate::{config, journal::read::Entry};

/// How many calls are on their way at a time, and how many bytes of them: one more may go while it
/// is less.
const CALLS: usize = 4;
const BYTES: usize = 2 * 1024 * 1024;

/// What every call says.
pub(super) struct Caller {
    script: Script,
    cursor_key: String,
    stream: Option<String>,
    limit: u64,
}

/// Calls that were sent and not answered.
#[derive(Default)]
pub(super) struct Flight {
    /// The last event of each, and its length.
    calls: VecDeque<(u64, usize)>,
    bytes: usize,
}

/// What the server said of the first call that was on its way.
#[derive(Debug)]
pub(super) enum Answer {
    /// All events up to this one are passed on.
    Passed(u64),
    /// It does not know the script; nothing was done.
    NoScript,
    /// It stopped after an event, if it knows after which, and says why.
    Stopped { reached: Option<u64>, refused: String },
}

impl Caller {
    pub(super) fn new(config: &config::Redis, cursor_key: String) -> Self {
        Self {
            script: Script::new(include_str!("publish.lua")),
            cursor_key,
            stream: config.stream.clone(),
            limit: config.max_stream_length.unwrap_or(0),
        }
    }

    /// The key that the cursor is under.
    pub(super) fn cursor_key(&self) -> &str {
        &self.cursor_key
    }

    pub(super) fn load(&self, link: &mut Link) -> Result<(), RedisError> {
        self.script.load(link.connection()).map(|_| ())
    }

    /// The call for a batch, which must not be empty and whose numbers must grow by one: it builds
    /// on what the cursor must be, and channels, here by store, get what comes after `published`.
    /// Nothing happens unless the cursor is this token's.
    pub(super) fn call(
        &self,
        entries: &[Entry],
        channels: &HashMap<i64, String>,
        builds_on: u64,
        published: u64,
        token: &str,
    ) -> Cmd {
        let bytes: usize = entries.iter().map(|entry| entry.event.len()).sum();
        let mut call = Cmd::with_capacity(entries.len() + 64, bytes + 1024);
        call.arg("EVALSHA").arg(self.script.get_hash());
        call.arg(1 + usize::from(self.stream.is_some()));
        call.arg(&self.cursor_key).arg(&self.stream);
        call.arg(token).arg(self.limit).arg(builds_on).arg(published);
        call.arg(entries.first().map_or(0, |entry| entry.number));
        for run in entries.chunk_by(|a, b| a.store == b.store) {
            let channel = run.first().and_then(|entry| channels.get(&entry.store));
            call.arg(channel.map_or("", String::as_str)).arg(run.len());
            for entry in run {
                call.arg(&*entry.event);
            }
        }
        call
    }
}

impl Flight {
    /// Whether one more call may go.
    pub(super) fn has_room(&self) -> bool {
        self.calls.len() < CALLS && self.bytes < BYTES
    }

    pub(super) fn send(&mut self, link: &mut Link, call: &Cmd, last: u64) -> Result<(), RedisError> {
        let packed = call.get_packed_command();
        // There is room for it only when enough of those before it has got there.
        link.be_patient(self.bytes + packed.len())?;
        link.connection().send_packed_command(&packed)?;
        link.sent(packed.len());
        self.calls.push_back((last, packed.len()));
        self.bytes += packed.len();
        Ok(())
    }

    /// Waits for the first call's answer; nothing if none is on its way.
    pub(super) fn receive(&mut self, link: &mut Link) -> Result<Option<Answer>, RedisError> {
        let Some((last, bytes)) = self.calls.pop_front() else {
            return Ok(None);
        };
        self.bytes -= bytes;
        // What went before it has got there, for it was answered.
        link.be_patient(bytes)?;
        let answer = link
            .connection()
            .recv_response()
            .and_then(Value::extract_error)
            .and_then(|value| Ok(redis::from_redis_value::<(String, String)>(value)?));
        let (reached, refused) = match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                return Ok(Some(Answer::NoScript));
            }
            answer => answer?,
        };
        let reached = reached.parse().ok();
        Ok(Some(match reached {
            Some(reached) if refused.is_empty() && reached >= last => {
                link.passed(reached);
                Answer::Passed(last)
            }
            reached => Answer::Stopped { reached, refused },
        }))
    }

    /// Waits for all answers and forgets them. They were refused: a call before them did nothing.
    pub(super) fn drain(&mut self, link: &mut Link) -> Result<(), RedisError> {
        while self.receive(link)?.is_some() {}
        Ok(())
    }
}
