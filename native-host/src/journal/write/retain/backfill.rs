//! Backfill: events of what the mirror holds of records whose events were stripped.

use std::{borrow::Cow, collections::BTreeSet};

use protocol::event::Op;
use rusqlite::params;

use super::super::{
    super::{
        key::{RecordKey, raw},
        retention::limits::BackfillUnderWay,
        row_state::{IS_BACKFILL_PENDING, RowState},
    },
    Batch,
    before::Before,
    event::EventContext,
    pending::PendingEvent,
    stored,
};
use crate::time::now_ms;

/// How many records are backfilled together.
const BACKFILL_AT_ONCE: usize = 1024;

/// What has come of the records to backfill.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Backfilled {
    /// None could be, or none is left.
    Nothing,
    /// Those that were backfilled last have yet to reach the sinks.
    Waiting,
    /// There are more.
    Some,
    All,
}

impl Batch<'_> {
    /// Makes events of what the mirror holds of records whose events were stripped, once the sinks
    /// have passed the gap and are not far behind: a few at a time, so that these do not fill the
    /// journal themselves.
    ///
    /// The rows themselves may fill it. They are evicted once their records are backfilled, so
    /// a full journal is backfilled, too, unless events of some length wait to be passed on.
    pub(super) fn backfill(&mut self) -> rusqlite::Result<Backfilled> {
        let passed_on = self.passed_on()?;
        let at_once = self.state.limits.max_bytes.unwrap_or(u64::MAX) / 4;
        let nothing = if self.state.backfill_under_way.is_kept(passed_on, self.state.usage) {
            Backfilled::Waiting
        } else {
            Backfilled::Nothing
        };
        if self.state.usage.backfill_pending == 0
            || self.state.head.saturating_sub(passed_on) > BACKFILL_AT_ONCE as u64
            || self.is_full() && self.waiting_bytes(passed_on)? > at_once
        {
            return Ok(nothing);
        }
        let pending = self.backfill_rows(passed_on)?;
        let mut done = match pending.len() {
            0 => return Ok(nothing),
            BACKFILL_AT_ONCE => Backfilled::Some,
            _ => Backfilled::All,
        };
        let head = self.state.head;
        let enough = self.state.usage.bytes.saturating_add(at_once);
        let (carried, _) = self.text_sink()?;
        let mut backfilled = BTreeSet::new();
        for (number, store, key) in pending {
            if self.state.usage.bytes > enough || self.is_voluminous() {
                done = Backfilled::Some;
                break;
            }
            self.finish_backfill(number)?;
            if carried && backfilled.insert((store, key.clone())) {
                self.backfill_record(store, key)?;
            }
        }
        if self.state.head > head {
            self.state.backfill_under_way = BackfillUnderWay::new(self.state.head, self.state.usage, at_once);
        }
        Ok(done)
    }

    /// What the texts of the events take that wait to be passed on.
    fn waiting_bytes(&self, passed_on: u64) -> rusqlite::Result<u64> {
        self.transaction
            .prepare_cached("SELECT coalesce(sum(octet_length(event)), 0) FROM journal WHERE number > ?1")?
            .query_row([passed_on], |row| row.get(0))
    }

    /// The first rows to backfill that were passed on: number, store, key.
    fn backfill_rows(&self, passed_on: u64) -> rusqlite::Result<Vec<(u64, i64, Vec<u8>)>> {
        let query = format!(
            "SELECT number, store, key FROM journal WHERE number <= ?1 AND {IS_BACKFILL_PENDING} ORDER BY number LIMIT ?2"
        );
        self.transaction
            .prepare_cached(&query)?
            .query_map(params![passed_on, BACKFILL_AT_ONCE], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect()
    }

    /// A row's record needs no backfill any more.
    fn finish_backfill(&mut self, number: u64) -> rusqlite::Result<()> {
        let query = format!(
            "UPDATE journal SET state = {} WHERE number = ?1",
            RowState::once_backfilled()
        );
        self.transaction.prepare_cached(&query)?.execute([number])?;
        self.state.usage.backfill_pending = self.state.usage.backfill_pending.saturating_sub(1);
        Ok(())
    }

    /// Makes an event of what the mirror holds of a record.
    fn backfill_record(&mut self, store: i64, key: Vec<u8>) -> rusqlite::Result<()> {
        let (place, version) = self.place(store)?;
        let row = self.single.row(store, &key)?;
        if row
            .as_ref()
            .is_some_and(|row| row.value.is_some() && row.redaction != self.state.redaction)
        {
            // Other rules made it. They may have kept what today's must not: the read that follows
            // tells it.
            self.single.mark_for_backfill(store, &key)?;
            return self.resync_store(&place, version);
        }
        let ts_ms = row.as_ref().map_or_else(now_ms, |row| row.stamp.at);
        let value = row.and_then(|row| row.value).map(raw);
        let op = if value.is_some() { Op::Read } else { Op::Delete };
        let event = PendingEvent {
            key: Some(RecordKey::from_bytes(key).map_err(stored)?),
            before: Before::Unknown,
            after: value.as_deref().map(Cow::Borrowed),
            ..PendingEvent::of(op, store, &place.store)
        };
        let event_context = EventContext {
            origin: &place.origin,
            bucket: &place.bucket,
            database: &place.database,
            version,
            context_name: "",
            writer: None,
            ts_ms,
            transaction: None,
        };
        self.emit_one(event_context, event)
    }
}
