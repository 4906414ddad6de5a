//! Origins whose stores must be read again completely, until they have been.
//!
//! What is missing is kept on disk, so no crash loses it: in `store.pending_reads` if the store is
//! known, or in a row of `resync` for the origin. The row goes with the last store list of a survey
//! that began later. From then on each listed store has pending reads until its own snapshot is
//! whole.
//!
//! A question may be lost with the host, or with the document that was to answer it. So the host
//! asks again, a few times, and after each start.

use std::{collections::HashMap, time::Instant};

use protocol::wire::host::FromHost;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{WHOLE, requery::Requery, stamp::SLACK_MS};
use crate::{time::now_ms, timing};

/// How often a question is put. After that the next page load answers it, or the next host asks.
const ATTEMPTS: u32 = 4;

#[derive(Default)]
pub(in crate::journal) struct Resyncs {
    requests: HashMap<String, Request>,
}

struct Request {
    /// When something came out to be missing that has not been asked for yet.
    unasked_since: Option<Instant>,
    due: Instant,
    attempts: u32,
}

/// A read that begins at this time or later finds what is missing now, by any document's clock.
pub(in crate::journal) fn from_now() -> i64 {
    now_ms().saturating_add(SLACK_MS)
}

/// Notes on disk that something of this origin is missing.
pub(in crate::journal) fn note(connection: &Connection, origin: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO resync (origin, since) VALUES (?1, ?2)")?
        .execute(params![origin, from_now()])
        .map(|_| ())
}

/// Since when something of this origin is missing, if it is. A read that begins no earlier may find
/// it.
pub(in crate::journal) fn since(connection: &Connection, origin: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT since FROM resync WHERE origin = ?1")?
        .query_row([origin], |row| row.get(0))
        .optional()
}

/// What was missing is on the way, store by store.
pub(in crate::journal) fn clear(connection: &Connection, origin: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM resync WHERE origin = ?1")?
        .execute([origin])
        .map(|_| ())
}

/// Records of these stores are in conflict, and which ones is known no longer: all of each store
/// is to be read, and until then nothing of it is certain.
pub(in crate::journal) fn request_stores(connection: &Connection, stores: &[i64]) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for store in stores {
        transaction
            .prepare_cached(
                "UPDATE store SET complete = 0, lapsed_at = max(lapsed_at, ?2), pending_reads = ?3,
                    resync_pending_since = max(resync_pending_since, records_pending_since)
                 WHERE id = ?1",
            )?
            .execute(params![store, from_now(), WHOLE])?;
    }
    transaction.commit()
}

impl Resyncs {
    /// What an earlier host has left to be done.
    pub(in crate::journal) fn resume(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut origins = connection
            .prepare("SELECT origin FROM store WHERE pending_reads UNION SELECT origin FROM resync")?;
        for origin in origins.query_map([], |row| row.get::<_, String>(0))? {
            let first = Request {
                unasked_since: None,
                due: Instant::now() + timing::journal::first_resync(),
                attempts: 0,
            };
            self.requests.insert(origin?, first);
        }
        Ok(())
    }

    /// Something of it is missing; it is asked for soon.
    pub(in crate::journal) fn request(&mut self, origin: &str) {
        let now = Instant::now();
        let since = self.requests.get(origin).and_then(|wanted| wanted.unasked_since);
        let since = since.unwrap_or(now);
        let wanted = Request {
            unasked_since: Some(since),
            due: (now + timing::journal::quiet())
                .min(since + timing::journal::longest_unquiet())
                .max(now),
            attempts: 0,
        };
        self.requests.insert(origin.to_owned(), wanted);
    }

    /// The same where it was quiet for long enough.
    pub(in crate::journal) fn request_at_once(&mut self, origin: &str, now: Instant) {
        let wanted = Request {
            unasked_since: Some(now),
            due: now,
            attempts: 0,
        };
        self.requests.insert(origin.to_owned(), wanted);
    }

    /// An answer is missing: it is asked for as if none had come.
    pub(in crate::journal) fn request_unless_pending(&mut self, origin: &str) {
        if !self.requests.contains_key(origin) {
            self.request(origin);
        }
    }

    /// The origin's stores are being read: no need to ask for it while they are.
    pub(in crate::journal) fn extend_deadline(&mut self, origin: &str) {
        // What has not been asked for yet, these reads may have passed.
        if let Some(wanted) = self.requests.get_mut(origin)
            && wanted.unasked_since.is_none()
        {
            wanted.due = wanted.due.max(Instant::now() + timing::journal::answer());
        }
    }

    /// Other documents of the origin can be asked than before: what nothing has come of is asked
    /// for once more.
    pub(in crate::journal) fn ask_again(
        &mut self,
        connection: &Connection,
        requery: &Requery,
        origin: &str,
    ) -> rusqlite::Result<()> {
        // One that is asked for at the moment has attempts left, or fresh reasons.
        let is_asked = self
            .requests
            .get(origin)
            .is_some_and(|wanted| wanted.attempts <= 1);
        if !is_asked && is_missing(connection, requery, origin)? {
            self.request(origin);
        }
        Ok(())
    }

    /// The questions that are to be put now.
    pub(in crate::journal) fn due(
        &mut self,
        connection: &Connection,
        requery: &Requery,
        now: Instant,
    ) -> rusqlite::Result<Vec<FromHost>> {
        let mut questions = Vec::new();
        let due: Vec<String> = self
            .requests
            .iter()
            .filter(|(_, wanted)| wanted.due <= now)
            .map(|(origin, _)| origin.clone())
            .collect();
        // All of them first: a question that is counted is put, too.
        let missing = due
            .iter()
            .map(|origin| is_missing(connection, requery, origin))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for (origin, missing) in due.into_iter().zip(missing) {
            let Some(wanted) = self.requests.get_mut(&origin) else {
                continue;
            };
            if !missing || wanted.attempts == ATTEMPTS {
                self.requests.remove(&origin);
                continue;
            }
            wanted.unasked_since = None;
            wanted.due = now + timing::journal::answer() * (1 << wanted.attempts);
            wanted.attempts += 1;
            questions.push(FromHost::Snapshot { origin });
        }
        Ok(questions)
    }

    /// What is due could not be looked up: it is tried again in a while.
    pub(in crate::journal) fn postpone(&mut self, now: Instant) {
        for wanted in self.requests.values_mut().filter(|wanted| wanted.due <= now) {
            wanted.due = now + timing::host::retry();
        }
    }

    pub(in crate::journal) fn next_due(&self) -> Option<Instant> {
        self.requests.values().map(|wanted| wanted.due).min()
    }
}

/// Whether something is missing, other than records that are asked for one by one.
fn is_missing(connection: &Connection, requery: &Requery, origin: &str) -> rusqlite::Result<bool> {
    if since(connection, origin)?.is_some() {
        return Ok(true);
    }
    let mut pending_reads = connection
        .prepare_cached("SELECT id, pending_reads FROM store WHERE pending_reads AND origin = ?1")?;
    let stores = pending_reads.query_map([origin], |row| Ok((row.get(0)?, row.get::<_, u8>(1)?)))?;
    for store in stores {
        let (store, doubts) = store?;
        if doubts & WHOLE != 0 || !requery.has_pending(store) {
            return Ok(true);
        }
    }
    Ok(false)
}
