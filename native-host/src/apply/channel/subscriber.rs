//! A thread that subscribes to all channels, and the queue of what it has received.
//!
//! Nothing tells a listener that its server has gone without a word: it waits for what never comes.
//! So after a silence it asks to listen once more, which the server confirms, and which needs no
//! other permission than listening does.

use std::{
    mem::ManuallyDrop,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use redis::{Connection, Msg, RedisError, Value};

use crate::{
    apply::interruption::{self, Interruption},
    config::Config,
    timing,
};

/// How many events wait for Memcached, and how many bytes; what is more waits in Redis, which cuts
/// off who is too slow (`client-output-buffer-limit pubsub`).
const QUEUE: usize = 4096;
pub(super) const HELD: usize = 8 * 1024 * 1024;

/// What the listening thread has to say.
pub(super) enum Received {
    /// It listens, as the server has just confirmed.
    Listening,
    /// An event.
    Event(String),
    /// It receives nothing any more, or not yet; it keeps trying.
    Deaf(Interruption),
}

/// The queue, and whether the subscriber is connected.
pub(super) struct Subscriber {
    received: Receiver<Received>,
    room: Arc<QueueSpace>,
    open: bool,
}

/// How many bytes wait.
#[derive(Default)]
struct QueueSpace {
    bytes: Mutex<usize>,
    changed: Condvar,
}

impl QueueSpace {
    fn bytes(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for so many. A single event has room in any case.
    fn enter(&self, length: usize) {
        let full = |bytes: &mut usize| *bytes > 0 && *bytes + length > HELD;
        let waited = self.changed.wait_while(self.bytes(), full);
        *waited.unwrap_or_else(PoisonError::into_inner) += length;
    }

    fn leave(&self, length: usize) {
        *self.bytes() -= length;
        self.changed.notify_all();
    }
}

impl Subscriber {
    /// Starts a thread that listens until the [`Subscriber`] is dropped.
    pub(super) fn open(config: &Config) -> Self {
        let (sender, received) = sync_channel(QUEUE);
        let (config, room) = (config.clone(), Arc::<QueueSpace>::default());
        let filled = Arc::clone(&room);
        thread::spawn(move || {
            while let Err(stop) = receive(&config, &filled, &sender) {
                if sender.send(Received::Deaf(stop)).is_err() {
                    return;
                }
                thread::sleep(timing::apply::subscribe_again());
            }
        });
        Self {
            received,
            room,
            open: false,
        }
    }

    /// Whether it listened when it was asked last.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The next received event, if one arrives within this time.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Received, RecvTimeoutError> {
        let received = self.received.recv_timeout(patience)?;
        match &received {
            Received::Listening => self.open = true,
            Received::Deaf(_) => self.open = false,
            Received::Event(event) => self.room.leave(event.len()),
        }
        Ok(received)
    }
}

/// Returns `Ok` only if there is no Redis or the [`Subscriber`] was dropped.
fn receive(config: &Config, room: &QueueSpace, sender: &SyncSender<Received>) -> Result<(), Interruption> {
    let Some(redis) = &config.redis else { return Ok(()) };
    let failed = |error| Interruption::redis(&error, &redis.url);
    let mut line = SubscriberConnection {
        connection: interruption::connect(config)?,
        pattern: redis.channel.pattern(),
    };
    loop {
        line.ask().map_err(failed)?;
        while let Some(message) = line.before_the_answer().map_err(failed)? {
            if !pass_on(message, room, sender) {
                return Ok(());
            }
        }
        if sender.send(Received::Listening).is_err() {
            return Ok(());
        }
        while let Some(message) = line.before_a_silence().map_err(failed)? {
            if !pass_on(message, room, sender) {
                return Ok(());
            }
        }
    }
}

/// Whether anybody wants to know any more.
fn pass_on(message: Msg, room: &QueueSpace, sender: &SyncSender<Received>) -> bool {
    let event = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
    drop(message);
    room.enter(event.len());
    sender.send(Received::Event(event)).is_ok()
}

/// A connection on which messages come.
struct SubscriberConnection {
    connection: Connection,
    /// The channels that are listened to.
    pattern: String,
}

impl SubscriberConnection {
    /// Asks to listen, also if it listens already. The answer comes behind the messages that are on
    /// their way.
    fn ask(&mut self) -> Result<(), RedisError> {
        self.connection
            .set_read_timeout(Some(timing::apply::SUBSCRIBED))?;
        let ask = redis::cmd("PSUBSCRIBE").arg(&self.pattern).get_packed_command();
        self.connection.send_packed_command(&ask)
    }

    /// The next message; `None`: it was the answer.
    fn before_the_answer(&mut self) -> Result<Option<Msg>, RedisError> {
        let received = self.connection.recv_response().and_then(Value::extract_error)?;
        Ok(Msg::from_owned_value(received))
    }

    /// The next message; `None`: none for a while. What has come of one by then is kept.
    fn before_a_silence(&mut self) -> Result<Option<Msg>, RedisError> {
        self.connection.set_read_timeout(Some(timing::apply::SILENCE))?;
        // Dropped, it would have the server stop. It holds nothing of its own.
        let mut messages = ManuallyDrop::new(self.connection.as_pubsub());
        match messages.get_message() {
            Ok(message) => Ok(Some(message)),
            Err(silence) if silence.is_timeout() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
