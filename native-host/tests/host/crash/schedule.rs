//! What happens in a round, made from its seed before it begins. Every step stands for itself, so
//! that any of them may be left out.

use fastrand::Rng;

use super::model::{Change, KEYS, Key, Request};

/// A transaction's requests, with the change of an upgrade.
#[derive(Debug, Clone)]
pub struct Work {
    pub home: usize,
    pub change: Option<Change>,
    pub requests: Vec<Request>,
}

/// Documents and origins are meant modulo how many there are.
#[derive(Debug, Clone)]
pub enum Step {
    Commit {
        document: usize,
        work: Work,
        late: bool,
    },
    DeleteDatabase {
        document: usize,
        home: usize,
    },
    Unseen(Work),
    Overflow {
        document: usize,
        work: Work,
    },
    Lose {
        document: usize,
        first: Work,
        second: Work,
    },
    Busy {
        document: usize,
        busy: bool,
    },
    Load {
        origin: usize,
    },
    Close {
        document: usize,
    },
    BrowserDies,
    Repeat,
    KillHost,
    CloseHost,
    /// The next host ends at this point, if it gets there.
    FailAt {
        point: &'static str,
        times: u8,
    },
    /// The machine fails: the host is gone, and of what was never synced something odd is left.
    TearJournal {
        how: Tear,
        seed: u64,
    },
    Redis(RedisFault),
    Memcached(MemcachedFault),
    FillDisk,
    FreeDisk,
    /// Everything is well again.
    Heal,
    /// Lets things overlap differently.
    Pause {
        milliseconds: u8,
    },
    /// Waits until the host has everything.
    Acknowledged,
}

/// What is left behind the last synced commit in the write-ahead log.
#[derive(Debug, Clone, Copy)]
pub enum Tear {
    /// The end is missing.
    Cut,
    /// Some bytes are others.
    Garbled,
    /// Pages that never came are zeros, and those behind them did.
    Hole,
    /// A frame that was just being written, or something else.
    Grown,
}

#[derive(Debug, Clone, Copy)]
pub enum RedisFault {
    Killed,
    Restarted,
    Emptied,
    /// An older copy, if one was made.
    SetBack,
    /// Makes that copy.
    Remember,
    FlushedAll,
    ScriptsFlushed,
    Paused,
    Resumed,
    ReadOnly,
    OutOfMemory,
    StreamOfOtherType,
    CursorOfOtherType,
    CursorLost,
    Loading,
    PasswordWanted,
    ClientsKilled,
}

#[derive(Debug, Clone, Copy)]
pub enum MemcachedFault {
    Killed,
    Restarted,
    Paused,
    Resumed,
}

/// See `failpoint::pass` in the host.
pub const POINTS: &[&str] = &[
    "journal.opening",
    "journal.committing",
    "journal.committed",
    "session.acknowledged",
    "session.asking",
    "redis.sending",
    "redis.sent",
    "memcached.filling",
    "memcached.storing",
    "memcached.stored",
    "sink.passed",
    "sink.saving",
    "sink.saved",
];

/// The documents' origins when the round begins.
pub const DOCUMENTS: &[usize] = &[0, 0, 1];

/// What happens in the round of this seed.
pub fn schedule(rng: &mut Rng) -> Vec<Step> {
    // Rounds differ in what they are about: few keys meet often, few documents make no doubts.
    let keys = [3, 12, 40, KEYS][rng.usize(..4)];
    let documents = 1 + rng.usize(..4);
    let homes = 1 + rng.usize(..4);
    let trouble = rng.u8(2..12);
    let style = Style {
        keys,
        documents,
        homes,
    };
    let mut steps = Vec::new();
    for _ in 0..rng.usize(20..90) {
        if rng.u8(..40) < trouble {
            steps.push(fault(rng));
        } else {
            steps.push(style.step(rng));
        }
        if rng.u8(..) < 60 {
            let milliseconds = [1, 3, 10, 30, 120][rng.usize(..5)];
            steps.push(Step::Pause { milliseconds });
        }
    }
    steps
}

struct Style {
    keys: Key,
    documents: usize,
    homes: usize,
}

impl Style {
    fn step(&self, rng: &mut Rng) -> Step {
        let document = rng.usize(..self.documents);
        match rng.u8(..100) {
            0..=2 => Step::DeleteDatabase {
                document,
                home: rng.usize(..self.homes),
            },
            3..=4 => Step::Unseen(self.work(rng)),
            5..=6 => Step::Overflow {
                document,
                work: self.work(rng),
            },
            7 => Step::Lose {
                document,
                first: self.work(rng),
                second: self.work(rng),
            },
            8..=11 => Step::Busy {
                document,
                busy: rng.bool(),
            },
            12..=13 => Step::Load {
                origin: rng.usize(..2),
            },
            14 => Step::Close { document },
            15..=16 => Step::Repeat,
            17..=19 => Step::Acknowledged,
            _ => Step::Commit {
                document,
                work: self.work(rng),
                late: rng.u8(..10) == 0,
            },
        }
    }

    fn work(&self, rng: &mut Rng) -> Work {
        let change = match rng.u8(..50) {
            0 => Some(Change::DeleteStore { store: rng.u8(..) }),
            1 => Some(Change::RenameStore {
                store: rng.u8(..),
                to: rng.u8(..),
            }),
            2 => Some(Change::CreateIndex { store: rng.u8(..) }),
            _ => None,
        };
        let count = if rng.bool() { 1 } else { rng.usize(1..8) };
        Work {
            home: rng.usize(..self.homes),
            change,
            requests: (0..count).map(|_| self.request(rng)).collect(),
        }
    }

    fn key(&self, rng: &mut Rng) -> Key {
        // Numbers and the others alike.
        let half = self.keys / 2;
        match rng.u16(..self.keys) {
            key if key < half => key,
            key => KEYS - 1 - (key - half).min(KEYS - 1),
        }
    }

    fn request(&self, rng: &mut Rng) -> Request {
        let store = if rng.bool() { 0 } else { rng.u8(..) };
        let key = self.key(rng);
        match rng.u8(..100) {
            0..=2 => Request::Clear { store },
            3..=8 => {
                let other = self.key(rng);
                let (from, to) = (key.min(other), key.max(other));
                Request::DeleteRange {
                    store,
                    from,
                    to,
                    // An open range of one key is none, and an error.
                    open: from < to && rng.bool(),
                }
            }
            9..=10 => Request::Fill {
                store,
                key,
                count: [20, 100, 700][rng.usize(..3)],
            },
            11..=25 => Request::Delete { store, key },
            26..=40 => Request::Add {
                store,
                key,
                kind: rng.u8(..),
            },
            _ => Request::Put {
                store,
                key,
                kind: rng.u8(..),
            },
        }
    }
}

fn fault(rng: &mut Rng) -> Step {
    use MemcachedFault as M;
    use RedisFault as R;
    match rng.u8(..100) {
        0..=11 => Step::KillHost,
        12..=15 => Step::CloseHost,
        16..=35 => Step::FailAt {
            point: POINTS[rng.usize(..POINTS.len())],
            times: 1 + rng.u8(..4),
        },
        36..=43 => Step::TearJournal {
            how: [Tear::Cut, Tear::Garbled, Tear::Hole, Tear::Grown][rng.usize(..4)],
            seed: rng.u64(..),
        },
        44..=69 => {
            let faults = [
                R::Killed,
                R::Restarted,
                R::Emptied,
                R::SetBack,
                R::Remember,
                R::FlushedAll,
                R::ScriptsFlushed,
                R::Paused,
                R::Resumed,
                R::ReadOnly,
                R::OutOfMemory,
                R::StreamOfOtherType,
                R::CursorOfOtherType,
                R::CursorLost,
                R::Loading,
                R::PasswordWanted,
                R::ClientsKilled,
            ];
            Step::Redis(faults[rng.usize(..faults.len())])
        }
        70..=83 => Step::Memcached([M::Killed, M::Restarted, M::Paused, M::Resumed][rng.usize(..4)]),
        84..=87 => Step::FillDisk,
        88..=90 => Step::FreeDisk,
        91..=92 => Step::BrowserDies,
        _ => Step::Heal,
    }
}
