//! From Pub/Sub: what is heard while somebody listens, at most once.
//!
//! Redis keeps nothing for who is not there. What is missed is told by the numbers that are missing, once something comes after them.

use std::{
    collections::HashMap,
    io::Write,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use serde_json::json;

use super::{
    change::{Change, Target},
    session::Session,
    stop::{self, Stop},
};
use crate::config::Config;

/// How many events wait here for Memcached; what is more waits in Redis, which cuts off who is too slow
/// (`client-output-buffer-limit pubsub`).
const QUEUE: usize = 4096;

/// How many events are applied together.
const BATCH: usize = 512;

/// How often the lease is kept while nothing is heard.
const QUIET: Duration = Duration::from_millis(500);

/// The pause before Redis is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// What to do about events that were missed.
const CURE_MISSED: &str =
    "Pub/Sub delivers at most once. Without --pubsub nothing is missed: the stream is read instead.";

/// What the listening thread has to say.
enum Heard {
    /// It listens from now on.
    Listening,
    /// An event.
    Event(String),
    /// It does not hear any more, or not yet; it keeps trying.
    Deaf(Stop),
}

/// What is heard, and whether anything can be.
pub(super) struct Channels {
    heard: Receiver<Heard>,
    listening: bool,
}

impl Channels {
    /// Forgets what was heard: the one that writes has heard it, too.
    pub(super) fn forget(&mut self) {
        while let Ok(heard) = self.heard.try_recv() {
            self.note(&heard);
        }
    }

    fn note(&mut self, heard: &Heard) {
        match heard {
            Heard::Listening => self.listening = true,
            Heard::Deaf(_) => self.listening = false,
            Heard::Event(_) => {}
        }
    }
}

/// Listens to all channels, for ever.
pub(super) fn listen(config: &Config) -> Channels {
    let (sender, heard) = sync_channel(QUEUE);
    let config = config.clone();
    thread::spawn(move || {
        while let Err(stop) = hear(&config, &sender) {
            if sender.send(Heard::Deaf(stop)).is_err() {
                return;
            }
            thread::sleep(PAUSE);
        }
    });
    Channels {
        heard,
        listening: false,
    }
}

/// Ends well only when nobody wants to know any more.
fn hear(config: &Config, sender: &SyncSender<Heard>) -> Result<(), Stop> {
    let Some(redis) = &config.redis else { return Ok(()) };
    let failed = |error| Stop::redis(&error, &redis.url);
    let mut connection = stop::connect(config)?;
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe(redis.channel.pattern()).map_err(failed)?;
    // Silence is no failure from here on.
    subscriber.set_read_timeout(None).map_err(failed)?;
    if sender.send(Heard::Listening).is_err() {
        return Ok(());
    }
    loop {
        let message = subscriber.get_message().map_err(failed)?;
        let event = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
        if sender.send(Heard::Event(event)).is_err() {
            return Ok(());
        }
    }
}

/// Brings what is heard to Memcached until something stops it.
pub(super) fn follow<W: Write>(session: &mut Session<'_, W>, channels: &mut Channels) -> Result<(), Stop> {
    let mut known: HashMap<String, u64> = HashMap::new();
    if channels.listening {
        session.report.state("applying", "listening")?;
    }
    loop {
        session.go_on()?;
        let first = match channels.heard.recv_timeout(QUIET) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                session.keep()?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(Stop::Asked),
        };
        let mut events = Vec::new();
        let more: Vec<Heard> = channels.heard.try_iter().take(BATCH - 1).collect();
        for heard in std::iter::once(first).chain(more) {
            channels.note(&heard);
            match heard {
                Heard::Event(event) => events.push(event),
                Heard::Listening => session.report.state("applying", "listening")?,
                Heard::Deaf(Stop::Trouble { state, trouble, .. }) => {
                    session.report.trouble(state, &trouble.error, &trouble.cure)?;
                }
                Heard::Deaf(stop) => return Err(stop),
            }
        }
        let mut targets: Vec<Target> = Vec::new();
        for event in &events {
            match Change::read(event, &session.config.memcached) {
                Ok(change) => {
                    let last = known.get(&change.profile).copied();
                    if last >= Some(change.sequence) {
                        continue;
                    }
                    if let Some(last) = last
                        && change.sequence > last + 1
                    {
                        session.tell_gap(&change.profile, last + 1, change.sequence - 1, CURE_MISSED)?;
                    }
                    known.insert(change.profile, change.sequence);
                    targets.extend(change.target);
                }
                Err(error) => session.report.tell(
                    "unreadable",
                    format_args!("a message is no event and is left out: {error}"),
                    json!({"problem": error.to_string()}),
                )?,
            }
        }
        if !targets.is_empty() {
            session.put_newest(targets.iter())?;
            session.report.flush()?;
        }
    }
}
