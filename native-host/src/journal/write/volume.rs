//! What one delivery may write.
//!
//! A small delivery may concern all of a large store, and an upgrade may rename it any number of
//! times. So the text of its events has a bound. What is past it is treated as what there is no
//! space for ([`limits`](super::super::limits)): a row with store and key stays, the store's last
//! row becomes a gap event, and the stream gets later what the records hold then. The mirror misses
//! nothing, but for records that a rename would have to write again: those are read from the page.
//!
//! The rows and keys themselves have a bound, too, for a delivery may go through all of a store any
//! number of times. Past it no further range is gone through: what the delivery does to stores
//! from there on is left out, one gap event of each store says so, and they are read again as a
//! whole.
//!
//! So have the rows of stores that were not known, which repeat the names of their database, those
//! of one delivery and those of all of an origin: past it no further store is added, and the origin
//! is read again completely.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    key::MAX_TEXT as MAX_KEY_TEXT,
    wire::host::{ErrorCode, HostError, Page},
};
use rusqlite::params;
use serde_json::value::RawValue;

use super::{
    super::{mirror::Skipped, place::Place, retention::limits::row_bytes, row_state::RowState},
    Batch,
    retain::Loss,
};

/// How many bytes of events one delivery may write, how many of records it may move, and how many
/// of stores it may add: more than any delivery brings.
pub(in crate::journal) const DELIVERY_BYTES: u64 = 256 * 1024 * 1024;

/// How many bytes the rows of an origin's stores may take: tens of thousands of stores. Each store
/// list goes through all of them.
pub(in crate::journal) const ORIGIN_BYTES: u64 = 8 * 1024 * 1024;

/// How much work on ranges of stores one delivery may cause, counted in bytes as
/// [`Volume::count_read`] and its neighbours do. A store of a million records can be cleared.
pub(in crate::journal) const DELIVERY_WORK: u64 = 2 * DELIVERY_BYTES;

/// What reading one row costs, what changing it in one statement with others, and what a pending
/// event and its row cost.
const READ: u64 = 64;
const CHANGE: u64 = 32;
const EVENT: u64 = 192;

/// How many bytes of events a transaction may write before it is committed, if it holds several
/// deliveries.
pub(super) const BATCH_BYTES: u64 = 64 * 1024 * 1024;

/// Whether a record is left out because the text that a page sends of its key is too long.
pub(super) fn is_long(key: &RawValue) -> bool {
    key.get().len() > MAX_KEY_TEXT
}

/// Whether something of the delivery's origin was lost, as far as the delivery says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NotedLoss {
    #[default]
    None,
    /// The stores that the origin had then were invalidated.
    Once,
    /// More came out to be lost since.
    Again,
}

/// What a delivery has written so far.
#[derive(Default)]
pub(super) struct Volume {
    /// Bytes of events.
    pub text: u64,
    /// Bytes of records that were moved from one store to another.
    pub moved: u64,
    /// What was done to ranges of stores.
    work: u64,
    /// Stores that are left as they are, for there was too much to do.
    left: BTreeSet<i64>,
    /// Whether the origin's stores were invalidated.
    pub noted_loss: NotedLoss,
    /// Whether stores that were not known are left out, for there were too many.
    has_left_new: bool,
    /// Records that were left out because their keys are too long.
    long_keys: usize,
    /// The events that were left out, by store.
    losses: BTreeMap<i64, Loss>,
    /// Whether the sink that carries texts is in use, once that is known.
    carried: Option<bool>,
}

impl Volume {
    /// What was done to ranges of stores so far, in bytes.
    pub(super) fn work(&self) -> u64 {
        self.work
    }

    /// A row of a range was read. Values pass by, keys are compared and copied.
    pub(super) fn count_read(&mut self, key: &[u8], value: Option<&str>) {
        self.work += READ + key.len() as u64 + value.map_or(0, str::len) as u64 / 8;
    }

    /// Tombstones of a range were read.
    pub(super) fn count_skipped(&mut self, skipped: Skipped) {
        self.work += READ * skipped.rows as u64 + skipped.bytes as u64;
    }

    /// An event is drafted of it, which is spilled, written to the journal and looked up by its
    /// key.
    pub(super) fn count_event(&mut self, key: &[u8]) {
        self.work += EVENT + 4 * key.len() as u64;
    }

    /// So many rows were changed at once.
    pub(super) fn count_rows(&mut self, rows: usize) {
        self.work += CHANGE * rows as u64;
    }
}

impl Batch<'_> {
    /// Counts those of these records that are left out because their keys are too long.
    pub(super) fn note_long_keys<'a>(&mut self, keys: impl Iterator<Item = &'a RawValue>) {
        self.volume.long_keys += keys.filter(|key| is_long(key)).count();
    }

    /// Counts one whose key is too long once its references are written out.
    pub(super) fn note_long_key(&mut self) {
        self.volume.long_keys += 1;
    }

    /// Says how many these were.
    pub(super) fn report_long_keys(&mut self, context: &str, page: &Page<'_>) {
        let records = std::mem::take(&mut self.volume.long_keys);
        if records > 0 {
            self.outcome.errors.push(HostError {
                code: ErrorCode::MalformedDelivery,
                message: format!(
                    "{records} records of a page of {} were left out: a key has {MAX_KEY_TEXT} bytes of text at most",
                    page.origin
                ),
                fix: "Nothing to do: no cache takes such keys. To have the records the site must use shorter ones."
                    .to_owned(),
                context: Some(context.to_owned()),
                sequence: None,
            });
        }
    }

    /// Whether the delivery has done so much that it goes through no further range.
    pub(super) fn is_spent(&self) -> bool {
        self.volume.work >= self.state.delivery_work
    }

    /// Leaves a store as the mirror has it, for there is too much to do: a gap says so, and it is
    /// read again.
    pub(super) fn leave_store(&mut self, place: &Place, version: u64) -> rusqlite::Result<()> {
        let store = self.state.stores.get(&self.transaction, place, version)?.id;
        if self.volume.left.insert(store) {
            self.resync_store(place, version)?;
            self.request_resync(&place.origin)?;
            self.drop_event(store, None)?;
        }
        Ok(())
    }

    /// Whether the delivery, or its origin, has added so many stores that no more are added.
    pub(super) fn adds_no_store(&mut self, origin: &str) -> rusqlite::Result<bool> {
        Ok(self.state.stores.added() >= self.state.delivery_bytes || self.has_many_stores(origin)?)
    }

    fn has_many_stores(&mut self, origin: &str) -> rusqlite::Result<bool> {
        Ok(self.state.stores.bytes_of(&self.transaction, origin)? >= self.state.origin_bytes)
    }

    /// Refuses what was read of a store if it is not known and no store is added; whether it did.
    pub(super) fn refuse_new_store(&mut self, place: &Place) -> rusqlite::Result<bool> {
        let is_refused = self.adds_no_store(&place.origin)?
            && self.state.stores.version(&self.transaction, place)?.is_none();
        if is_refused {
            self.leave_new_store(&place.origin, true)?;
        }
        Ok(is_refused)
    }

    /// Leaves out what concerns a store that is not known: the origin is read again.
    pub(super) fn leave_new_store(&mut self, origin: &str, was_read: bool) -> rusqlite::Result<()> {
        if std::mem::replace(&mut self.volume.has_left_new, true) {
            return Ok(());
        }
        // An origin that has too many of them has too many of them the next time, too.
        let was_read = was_read || self.has_many_stores(origin)?;
        self.note_loss(origin, was_read)
    }

    /// Says that new stores were refused, once in a batch.
    pub(super) fn report_refused_stores(&mut self, context: &str, page: &Page<'_>) {
        if !self.volume.has_left_new || !self.refused_origins.insert(page.origin.clone().into_owned()) {
            return;
        }
        self.outcome.errors.push(HostError {
            code: ErrorCode::MalformedDelivery,
            message: format!(
                "stores of {} were left out: all of an origin take {} MiB of names at most, those that one delivery adds {} MiB",
                page.origin,
                self.state.origin_bytes >> 20,
                self.state.delivery_bytes >> 20
            ),
            fix: "To have them the site must use fewer stores and databases, or shorter names. Those that are gone are forgotten with their events."
                .to_owned(),
            context: Some(context.to_owned()),
            sequence: None,
        });
    }

    /// Whether it has.
    pub(super) fn has_left_new_stores(&self) -> bool {
        self.volume.has_left_new
    }

    /// Whether the delivery's next event has to do without a text.
    pub(super) fn is_voluminous(&self) -> bool {
        self.volume.text >= self.state.delivery_bytes
    }

    /// Writes the row of an event without its text; of those about a whole store only one, which
    /// the gap will take.
    pub(super) fn drop_event(&mut self, store: i64, key: Option<&[u8]>) -> rusqlite::Result<()> {
        let carried = match self.volume.carried {
            Some(carried) => carried,
            None => self.text_sink()?.0,
        };
        self.volume.carried = Some(carried);
        self.state.usage.stripped += 1;
        let loss = self.volume.losses.entry(store).or_default();
        loss.events += 1;
        if key.is_none() && loss.last != 0 {
            return Ok(());
        }
        let number = self.state.head.max(self.state.base) + 1;
        loss.last = number;
        let needs_backfill = carried && key.is_some();
        self.insert.execute(params![
            number,
            store,
            RowState::stripped(needs_backfill),
            key,
            ""
        ])?;
        self.state.head = number;
        self.state.usage.bytes += row_bytes("", key);
        self.state.usage.backfill_pending += u64::from(needs_backfill);
        Ok(())
    }

    /// Lets the last row of each store that lost events tell of it.
    pub(super) fn write_gaps(&mut self) -> rusqlite::Result<()> {
        let losses = std::mem::take(&mut self.volume.losses);
        for (store, loss) in &losses {
            self.state.usage.bytes += self.write_gap(*store, loss)?;
        }
        if !losses.is_empty() {
            let events: u64 = losses.values().map(|loss| loss.events).sum();
            tracing::warn!(
                "a delivery wrote more than {} MiB: {events} of its events lost their values; the records' newest ones follow",
                self.state.delivery_bytes >> 20
            );
        }
        Ok(())
    }
}
