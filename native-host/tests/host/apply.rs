//! `idb-relay apply`: from Redis to Memcached, as a process of its own.

mod channel;
mod feeding;
mod forged;
mod large;
mod late;
mod model;
mod owners;
mod repair;
mod servers;
mod stream;
mod takeover;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::support::{Host, Sandbox};

/// Where the lease of the usual group is.
const LEASE: &str = "{idb:events}:apply:memcached";

/// The pause between two looks at what must not go back: much shorter than a batch of `apply`.
const LOOK: Duration = Duration::from_micros(250);

/// A host that leaves Memcached alone. The lease of `apply` is free, as a process leaves it that
/// ends well.
fn sandbox() -> Sandbox {
    let sandbox = sandbox_without_lease();
    free_lease(&sandbox);
    sandbox
}

/// The same with a Redis that knows nothing of a lease. The first process waits as long as any late
/// write of an earlier one may take.
fn sandbox_without_lease() -> Sandbox {
    Sandbox::with_config("mode = \"off\"\n")
}

/// Frees the lease of `apply`: only tests about taking it over wait for the fences of earlier
/// processes.
fn free_lease(sandbox: &Sandbox) {
    sandbox.redis.send_command(&["SET", LEASE, "free"]);
}

/// Looks at records all the time. Their values are whole numbers, each greater than what any write
/// before it wrote.
struct Watch {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Watch {
    /// Of these keys of the usual store.
    fn of(sandbox: &Sandbox, keys: &[String]) -> Self {
        let names: Vec<String> = keys.iter().map(|key| sandbox.key(key)).collect();
        let mut memcached = sandbox.memcached.watcher();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut newest: HashMap<String, u64> = HashMap::new();
            let mut seen = 0;
            while !over.load(Ordering::Relaxed) {
                for (name, value) in memcached.get_all(&names) {
                    let value: u64 = value.parse().expect("a number");
                    let last = newest.entry(name).or_default();
                    assert!(value >= *last, "went back from {last} to {value}");
                    seen += usize::from(value > *last);
                    *last = value;
                }
                // It would else take a processor of its own, and Memcached another one.
                thread::sleep(LOOK);
            }
            seen
        });
        Self {
            ended,
            thread: Some(thread),
        }
    }

    /// Ends it; how many new values it has seen.
    fn end(mut self) -> usize {
        self.ended.store(true, Ordering::Relaxed);
        self.thread
            .take()
            .expect("once")
            .join()
            .expect("no value went back")
    }
}

fn host(sandbox: &Sandbox) -> Host {
    Host::start(sandbox)
}
