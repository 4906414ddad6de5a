//! Which host may move the profile's cursor: the one whose token the server has.
//!
//! A copy of a journal (a copied browser profile, a restored machine) publishes under the same
//! profile id and the same numbers; each would take the other's events for its own and leave them
//! out. So a connection leaves a token beside the cursor, and the script that publishes does
//! nothing for any other one.
//!
//! - A token that the journal knows is its own, or that of the journal which it was copied from: it
//!   is replaced.
//! - One that it does not know is *challenged*: if its host runs it answers within a second, and
//!   keeps the cursor. If there is no answer that host has ended, and the cursor is taken over.
//! - The host that is challenged says so as long as that lasts; the one that has no cursor says
//!   so, too, and tries again.

use std::{thread, time::Instant};

use redis::{RedisError, Script};

use super::link::{Link, token_keys};
use crate::timing;

/// What stands under a challenge's key, and once it was answered; `publish.lua` knows the latter,
/// too.
const ASKED: &str = "asked";
const ANSWERED: &str = "answered";

/// Whose the cursor was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// No host's, or this journal's.
    Own,
    /// A copy's, or that of a journal which is gone: it may have events under the numbers of this
    /// one's.
    Other,
}

/// When this host was challenged last.
#[derive(Debug, Default)]
pub(super) struct Challenged(Option<Instant>);

impl Challenged {
    pub(super) fn note(&mut self) {
        self.0 = Some(Instant::now());
    }

    pub(super) fn is_recent(&self) -> bool {
        self.0
            .is_some_and(|at| at.elapsed() < timing::redis::CHALLENGE_REMEMBERED)
    }
}

/// Gives the cursor to this token if `former` is its holder still; otherwise the holder has to be
/// looked up again.
pub(super) fn replace(link: &mut Link, token: &str, former: Option<&str>) -> Result<bool, RedisError> {
    let (host, challenge) = token_keys(link.cursor_key());
    let script = Script::new(include_str!("claim.lua"));
    script
        .key(host)
        .key(challenge)
        .arg(token)
        .arg(former.unwrap_or_default())
        .invoke(link.connection())
}

/// Whether the holder of the cursor answers.
pub(super) fn is_alive(link: &mut Link) -> Result<bool, RedisError> {
    let (_, key) = token_keys(link.cursor_key());
    let end = Instant::now() + timing::redis::challenge();
    set(link, &key, ASKED)?;
    loop {
        thread::sleep(timing::redis::challenge_poll());
        let found: Option<String> = redis::cmd("GET").arg(&key).query(link.connection())?;
        if found.as_deref() == Some(ANSWERED) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
    }
}

/// Answers a challenge, if there is one; whether there is or was just one.
pub(super) fn answer(link: &mut Link) -> Result<bool, RedisError> {
    let (_, key) = token_keys(link.cursor_key());
    let found: Option<String> = redis::cmd("GET").arg(&key).query(link.connection())?;
    if found.as_deref() == Some(ASKED) {
        set(link, &key, ANSWERED)?;
    }
    // Empty is one that the former holder has left: see `claim.lua`.
    Ok(found.is_some_and(|challenge| challenge == ASKED || challenge == ANSWERED))
}

fn set(link: &mut Link, key: &str, text: &str) -> Result<(), RedisError> {
    redis::cmd("SET")
        .arg(key)
        .arg(text)
        .arg("PX")
        .arg(timing::redis::CHALLENGE_STAYS_MS)
        .exec(link.connection())
}
