//! What leaves the journal, and what is stripped when space runs out: see [`limits`].
//!
//! [`limits`]: super::super::retention::limits

mod backfill;
mod evict;
mod strip;

use protocol::wire::host::{ErrorCode, HostError, Page};

use self::backfill::Backfilled;
pub(super) use self::strip::Loss;
use super::{
    super::{
        place::Place,
        retention::{
            forget::{self, Tombstones},
            limits,
        },
        schema,
        store::Stores,
    },
    Batch,
};

/// How many times its bound the journal may take in all, with rows and keys that cannot be
/// stripped.
const OVERFULL: u64 = 2;

impl Batch<'_> {
    /// Whether there is more than there may be.
    pub(super) fn is_full(&self) -> bool {
        self.state
            .limits
            .max_bytes
            .is_some_and(|most| self.state.usage.bytes > most)
    }

    /// Whether the rows of events that cannot lose more take so much that deliveries are given up.
    pub(super) fn is_overfull(&self) -> bool {
        let most = self.state.limits.max_bytes.unwrap_or(u64::MAX);
        let usage = self.state.usage;
        usage.unstrippable.min(usage.bytes) > most.saturating_mul(OVERFULL)
    }

    /// Strips what can be stripped before any delivery is given up, if that is not looked up yet:
    /// the bound may have been higher.
    pub(super) fn look_up_unstrippable(&mut self) -> rusqlite::Result<()> {
        if self.is_overfull() && !self.state.usage.is_looked_up && !self.is_retained {
            self.is_retained = true;
            self.retain()?;
        }
        Ok(())
    }

    /// Gives up a delivery, for there is no space for any more rows. Its origin is read again once
    /// there is.
    pub(super) fn give_up_delivery(
        &mut self,
        context: &str,
        sequence: u64,
        page: &Page<'_>,
    ) -> rusqlite::Result<()> {
        self.state.was_overfull = true;
        if self.given_up_origins.insert(page.origin.clone().into_owned()) {
            self.outcome.errors.push(HostError {
                code: ErrorCode::DeliveriesMissing,
                message: format!(
                    "delivery {sequence} of a page of {} was given up: the journal is full of events that the servers have yet to take (journal.max_mib)",
                    page.origin
                ),
                fix: "Start the servers that `idb-relay status` names, or raise journal.max_mib; the page's stores are read again once there is space.".to_owned(),
                context: Some(context.to_owned()),
                sequence: Some(sequence),
            });
        }
        self.note_missing(&page.origin)
    }

    /// Asks for what was given up, once there is space for it.
    fn ask_for_given_up(&mut self) -> rusqlite::Result<()> {
        // What went away since the journal was last full does not count any more.
        let usage = &mut self.state.usage;
        usage.unstrippable = usage.unstrippable.min(usage.bytes);
        if self.state.was_overfull && !self.is_overfull() {
            self.state.was_overfull = false;
            self.state.resyncs.resume(&self.transaction)?;
        }
        Ok(())
    }

    /// Backfills, removes old events and tombstones, and strips events of their text if there is no
    /// room for it. Returns whether there is more to do at once.
    pub(super) fn retain(&mut self) -> rusqlite::Result<bool> {
        let backfilled = self.backfill()?;
        let mut more = backfilled == Backfilled::Some;
        more |= self.evict()?;
        limits::bound_notices(&self.transaction)?;
        if forget::tombstones(&self.transaction, false)? {
            // What is remembered of stores is older.
            self.state.stores = Stores::default();
        }
        // What was backfilled has to reach the sinks first, or it would be stripped before.
        if !more && backfilled == Backfilled::Nothing && self.is_full() {
            more = self.strip_values()?;
        }
        self.ask_for_given_up()?;
        Ok(more)
    }

    /// Forgets the oldest deleted records if there are too many.
    pub(super) fn bound_tombstones(&mut self) -> rusqlite::Result<()> {
        let most = Tombstones::limit(&self.state.limits);
        let tombstones = &mut self.state.tombstones;
        tombstones.append(&mut self.single.tombstones);
        if tombstones.bound(&self.transaction, most)? {
            // What is remembered of stores is older.
            self.state.stores = Stores::default();
        }
        Ok(())
    }

    /// Forgets stores that are gone and that no event is about any more; whether there may be more.
    pub(super) fn forget_stores(&mut self) -> rusqlite::Result<bool> {
        let tail = schema::tail(&self.transaction)?;
        let more = forget::stores(&self.transaction, tail)?;
        self.state.stores = Stores::default();
        Ok(more)
    }

    /// The last event that every sink in use has passed on.
    fn passed_on(&self) -> rusqlite::Result<u64> {
        self.transaction.query_row(
            "SELECT coalesce(min(number), ?1) FROM sink WHERE enabled",
            [self.state.head],
            |row| row.get(0),
        )
    }

    /// Whether the sink that carries texts is in use, and how far it is.
    pub(super) fn text_sink(&self) -> rusqlite::Result<(bool, u64)> {
        self.transaction.query_row(
            "SELECT coalesce(max(enabled), 0), coalesce(max(number), 0) FROM sink WHERE name = ?1",
            [self.state.carrier],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    fn place(&self, store: i64) -> rusqlite::Result<(Place, u64)> {
        self.transaction
            .prepare_cached("SELECT origin, bucket, database, name, version FROM store WHERE id = ?1")?
            .query_row([store], |row| {
                let place = Place {
                    origin: row.get(0)?,
                    bucket: row.get(1)?,
                    database: row.get(2)?,
                    store: row.get(3)?,
                };
                Ok((place, row.get(4)?))
            })
    }
}
