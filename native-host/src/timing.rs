//! Every duration that the host and its commands wait for or measure against, on one page.
//!
//! A debug build with `IDB_RELAY_PACE=10` in its environment takes a tenth of the time where a test
//! would only wait: pauses, intervals, and the patience with servers. What follows them stays the
//! same, and so does their ratio. Nothing reads the variable in a release build.
//!
//! **A function is shortened by the pace, a constant is not.** Callers use both as they are. A
//! duration is a constant for one of these reasons:
//!
//! - *lease*: a lease, or what must fit into one. Every process of a group counts with the same
//!   length.
//! - *server's clock*: a server measures it, Memcached in whole seconds.
//! - *limit*: another program, or the system, sets it: a browser, SQLite, the network.
//! - *work*: it bounds what another process does at its own speed, which no pace changes, and a
//!   test may fail if it is up too early.
//! - *short*: nothing is gained.
//! - *wall clock*: it is compared with the time of day, which `IDB_RELAY_CLOCK` sets
//!   ([`failpoint`](crate::failpoint)).
//!
//! What must be over before something else stays so at every pace: if a duration has to be longer
//! than another one, both are functions or both are constants. A lint refuses other durations in
//! this crate (`xtask/src/lint/timers.rs`).

use std::time::Duration;

/// The session with the browser.
pub(crate) mod host {
    use super::{Duration, paced};

    /// How long the sinks may go on after stdin has ended. *Limit*: browsers kill a host about two
    /// seconds after they have closed its stdin.
    pub(crate) const LAST_MOMENTS: Duration = Duration::from_millis(1500);

    /// How long the journal's thread sleeps before the hello. *Short*: a message wakes it at once.
    pub(crate) const BEFORE_HELLO: Duration = Duration::from_secs(60);

    /// How often other processes' requests are looked for.
    pub(crate) fn requests() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// How often old events are looked for.
    pub(crate) fn tidy() -> Duration {
        paced(Duration::from_secs(60))
    }

    /// How soon old events are looked for again if there are more of them.
    pub(crate) fn tidy_more() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// How often the servers' problems are sent to the extension.
    pub(crate) fn server_problems() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// The pause before a transaction that failed is tried again.
    pub(crate) fn retry() -> Duration {
        paced(Duration::from_millis(500))
    }
}

/// The journal, and what it asks pages for.
pub(crate) mod journal {
    use super::{Duration, paced};

    /// How long to wait for a host that is still finishing. A browser that restarts the extension
    /// may start the next host while the last one has up to two seconds left. *Limit*: longer than
    /// [`host::LAST_MOMENTS`](super::host::LAST_MOMENTS).
    pub(crate) const LOCK: Duration = Duration::from_secs(3);

    /// How often the lock is tried. *Short*.
    pub(crate) const LOCK_POLL: Duration = Duration::from_millis(20);

    /// How long an SQLite connection waits for another one. Only checkpoints, first reads of other
    /// processes and repairs can make it wait. *Work*.
    pub(crate) const BUSY: Duration = Duration::from_secs(5);

    /// How often a repair tries to freeze the journal while the host writes: often, for in a flood
    /// the lock is free for moments only. *Short*.
    pub(crate) const FREEZE_POLL: Duration = Duration::from_millis(1);

    /// How long after the start the first resync is asked for: documents need a moment to connect
    /// again.
    pub(crate) fn first_resync() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// How long a store must be quiet before its conflicts are asked about, or its origin is read
    /// again. Long enough that the answer begins past every conflict
    /// ([`SLACK_MS`](crate::journal)); a page that answers earlier is asked again.
    pub(crate) fn quiet() -> Duration {
        paced(Duration::from_millis(300))
    }

    /// A store that is never quiet is asked for after this long all the same.
    pub(crate) fn longest_unquiet() -> Duration {
        paced(Duration::from_secs(2))
    }

    /// How long an answer may take until the question is put again. A resync that nothing comes of
    /// is then asked for after twice that time, and so on.
    pub(crate) fn answer() -> Duration {
        paced(Duration::from_secs(5))
    }

    /// How long a tombstone is kept, in milliseconds. *Wall clock*.
    pub(crate) const TOMBSTONE_MS: i64 = 60 * 60 * 1000;

    /// How long a store counts as written to unseen after such a write was found, in milliseconds.
    /// Several times the longest wait between two comparisons. *Wall clock*.
    pub(crate) const UNSEEN_MS: i64 = 60 * 60 * 1000;

    /// How long a document is remembered after its last delivery, in milliseconds. *Wall clock*.
    pub(crate) const CONTEXT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

    /// How long a worker that is not observed is remembered: what one that a site has no more wrote
    /// was found long ago. A day.
    pub(crate) const WORKER_MS: i64 = 24 * 60 * 60 * 1000;

    /// How exactly it is remembered when a worker was seen: a load of its page writes at most once
    /// in that time. A minute.
    pub(crate) const WORKER_PRECISION_MS: i64 = 60 * 1000;
}

/// What both sinks do.
pub(crate) mod sinks {
    use super::{Duration, paced};

    /// The first pause after a failure.
    pub(crate) fn first_backoff() -> Duration {
        paced(Duration::from_millis(100))
    }

    /// The longest pause after a failure.
    pub(crate) fn longest_backoff() -> Duration {
        paced(Duration::from_secs(5))
    }

    /// How often a sink that has nothing to pass on looks after its server.
    pub(crate) fn idle() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// How soon a sink looks whether the journal's writer has written its progress. *Short*.
    pub(crate) const PROGRESS_POLL: Duration = Duration::from_millis(10);

    /// How often it is looked whether a sink has ended. *Short*.
    pub(crate) const END_POLL: Duration = Duration::from_millis(5);
}

/// Redis.
pub(crate) mod redis {
    use super::{Duration, paced};

    /// How long a server may take to connect.
    pub(crate) fn connect() -> Duration {
        paced(Duration::from_secs(2))
    }

    /// How long a server may take to answer. A script that outlives this has still run once, which
    /// the cursor shows.
    pub(crate) fn answer() -> Duration {
        answer_after(Duration::ZERO)
    }

    /// The same for a call that takes this long to get there.
    pub(crate) fn answer_after(moving: Duration) -> Duration {
        paced(Duration::from_secs(5) + moving)
    }

    /// How often the server is asked about its memory, at least.
    pub(crate) fn memory() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// After how long a step comes to its end, so that what it has done is seen. *Work*.
    pub(crate) const STEP: Duration = Duration::from_millis(100);

    /// How often a host gives its sign of life, here and in Memcached.
    pub(crate) fn sign() -> Duration {
        paced(Duration::from_secs(3))
    }

    /// After how long a host that gives no sign has ended. Redis measures it, in milliseconds.
    pub(crate) fn sign_lasts() -> Duration {
        paced(Duration::from_secs(10))
    }

    /// How long a host that runs may take to answer a challenge: it looks once in
    /// [`sinks::idle`](super::sinks::idle).
    pub(crate) fn challenge() -> Duration {
        paced(Duration::from_secs(4))
    }

    /// How often the challenger looks for the answer.
    pub(crate) fn challenge_poll() -> Duration {
        paced(Duration::from_millis(50))
    }

    /// How long a challenge and its answer stay, in milliseconds. *Server's clock*; each is deleted
    /// or replaced by then.
    pub(crate) const CHALLENGE_STAYS_MS: u64 = 10_000;

    /// How long a host says that it was challenged: longer than the pause until the next challenge.
    /// *Work*: the challenger may have another pace.
    pub(crate) const CHALLENGE_REMEMBERED: Duration = Duration::from_secs(15);
}

/// Memcached.
pub(crate) mod memcached {
    use super::{Duration, paced};

    /// How long a server may take to connect.
    pub(crate) fn connect() -> Duration {
        paced(Duration::from_secs(2))
    }

    /// How long a server may take to answer, or to take some of what is sent to it.
    pub(crate) fn answer() -> Duration {
        answer_after(Duration::ZERO)
    }

    /// The same for an exchange that takes this long to get there.
    pub(crate) fn answer_after(moving: Duration) -> Duration {
        paced(Duration::from_secs(5) + moving)
    }

    /// How long after a server has answered on a new connection it may still execute what had come
    /// on one that is closed: it has only to get through what it had received. *Work*.
    pub(crate) const AFTERMATH: Duration = Duration::from_millis(500);

    /// How long a marker is taken to be there while all is quiet.
    pub(crate) fn marker_while_quiet() -> Duration {
        paced(Duration::from_millis(500))
    }

    /// How long a marker is taken to be there, and an owner to be the same, while there is
    /// something to pass on.
    pub(crate) fn marker_while_busy() -> Duration {
        paced(Duration::from_secs(2))
    }

    /// After how many seconds a host that gives no sign of life has ended. *Server's clock*.
    pub(crate) const SIGN_LASTS_SECONDS: u32 = 10;

    /// How long after it has met an origin a host takes it over from an owner that does not run:
    /// long enough for one that was killed to be known as ended. *Server's clock*: longer than
    /// [`SIGN_LASTS_SECONDS`].
    pub(crate) const SUCCESSION: Duration = Duration::from_secs(15);

    /// How long the owner of an origin may take to say so again when the servers have forgotten it.
    /// *Work*: the owner's host may have another pace.
    pub(crate) const OWNER_FORGOTTEN: Duration = Duration::from_secs(15);

    /// How long a server may list its items for another client; it does so for one at a time.
    /// *Work*.
    pub(crate) const LIST_BUSY: Duration = Duration::from_secs(10);

    /// How often that is tried. *Short*.
    pub(crate) const LIST_POLL: Duration = Duration::from_millis(100);
}

/// `idb-relay apply`.
///
/// Its lease and the fences in Memcached are not shortened. A fence is a date on Memcached's clock,
/// which has whole seconds: it lies 3 of them ahead so that a write has more than 2 to arrive, and
/// the next process waits for 4. That wait and the lease run side by side in a process that stands
/// by, so a shorter lease would end no takeover earlier.
pub(crate) mod apply {
    use super::{Duration, paced};

    /// How long a lease lives without being kept, and how far the servers' clocks move until a
    /// process that takes it over begins. *Lease*, *server's clock*.
    pub(crate) const LEASE_SECONDS: u32 = 4;

    /// A lease that was not kept for so long is given up without asking: a Redis that was set back
    /// to an older state could say yes though another process has it. *Lease*.
    pub(crate) const LEASE_UNKEPT: Duration = Duration::from_millis(LEASE_SECONDS as u64 * 500);

    /// How long the lease is not kept before the second connection keeps it: longer than a server
    /// is asked to wait for something to happen. *Lease*.
    pub(crate) const LEASE_KEPT_BY_OTHER: Duration = Duration::from_millis(750);

    /// The pause before the second connection tries again. *Lease*.
    pub(crate) const LEASE_KEPT_AGAIN: Duration = Duration::from_millis(250);

    /// How long a fence is used. An older one is no less safe, but leaves less time to arrive.
    /// *Lease*.
    pub(crate) const FENCE_FRESH: Duration = Duration::from_millis(500);

    /// How often the servers' clocks are looked at while they have to move on. *Server's clock*.
    pub(crate) const CLOCK_POLL: Duration = Duration::from_millis(100);

    /// What a server that took so long took too long: much of the time for which a lease goes
    /// without being kept. *Lease*.
    pub(crate) const LONG_EXCHANGE: Duration = Duration::from_secs(1);

    /// A batch that took longer than this was too large. *Lease*: it arrives before the fence.
    pub(crate) const LONG_BATCH: Duration = Duration::from_millis(500);

    /// A batch that took less than this was too small. *Lease*.
    pub(crate) const SHORT_BATCH: Duration = Duration::from_millis(100);

    /// How long Redis waits for a new entry of the stream before it says that there is none: less
    /// than [`redis::answer`](super::redis::answer) and [`LEASE_KEPT_BY_OTHER`].
    pub(crate) fn new_entry() -> Duration {
        paced(Duration::from_millis(500))
    }

    /// The first pause after a failure.
    pub(crate) fn first_backoff() -> Duration {
        paced(Duration::from_millis(100))
    }

    /// The longest pause after a failure: short enough for the lease to be kept meanwhile.
    pub(crate) fn longest_backoff() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// How often a process that stands by asks for the lease.
    pub(crate) fn stand_by() -> Duration {
        paced(Duration::from_millis(500))
    }

    /// How often it is looked whether the end was asked for. *Short*.
    pub(crate) const END_POLL: Duration = Duration::from_millis(50);

    /// How long nothing more of a transaction may come before what there is of it is applied. A
    /// machine that is slow must not cut one. The rest may never come: from the channels because it
    /// was lost, from the stream because the host has ended in the middle and continues when it is
    /// started again. *Work*.
    pub(crate) const REST: Duration = Duration::from_secs(2);

    /// How long open transactions are waited for in all, also if they do not end: the events of all
    /// profiles wait with them. Long enough for the largest that is read at once. *Work*.
    pub(crate) const REST_IN_ALL: Duration = Duration::from_secs(20);

    /// How long a `--pubsub` process waits for an event before it keeps its lease. *Lease*.
    pub(crate) const NO_EVENT: Duration = Duration::from_millis(500);

    /// After how long a silence of the channels Redis is asked whether it is still there. *Work*:
    /// what is published while a connection is replaced is lost.
    pub(crate) const SILENCE: Duration = Duration::from_secs(2);

    /// How long Redis may take to confirm that the channels are subscribed to. *Work*, as
    /// [`SILENCE`] is.
    pub(crate) const SUBSCRIBED: Duration = Duration::from_secs(5);

    /// The pause before the channels are subscribed to again.
    pub(crate) fn subscribe_again() -> Duration {
        paced(Duration::from_millis(500))
    }

    /// How long a host may do nothing that is giving the stream again what it lost: longer than
    /// [`sinks::longest_backoff`](super::sinks::longest_backoff), after which it tries again.
    /// *Work*: the host may have another pace.
    pub(crate) const REFILL: Duration = Duration::from_secs(10);

    /// How often such a host is looked after. *Short*.
    pub(crate) const REFILL_POLL: Duration = Duration::from_millis(100);

    /// How long a host may take, at the stream's end, to say that it has left out what is missing.
    /// It does so in the next calls of its script. *Work*.
    pub(crate) const UNDECIDED: Duration = Duration::from_secs(10);

    /// How long an owner is taken to be the same.
    pub(crate) fn owner_known() -> Duration {
        paced(Duration::from_secs(1))
    }

    /// How long an owner's host gives no sign until another profile follows it. A host that is
    /// started again does in less.
    pub(crate) fn succession() -> Duration {
        paced(Duration::from_secs(15))
    }

    /// How often progress is reported. *Short*: nothing waits for it.
    pub(crate) const PROGRESS: Duration = Duration::from_secs(1);
}

/// Comparing, and repairing.
pub(crate) mod compare {
    use super::{Duration, paced};

    /// How long a difference is watched that the running host may be about to put right itself, as
    /// it does when a server has come back empty. Once that was in vain, further ones are not
    /// waited for.
    pub(crate) fn difference() -> Duration {
        paced(Duration::from_secs(2))
    }

    /// How long a change may be on its way. *Work*.
    pub(crate) const ON_ITS_WAY: Duration = Duration::from_secs(2);

    /// How long a host may take that is filling a server. *Work*.
    pub(crate) const FILLING: Duration = Duration::from_secs(60);

    /// The first pause before a suspect is looked at again. *Short*.
    pub(crate) const FIRST_LOOK: Duration = Duration::from_millis(10);

    /// The longest such pause. *Short*.
    pub(crate) const LONGEST_LOOK: Duration = Duration::from_millis(200);

    /// How long a repair waits in one round for a host that writes without a pause. *Work*.
    pub(crate) const FREEZE: Duration = Duration::from_secs(1);

    /// How many seconds an item lasts that has not been made to last. *Server's clock*.
    pub(crate) const UNCONFIRMED_SECONDS: u32 = 3;

    /// After how long such an item is gone: its seconds are whole ones. *Server's clock*.
    pub(crate) const UNCONFIRMED_GONE: Duration = Duration::from_secs(UNCONFIRMED_SECONDS as u64 + 1);
}

/// Inspectors' questions.
pub(crate) mod inspect {
    use protocol::wire::inspector::FEED_PATIENCE_MS;

    use super::Duration;

    /// How long a question for news waits. *Limit*: the inspector counts on it.
    pub(crate) const FEED: Duration = Duration::from_millis(FEED_PATIENCE_MS);

    /// How often the journal is looked at while such a question waits. *Short*.
    pub(crate) const FEED_POLL: Duration = Duration::from_millis(20);

    /// How late a commit may be journaled, in milliseconds, and count for the latencies: a page may
    /// have been frozen, or the host away. An older time is most likely wrong. *Wall clock*.
    pub(crate) const LATEST_REPORT_MS: i64 = 24 * 60 * 60 * 1000;

    /// How far a page's clock may be ahead of the host's, in milliseconds, likewise. *Wall clock*.
    pub(crate) const CLOCKS_APART_MS: i64 = 250;

    /// How often the progress of a comparison is sent to an inspector. *Short*.
    pub(crate) const COMPARISON_PROGRESS: Duration = Duration::from_millis(250);
}

/// Commands.
pub(crate) mod cli {
    use super::{Duration, paced};

    /// How long a running host may take to see a request: it looks once in
    /// [`host::requests`](super::host::requests). *Work*: the host may have another pace.
    pub(crate) const RESYNC: Duration = Duration::from_secs(5);

    /// How often it is looked whether it has. *Short*.
    pub(crate) const RESYNC_POLL: Duration = Duration::from_millis(20);

    /// How often `tail` looks at the journals: they tell other processes nothing, but looking costs
    /// them nothing either. *Short*.
    pub(crate) const TAIL_POLL: Duration = Duration::from_millis(20);

    /// How often `tail` looks for new journals.
    pub(crate) fn tail_journals() -> Duration {
        paced(Duration::from_millis(500))
    }

    /// The part of a server's answer to `doctor` that a wait may take.
    pub(crate) fn doctor() -> Duration {
        paced(Duration::from_secs(2))
    }
}

/// How long this takes at the pace of this process.
#[cfg(debug_assertions)]
fn paced(duration: Duration) -> Duration {
    static PACE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let pace = PACE.get_or_init(|| {
        let variable = std::env::var("IDB_RELAY_PACE").ok();
        variable.and_then(|pace| pace.parse().ok()).unwrap_or(1)
    });
    at_pace(duration, *pace)
}

/// See the debug build's: the duration itself.
#[cfg(not(debug_assertions))]
#[inline(always)]
fn paced(duration: Duration) -> Duration {
    duration
}

/// A divisor of 0 changes nothing, and none leads to 0, which no socket takes for a time-out.
#[cfg(debug_assertions)]
fn at_pace(duration: Duration, pace: u32) -> Duration {
    (duration / pace.max(1)).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(debug_assertions)]
    #[test]
    fn pace_divides_and_never_ends_at_zero() {
        let second = Duration::from_secs(1);
        assert_eq!(at_pace(second, 10), Duration::from_millis(100));
        assert_eq!(at_pace(second, 0), second);
        assert_eq!(at_pace(second, 1_000_000), Duration::from_millis(1));
    }

    #[test]
    fn what_must_be_over_first_is_shorter() {
        assert!(host::LAST_MOMENTS < journal::LOCK);
        assert!(sinks::idle() * 3 < redis::challenge());
        assert!(redis::sign() * 3 < redis::sign_lasts());
        assert!(redis::sign_lasts() < apply::succession());
        assert!(u64::from(memcached::SIGN_LASTS_SECONDS) < memcached::SUCCESSION.as_secs());
        assert!(apply::LEASE_KEPT_BY_OTHER * 2 < apply::LEASE_UNKEPT);
        assert!(apply::new_entry() < apply::LEASE_KEPT_BY_OTHER);
        assert!(apply::new_entry() * 5 < redis::answer());
        assert!(apply::NO_EVENT * 2 < apply::LEASE_UNKEPT);
        assert!(apply::stand_by() * 2 < apply::LEASE_UNKEPT);
        assert!(apply::longest_backoff().mul_f64(1.5) < apply::LEASE_UNKEPT);
        assert!(sinks::longest_backoff().mul_f64(1.5) < apply::REFILL);
    }
}
