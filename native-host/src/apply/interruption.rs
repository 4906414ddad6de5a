//! Why a process of `apply` stops what it does, for a while or for good.

use std::{io, time::Duration};

use memcache::exp;
use redis::{Connection, RedisError};

use crate::{
    config::Config,
    journal::progress::condition::Problem,
    memcached::{self, Failure},
    sinks::{self, runner::StepError},
    timing,
};

/// What interrupts the work.
#[derive(Debug)]
pub enum Interruption {
    /// A person or the system wants the end.
    Asked,
    /// The lease is another process's, or may be.
    LeaseLost,
    /// A server does not do what it should; to be tried again.
    Trouble {
        /// One word that never changes its meaning.
        state: &'static str,
        /// What, and what to do.
        trouble: Problem,
        /// Whether something that was sent to Memcached has no answer.
        unanswered: bool,
    },
    /// The output cannot be written.
    Output(io::Error),
}

impl Interruption {
    /// A trouble of our own naming.
    pub fn trouble(state: &'static str, error: String, fix: &str) -> Self {
        Self::Trouble {
            state,
            trouble: Problem {
                message: error,
                fix: fix.to_owned(),
            },
            unanswered: false,
        }
    }

    /// For a lease that was not kept for so long, and what took longest meanwhile.
    pub fn late(pause: Duration, slowest: Option<(&str, Duration)>) -> Self {
        let (why, fix) = match slowest.filter(|(_, took)| *took >= timing::apply::LONG_EXCHANGE) {
            Some((address, took)) => (
                format!(
                    "memcached at {address} took {:.1} s for one exchange",
                    took.as_secs_f64()
                ),
                "See why the server or the line to it is slow, or run this nearer to it; nothing is lost meanwhile.",
            ),
            None => (
                "this process stood still".to_owned(),
                "Nothing to do if the machine slept. Else see what holds it up: the machine's load, or who reads what it prints; \
                 nothing is lost meanwhile.",
            ),
        };
        let pause = pause.as_secs_f64();
        let error = format!("the lease was not kept for {pause:.1} s and had to be given up: {why}");
        Self::trouble("late", error, fix)
    }

    /// For what Redis said.
    pub fn redis(error: &RedisError, url: &str) -> Self {
        let StepError { state, trouble, .. } = sinks::redis::failure(error, &sinks::redis::address(url));
        Self::Trouble {
            state,
            trouble,
            unanswered: false,
        }
    }

    /// For what a Memcached server said, or did not.
    pub fn memcached(error: &exp::Error, server: &str) -> Self {
        let Failure { state, problem } = memcached::failure(error, &[server.to_owned()]);
        Self::Trouble {
            state,
            trouble: problem,
            unanswered: true,
        }
    }
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// How a fix ends for the stream, and how for the channels.
const KEPT: &str = "; nothing is lost meanwhile.";
const MISSED: &str = "; received events are kept and tried again, and events missed meanwhile are reported as a gap once more events arrive.";

/// The same fix for a subscriber of the channels.
pub fn fix_when_missed(fix: &str) -> String {
    match fix.strip_suffix(KEPT) {
        Some(fix) => format!("{fix}{MISSED}"),
        None => fix.to_owned(),
    }
}

/// Connects to the Redis of the configuration.
pub fn connect(config: &Config) -> Result<Connection, Interruption> {
    let Some(redis) = &config.redis else {
        // No command starts this without Redis.
        return Err(Interruption::trouble(
            "refused",
            "Redis is switched off in the configuration".to_owned(),
            "Remove enabled = false from [redis].",
        ));
    };
    sinks::redis::connect(redis).map_err(|error| Interruption::redis(&error, &redis.url))
}
