//! The two ways to read events from Redis: as a subscriber, and from the stream.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::Event;
use crate::{
    servers::RedisServer,
    wait::{self, PATIENCE, Seen},
};

/// What a subscriber to every channel has received, in order. It stops when the server goes away,
/// as subscribers do.
#[derive(Debug)]
pub struct Subscriber {
    received: Arc<Mutex<Vec<(String, String)>>>,
    stopping: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Subscriber {
    /// Subscribes; when it returns, nothing published afterwards is missed.
    pub fn start(redis: &RedisServer) -> Result<Self> {
        let mut connection = redis.connect()?;
        connection.set_read_timeout(Some(Duration::from_millis(100)))?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (ready_sender, ready) = std::sync::mpsc::channel();
        let reader = thread::spawn({
            let (received, stopping) = (Arc::clone(&received), Arc::clone(&stopping));
            move || {
                let mut subscription = connection.as_pubsub();
                let _receiver_gone = ready_sender.send(subscription.psubscribe("idb:*"));
                while !stopping.load(Ordering::Relaxed) {
                    match subscription.get_message() {
                        Ok(message) => {
                            let payload = message.get_payload().unwrap_or_default();
                            lock(&received).push((message.get_channel_name().to_owned(), payload));
                        }
                        Err(error) if error.is_timeout() => {}
                        Err(_) => break,
                    }
                }
            }
        });
        ready
            .recv_timeout(PATIENCE)
            .context("Redis has not confirmed the subscription")??;
        Ok(Self {
            received,
            stopping,
            reader: Some(reader),
        })
    }

    /// The events so far.
    pub fn events(&self) -> Result<Vec<Event>> {
        lock(&self.received)
            .iter()
            .map(|(_, text)| Event::parse(text))
            .collect()
    }

    /// The channels and events so far, as received.
    pub fn messages(&self) -> Vec<(String, String)> {
        lock(&self.received).clone()
    }

    /// Waits until at least `count` events of the wanted kind have arrived, and returns all of that
    /// kind.
    pub fn wait_for(&self, count: usize, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Event>> {
        wait::until(&format!("{count} published events"), PATIENCE, || {
            let events: Vec<_> = self.events()?.into_iter().filter(&wanted).collect();
            Ok(if events.len() >= count {
                Seen::Ready(events)
            } else {
                let lines: Vec<_> = events.iter().map(Event::line).collect();
                Seen::Not(format!("{}:\n{}", lines.len(), lines.join("\n")))
            })
        })
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _panicked = reader.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All events of a stream, in order.
pub fn stream(redis: &RedisServer, name: &str) -> Result<Vec<Event>> {
    texts(redis, name)?
        .iter()
        .map(|text| Event::parse(text))
        .collect()
}

/// The texts of all events of a stream, in order.
pub fn texts(redis: &RedisServer, name: &str) -> Result<Vec<String>> {
    let mut connection = redis.connect()?;
    let entries: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
        .arg(name)
        .arg("-")
        .arg("+")
        .query(&mut connection)?;
    entries
        .ids
        .iter()
        .map(|entry| {
            entry
                .get("event")
                .with_context(|| format!("the stream's entry {} has no field \"event\"", entry.id))
        })
        .collect()
}
