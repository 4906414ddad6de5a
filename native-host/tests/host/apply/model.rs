//! Random writes, random kills, pauses and losses, compared with a model.
//!
//! `IDB_RELAY_APPLY_SEED` repeats a run, `IDB_RELAY_APPLY_ROUNDS` makes it longer.

#![allow(clippy::print_stdout, reason = "the steps are printed when the test fails")]

use std::{
    collections::BTreeMap,
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{Watch, host, sandbox, stream::outstanding};
use crate::support::verify::verify;
use crate::support::{
    Apply, Host, PATIENCE, Sandbox,
    body::{clear, commit, delete, put},
    until,
};

const KEYS: u64 = 12;
const PROCESSES: usize = 3;

/// The page's side, and what it must lead to.
struct Page {
    host: Host,
    sequence: u64,
    /// What was written last; no two writes write the same.
    value: u64,
    model: BTreeMap<u64, u64>,
}

impl Page {
    fn operation(&mut self, random: &mut Rng) -> String {
        let key = random.u64(..KEYS);
        self.value += 1;
        match random.u8(..20) {
            0 => {
                self.model.clear();
                clear()
            }
            1..6 => {
                self.model.remove(&key);
                delete(&key.to_string())
            }
            _ => {
                self.model.insert(key, self.value);
                put(&key.to_string(), &self.value.to_string())
            }
        }
    }

    fn commit(&mut self, operations: &[String]) {
        self.sequence += 1;
        self.host.deliver(self.sequence, &commit(operations));
    }

    fn write(&mut self, random: &mut Rng) {
        for _ in 0..random.u32(50..400) {
            let operations: Vec<_> = (0..random.u32(1..6)).map(|_| self.operation(random)).collect();
            self.commit(&operations);
        }
        self.host.acknowledged(self.sequence);
    }
}

/// A process, and whether it is paused.
type Slot = Option<(Apply, bool)>;

/// Starts, kills, pauses and wakes processes.
fn meddle(slots: &mut [Slot], sandbox: &Sandbox, started: &mut u32, random: &mut Rng) {
    for (index, slot) in slots.iter_mut().enumerate() {
        match (&mut *slot, random.u8(..10)) {
            (None, 0..7) => {
                *slot = Some((start(sandbox, started), false));
                println!("  {index}: started as process-{started}");
            }
            (Some((process, paused)), 0..2) => {
                process.pause();
                *paused = true;
                println!("  {index}: paused");
            }
            (Some((process, paused)), 2..6) => {
                process.resume();
                *paused = false;
                println!("  {index}: resumed");
            }
            (Some(_), 6..8) => {
                if let Some((mut process, _)) = slot.take() {
                    println!("  {index}: killed; it had said {:?}", process.unread_lines());
                    process.kill();
                }
            }
            _ => {}
        }
    }
}

fn start(sandbox: &Sandbox, started: &mut u32) -> Apply {
    *started += 1;
    Apply::start(sandbox, &format!("process-{started}"))
}

/// Lets a server lose something, now and then; whether events are gone for good with it.
fn lose(sandbox: &mut Sandbox, random: &mut Rng) -> bool {
    match random.u8(..12) {
        0 => {
            println!("  memcached flushed");
            sandbox.memcached.send_command("flush_all");
        }
        1 => {
            println!("  memcached restarted");
            sandbox.memcached.restart();
        }
        2 => {
            println!("  redis flushed");
            sandbox.redis.send_command(&["FLUSHALL"]);
        }
        3 => {
            println!("  redis restarted");
            sandbox.redis.restart();
        }
        4 => {
            println!("  stream cut");
            sandbox
                .redis
                .send_command(&["XTRIM", "idb:events", "MAXLEN", "5"]);
            return true;
        }
        _ => {}
    }
    false
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
fn processes_that_come_and_go_leave_what_the_model_says() {
    let seed = number("IDB_RELAY_APPLY_SEED").unwrap_or_else(|| fastrand::u64(..));
    let rounds = number("IDB_RELAY_APPLY_ROUNDS").unwrap_or(6);
    println!("IDB_RELAY_APPLY_SEED={seed} IDB_RELAY_APPLY_ROUNDS={rounds}");
    let mut random = Rng::with_seed(seed);
    let mut sandbox = sandbox();
    let mut page = Page {
        host: host(&sandbox),
        sequence: 0,
        value: 0,
        model: BTreeMap::new(),
    };
    let keys: Vec<String> = (0..KEYS).map(|key| key.to_string()).collect();
    let watch = Watch::of(&sandbox, &keys);
    let mut slots: Vec<Slot> = (0..PROCESSES).map(|_| None).collect();
    let mut started = 0;
    let mut cut = false;
    for round in 0..rounds {
        println!("round {round}, values from {}", page.value);
        meddle(&mut slots, &sandbox, &mut started, &mut random);
        cut |= lose(&mut sandbox, &mut random);
        page.write(&mut random);
        // Until it has arrived, or not quite: long enough for a lease to run out, or in the middle
        // of something.
        let (began, patience) = (Instant::now(), Duration::from_millis(random.u64(..9000)));
        until("it has arrived, or the time is up", || {
            began.elapsed() > patience || outstanding(&sandbox) == Some(0)
        });
    }
    // Paused processes resume, and a process starts in every empty slot.
    for slot in &mut slots {
        match slot {
            Some((process, _)) => process.resume(),
            None => *slot = Some((start(&sandbox, &mut started), false)),
        }
    }
    // The last event of all, so that it is known when the rest has passed.
    page.commit(&[put("\"end\"", "1")]);
    page.host.acknowledged(page.sequence);
    // A long run leaves a long stream, and a lost server is filled from all of it.
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(rounds);
    while sandbox.cached("\"end\"").is_none() || outstanding(&sandbox) != Some(0) {
        assert!(
            Instant::now() < deadline,
            "it never came to its end with seed {seed}"
        );
        sleep(Duration::from_millis(50));
    }
    if cut {
        // The mirror still has the changes that no process could apply any more.
        let verified = verify(&sandbox, &["--repair"]);
        println!("put right: {:?}", verified.kinds());
        assert_eq!((verified.code, verified.compared.pending), (Some(0), 0));
    }
    for key in 0..KEYS {
        let expected = page.model.get(&key).map(u64::to_string);
        assert_eq!(
            sandbox.cached(&key.to_string()),
            expected,
            "key {key} with seed {seed}"
        );
    }
    println!(
        "{} transactions, {started} processes, {} values watched",
        page.sequence,
        watch.end()
    );
}
