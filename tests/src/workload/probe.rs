//! Watches Memcached while writers write: when it first held the number of each commit.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};

use crate::servers::{Client, MemcachedServer};

/// How often it looks, at most.
const INTERVAL: Duration = Duration::from_millis(1);

/// How long it rests when the server does not answer.
const AWAY: Duration = Duration::from_millis(20);

/// For each mark, the numbers that Memcached held, and since when, in milliseconds since 1970.
pub(super) type Sightings = BTreeMap<String, Vec<(u64, f64)>>;

/// Looks at the writers' marks in Memcached until it is asked for what it saw.
#[derive(Debug)]
pub(super) struct Probe {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Sightings>>,
}

impl Probe {
    /// Looks at these marks, by the names of their items. The server may come and go, but stays at
    /// its address.
    pub(super) fn start(memcached: &MemcachedServer, marks: Vec<String>) -> Self {
        let (stopping, address) = (Arc::<AtomicBool>::default(), memcached.address());
        let stop = Arc::clone(&stopping);
        let thread = thread::spawn(move || {
            let mut sightings: Sightings = marks.into_iter().map(|mark| (mark, Vec::new())).collect();
            let mut client = None;
            while !stop.load(Ordering::Relaxed) {
                if look(&mut client, &address, &mut sightings).is_ok() {
                    thread::sleep(INTERVAL);
                } else {
                    client = None;
                    thread::sleep(AWAY);
                }
            }
            sightings
        });
        Self {
            stopping,
            thread: Some(thread),
        }
    }

    /// What it saw.
    pub(super) fn sightings(mut self) -> Result<Sightings> {
        self.stopping.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the probe runs once")?;
        thread.join().map_err(|_| anyhow::anyhow!("the probe panicked"))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

fn look(client: &mut Option<Client>, address: &str, sightings: &mut Sightings) -> Result<()> {
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::connect(address)?),
    };
    let names: Vec<String> = sightings.keys().cloned().collect();
    let mut items = client.get_all(&names)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1000.0;
    for (name, seen) in sightings {
        let Some(item) = items.remove(name) else { continue };
        let number: u64 = String::from_utf8(mem::take(&mut { item }.value))?.parse()?;
        if seen.last().is_none_or(|(last, _)| *last != number) {
            seen.push((number, now));
        }
    }
    Ok(())
}
