//! Origins whose stores must be read again as a whole, until they have been.
//!
//! That something is missing is kept on disk, where no crash can take it along: a store's
//! `doubtful` flag for what is known to concern it, a row of `reread` for an origin that lost
//! something if the host cannot tell in which store. The row goes with the last inventory of a
//! survey that was begun later; from then on the stores that it lists are doubtful, each until its
//! own snapshot is whole.
//!
//! Asking is another matter: a question may be lost with the host, or with the document that was to
//! answer. So it is put again, a few times, and whenever a host starts.

use std::{collections::HashMap, time::Instant};

use protocol::message::FromHost;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{order::SLACK_MS, settle::Settling, store::WHOLE};
use crate::{time::now_ms, timing};

/// How often a question is put. After that the next page load settles it, or the next host asks.
const ATTEMPTS: u32 = 4;

#[derive(Default)]
pub(super) struct Rereads {
    wanted: HashMap<String, Wanted>,
}

struct Wanted {
    /// When something came out to be missing that has not been asked for yet.
    fresh: Option<Instant>,
    due: Instant,
    attempts: u32,
}

/// The time from which on a look finds what has just come out to be missing, by any document's
/// clock.
pub(super) fn from_now() -> i64 {
    now_ms().saturating_add(SLACK_MS)
}

/// Notes on disk that something of this origin is missing.
pub(super) fn note(connection: &Connection, origin: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO reread (origin, since) VALUES (?1, ?2)")?
        .execute(params![origin, from_now()])
        .map(|_| ())
}

/// Since when something of this origin is missing, if it is. A read that begins no earlier may find
/// it.
pub(super) fn since(connection: &Connection, origin: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT since FROM reread WHERE origin = ?1")?
        .query_row([origin], |row| row.get(0))
        .optional()
}

/// What was missing is on the way, store by store.
pub(super) fn clear(connection: &Connection, origin: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM reread WHERE origin = ?1")?
        .execute([origin])
        .map(|_| ())
}

impl Rereads {
    /// What an earlier host has left to be done.
    pub(super) fn resume(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut origins =
            connection.prepare("SELECT origin FROM store WHERE doubtful UNION SELECT origin FROM reread")?;
        for origin in origins.query_map([], |row| row.get::<_, String>(0))? {
            let first = Wanted {
                fresh: None,
                due: Instant::now() + timing::journal::first_resync(),
                attempts: 0,
            };
            self.wanted.insert(origin?, first);
        }
        Ok(())
    }

    /// Something of it is missing; it is asked for soon.
    pub(super) fn want(&mut self, origin: &str) {
        let now = Instant::now();
        let since = self.wanted.get(origin).and_then(|wanted| wanted.fresh);
        let since = since.unwrap_or(now);
        let wanted = Wanted {
            fresh: Some(since),
            due: (now + timing::journal::quiet())
                .min(since + timing::journal::longest_unquiet())
                .max(now),
            attempts: 0,
        };
        self.wanted.insert(origin.to_owned(), wanted);
    }

    /// An answer is missing: it is asked for as if none had come.
    pub(super) fn want_still(&mut self, origin: &str) {
        if !self.wanted.contains_key(origin) {
            self.want(origin);
        }
    }

    /// The origin's stores are being read: no need to ask for it while they are.
    pub(super) fn heard(&mut self, origin: &str) {
        // What has not been asked for yet, these reads may have passed.
        if let Some(wanted) = self.wanted.get_mut(origin)
            && wanted.fresh.is_none()
        {
            wanted.due = wanted.due.max(Instant::now() + timing::journal::answer());
        }
    }

    /// Other documents of the origin can be asked than before: what nothing has come of is asked
    /// for once more.
    pub(super) fn ask_again(
        &mut self,
        connection: &Connection,
        settling: &Settling,
        origin: &str,
    ) -> rusqlite::Result<()> {
        // One that is asked for at the moment has attempts left, or fresh reasons.
        let is_asked = self.wanted.get(origin).is_some_and(|wanted| wanted.attempts <= 1);
        if !is_asked && is_missing(connection, settling, origin)? {
            self.want(origin);
        }
        Ok(())
    }

    /// The questions that are to be put now.
    pub(super) fn due(
        &mut self,
        connection: &Connection,
        settling: &Settling,
        now: Instant,
    ) -> rusqlite::Result<Vec<FromHost>> {
        let mut questions = Vec::new();
        let due: Vec<String> = self
            .wanted
            .iter()
            .filter(|(_, wanted)| wanted.due <= now)
            .map(|(origin, _)| origin.clone())
            .collect();
        for origin in due {
            let missing = is_missing(connection, settling, &origin)?;
            let Some(wanted) = self.wanted.get_mut(&origin) else {
                continue;
            };
            if !missing || wanted.attempts == ATTEMPTS {
                self.wanted.remove(&origin);
                continue;
            }
            wanted.fresh = None;
            wanted.due = now + timing::journal::answer() * (1 << wanted.attempts);
            wanted.attempts += 1;
            questions.push(FromHost::Snapshot { origin });
        }
        Ok(questions)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.wanted.values().map(|wanted| wanted.due).min()
    }
}

/// Whether something is missing, other than records that are asked for one by one.
fn is_missing(connection: &Connection, settling: &Settling, origin: &str) -> rusqlite::Result<bool> {
    if since(connection, origin)?.is_some() {
        return Ok(true);
    }
    let mut doubtful =
        connection.prepare_cached("SELECT id, doubtful FROM store WHERE doubtful AND origin = ?1")?;
    let stores = doubtful.query_map([origin], |row| Ok((row.get(0)?, row.get::<_, u8>(1)?)))?;
    for store in stores {
        let (store, doubts) = store?;
        if doubts & WHOLE != 0 || !settling.waits(store) {
            return Ok(true);
        }
    }
    Ok(false)
}
