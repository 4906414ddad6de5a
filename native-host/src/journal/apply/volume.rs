//! What one delivery may write.
//!
//! A small delivery may concern all of a large store, and an upgrade may rename it any number of times. So the text of its events has a
//! bound. What is past it is treated as what there is no room for ([`retain`](super::super::retain)): a row with store and key
//! stays, the store's last row becomes a gap event, and the stream gets later what the records hold then. The mirror
//! misses nothing, but for records that a rename would have to write again: those are read from the page.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{
    super::retain::{GONE, OWED},
    Batch,
    room::Loss,
};

/// How many bytes of events one delivery may write, and how many of records it may move: more than any delivery brings.
pub(in crate::journal) const DELIVERY_BYTES: u64 = 256 * 1024 * 1024;

/// How many bytes of events a transaction may write before it is committed, if it holds several deliveries.
pub(super) const BATCH_BYTES: u64 = 64 * 1024 * 1024;

/// What a delivery has written so far.
#[derive(Default)]
pub(super) struct Volume {
    /// Bytes of events.
    pub text: u64,
    /// Bytes of records that were moved from one store to another.
    pub moved: u64,
    /// The events that were left out, by store.
    losses: BTreeMap<i64, Loss>,
    /// Whether the sink that carries texts is in use, once that is known.
    carried: Option<bool>,
}

impl Batch<'_> {
    /// Whether the delivery's next event has to do without a text.
    pub(super) fn is_voluminous(&self) -> bool {
        self.volume.text >= self.state.delivery_bytes
    }

    /// Writes the row of an event without its text; of those about a whole store only one, which the gap will take.
    pub(super) fn leave_out(&mut self, store: i64, key: Option<&[u8]>) -> rusqlite::Result<()> {
        let carried = match self.volume.carried {
            Some(carried) => carried,
            None => self.carrier()?.0,
        };
        self.volume.carried = Some(carried);
        self.state.room.shed += 1;
        let loss = self.volume.losses.entry(store).or_default();
        loss.events += 1;
        if key.is_none() && loss.last != 0 {
            return Ok(());
        }
        let number = self.state.head.max(self.state.base) + 1;
        loss.last = number;
        loss.keyed = key.is_some();
        let text = if carried && key.is_some() { OWED } else { GONE };
        self.insert.execute(params![number, store, key, text])?;
        self.state.head = number;
        self.state.room.bytes += text.len() as u64;
        self.state.room.owed += text.len() as u64;
        Ok(())
    }

    /// Lets the last row of each store that lost events tell of it.
    pub(super) fn tell_losses(&mut self) -> rusqlite::Result<()> {
        let losses = std::mem::take(&mut self.volume.losses);
        let carried = self.volume.carried.unwrap_or(false);
        for (store, loss) in &losses {
            self.state.room.bytes += self.tell_gap(*store, loss)?;
            // A gap event with a key is a row that is owed, whether its text was or not.
            self.state.room.owed += u64::from(loss.keyed && !carried);
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
