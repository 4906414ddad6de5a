//! A thread that listens to all channels, and what it has heard.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::{
    apply::stop::{self, Stop},
    config::Config,
};

/// How many events wait for Memcached, and how many bytes; what is more waits in Redis, which cuts off who is too slow
/// (`client-output-buffer-limit pubsub`).
const QUEUE: usize = 4096;
pub(super) const HELD: usize = 8 * 1024 * 1024;

/// The pause before Redis is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// What the listening thread has to say.
pub(super) enum Heard {
    /// It listens from now on.
    Listening,
    /// An event.
    Event(String),
    /// It does not hear any more, or not yet; it keeps trying.
    Deaf(Stop),
}

/// What was heard, and whether anything can be.
pub(super) struct Ear {
    heard: Receiver<Heard>,
    room: Arc<Room>,
    open: bool,
}

/// How many bytes wait.
#[derive(Default)]
struct Room {
    bytes: Mutex<usize>,
    changed: Condvar,
}

impl Room {
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

impl Ear {
    /// Listens for ever.
    pub(super) fn open(config: &Config) -> Self {
        let (sender, heard) = sync_channel(QUEUE);
        let (config, room) = (config.clone(), Arc::<Room>::default());
        let filled = Arc::clone(&room);
        thread::spawn(move || {
            while let Err(stop) = hear(&config, &filled, &sender) {
                if sender.send(Heard::Deaf(stop)).is_err() {
                    return;
                }
                thread::sleep(PAUSE);
            }
        });
        Self {
            heard,
            room,
            open: false,
        }
    }

    /// Whether it listened when it was asked last.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The next of what was heard, if there is something within this time.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Heard, RecvTimeoutError> {
        let heard = self.heard.recv_timeout(patience)?;
        match &heard {
            Heard::Listening => self.open = true,
            Heard::Deaf(_) => self.open = false,
            Heard::Event(event) => self.room.leave(event.len()),
        }
        Ok(heard)
    }
}

/// Ends well only when nobody wants to know any more.
fn hear(config: &Config, room: &Room, sender: &SyncSender<Heard>) -> Result<(), Stop> {
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
        drop(message);
        room.enter(event.len());
        if sender.send(Heard::Event(event)).is_err() {
            return Ok(());
        }
    }
}
