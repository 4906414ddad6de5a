//! Eviction of old events, and what is stripped when space runs out: see [`limits`].

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use protocol::{
    event::{Event, Op, Source},
    message::{ErrorCode, HostError, Page},
};
use rusqlite::params;
use serde_json::value::RawValue;

use super::{
    super::{
        forget::{self, Tombstones},
        key::{RecordKey, raw},
        limits::{
            AT_ONCE, BACKFILL_PENDING, BackfillUnderWay, IS_BACKFILL_PENDING, IS_GAP, ROW_BYTES, STRIPPED,
        },
        schema,
        store::{Place, Stores},
    },
    Batch,
    before::Before,
    event::EventContext,
    pending::PendingEvent,
};
use crate::time::now_ms;

/// How many records are backfilled together.
const BACKFILL_AT_ONCE: usize = 1024;

/// How full the journal may be, in quarters of its bound, once it had to let go.
const QUARTERS_LEFT: u64 = 3;

/// How many times its bound the journal may take in all, with rows and keys that cannot be
/// stripped.
const OVERFULL: u64 = 2;

/// A store that loses events' text.
#[derive(Default)]
pub(super) struct Loss {
    pub events: u64,
    /// The last of them.
    pub last: u64,
    /// Whether that one has a key.
    pub keyed: bool,
}

/// What has come of the records to backfill.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backfilled {
    /// None could be, or none is left.
    Nothing,
    /// Those that were backfilled last have yet to reach the sinks.
    Waiting,
    /// There are more.
    Some,
    All,
}

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

    /// Removes events that were passed on and are old, or too many.
    fn evict(&mut self) -> rusqlite::Result<bool> {
        let limits = self.state.limits;
        // What was passed on gives way to what was not.
        let keep = limits.keep_bytes.min(limits.max_bytes.unwrap_or(u64::MAX) / 2);
        let old = self.last_event_before(limits.old_at())?;
        let mut left = self.state.usage.bytes;
        let (mut limit, mut count) = (0, 0);
        {
            // To tell it of a row, all of the row has to be read.
            let is_owed = if self.state.usage.backfill_pending == 0 {
                "0"
            } else {
                IS_BACKFILL_PENDING
            };
            let query = format!(
                "SELECT number, {ROW_BYTES}, {is_owed} FROM journal WHERE number <= ?1 ORDER BY number LIMIT ?2"
            );
            let mut statement = self.transaction.prepare_cached(&query)?;
            let mut rows = statement.query(params![self.passed_on()?, AT_ONCE])?;
            while let Some(row) = rows.next()? {
                let number = row.get(0)?;
                if (left <= keep && number > old) || row.get(2)? {
                    break;
                }
                let bytes: u64 = row.get(1)?;
                left = left.saturating_sub(bytes);
                (limit, count) = (number, count + 1);
            }
        }
        if count == 0 {
            return Ok(false);
        }
        for delete in [
            "DELETE FROM journal WHERE number <= ?1",
            "DELETE FROM delivery WHERE last <= ?1",
            "DELETE FROM notice WHERE number <= ?1",
            // If there is no event left it still has to be known how far they were numbered.
            "UPDATE meta SET base = max(base, ?1)",
        ] {
            self.transaction.prepare_cached(delete)?.execute([limit])?;
        }
        self.state.usage.bytes = left;
        Ok(count == AT_ONCE)
    }

    /// The last event that came at this time or before.
    fn last_event_before(&self, at: i64) -> rusqlite::Result<u64> {
        let mut statement = self
            .transaction
            .prepare_cached("SELECT last, at FROM delivery WHERE stage = 'journal' ORDER BY last")?;
        let mut rows = statement.query([])?;
        let mut old = 0;
        while let Some(row) = rows.next()?
            && row.get::<_, i64>(1)? <= at
        {
            old = row.get(0)?;
        }
        Ok(old)
    }

    /// Makes events of what the mirror holds of records whose events were stripped, once the sinks
    /// have passed the gap and are not far behind: a few at a time, so that these do not fill the
    /// journal themselves.
    ///
    /// The rows themselves may fill it. They are evicted once their records are told, so that is
    /// done in a full journal, too, unless events of some length wait to be passed on.
    fn backfill(&mut self) -> rusqlite::Result<Backfilled> {
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
        let mut told = BTreeSet::new();
        for (number, store, key) in pending {
            if self.state.usage.bytes > enough || self.is_voluminous() {
                done = Backfilled::Some;
                break;
            }
            self.finish_backfill(number, &key)?;
            if carried && told.insert((store, key.clone())) {
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
    fn finish_backfill(&mut self, number: u64, key: &[u8]) -> rusqlite::Result<()> {
        let changed = self
            .transaction
            .prepare_cached("UPDATE journal SET event = ?2 WHERE number = ?1 AND event = ?3")?
            .execute(params![number, STRIPPED, BACKFILL_PENDING])?;
        if changed == 0 {
            // A gap event; its key is of no further use.
            self.transaction
                .prepare_cached("UPDATE journal SET key = NULL WHERE number = ?1")?
                .execute([number])?;
            self.state.usage.bytes = self.state.usage.bytes.saturating_sub(key.len() as u64);
        } else {
            self.state.usage.bytes = self
                .state
                .usage
                .bytes
                .saturating_sub(BACKFILL_PENDING.len() as u64);
        }
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
            key: Some(RecordKey::from_bytes(key).map_err(super::stored)?),
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

    /// Strips the oldest events of their text, until there is space.
    fn strip_values(&mut self) -> rusqlite::Result<bool> {
        let most = self.state.limits.max_bytes.unwrap_or(u64::MAX);
        let enough = most / 4 * QUARTERS_LEFT;
        let (carried, carried_to) = self.text_sink()?;
        let mut losses: BTreeMap<i64, Loss> = BTreeMap::new();
        let mut gone = Vec::new();
        let (mut left, mut pending, mut is_last) = (self.state.usage.bytes, 0, false);
        {
            // What tells of a gap stays: it is the only one that does.
            let query = format!(
                "SELECT number, store, octet_length(event), key IS NOT NULL FROM journal
                 WHERE number > ?1 AND octet_length(event) > 1 AND NOT {IS_GAP} ORDER BY number LIMIT ?2"
            );
            let mut statement = self.transaction.prepare_cached(&query)?;
            let mut rows = statement.query(params![self.state.usage.stripped_to, AT_ONCE])?;
            while left > enough {
                let Some(row) = rows.next()? else {
                    is_last = (gone.len() as u64) < AT_ONCE;
                    break;
                };
                let number = row.get(0)?;
                let bytes: u64 = row.get(2)?;
                let loss = losses.entry(row.get(1)?).or_default();
                loss.events += 1;
                loss.last = number;
                loss.keyed = row.get(3)?;
                gone.push((number, loss.keyed));
                left = left.saturating_sub(bytes);
            }
        }
        self.state.usage.is_looked_up = true;
        let Some((last, _)) = gone.last().copied() else {
            self.state.usage.unstrippable = left;
            return Ok(false);
        };
        {
            let mut update = self
                .transaction
                .prepare_cached("UPDATE journal SET event = ?2 WHERE number = ?1")?;
            for (number, keyed) in &gone {
                let text = if carried && *number > carried_to && *keyed {
                    BACKFILL_PENDING
                } else {
                    STRIPPED
                };
                update.execute(params![number, text])?;
                left += text.len() as u64;
                pending += text.len() as u64;
            }
        }
        for (store, loss) in &losses {
            left += self.write_gap(*store, loss)?;
            // A gap event with a key is a row to backfill, whether its text was or not.
            if loss.keyed && (!carried || loss.last <= carried_to) {
                pending += 1;
            }
        }
        self.state.usage.backfill_pending += pending;
        self.state.usage.stripped_to = last;
        self.state.usage.stripped += gone.len() as u64;
        self.state.usage.bytes = left;
        self.state.usage.unstrippable = if is_last { left } else { 0 };
        tracing::warn!(
            "the journal is full: {} events lost their values; the records' newest ones follow once there is room",
            gone.len()
        );
        Ok(left > enough)
    }

    /// Lets the last event that a store lost tell of it; the length of its text.
    pub(super) fn write_gap(&self, store: i64, loss: &Loss) -> rusqlite::Result<u64> {
        let (place, version) = self.place(store)?;
        let event = Event {
            op: Op::Gap,
            key: None,
            range: None,
            schema: None,
            gap: Some(loss.events),
            before: None,
            after: RawValue::NULL,
            ts_ms: now_ms(),
            source: Source {
                version: Cow::Borrowed(crate::VERSION),
                browser: Cow::Borrowed(&self.state.author.browser),
                profile: Cow::Borrowed(&self.state.author.profile),
                origin: Cow::Borrowed(&place.origin),
                bucket: Cow::Borrowed(&place.bucket),
                database: Cow::Borrowed(&place.database),
                database_version: version,
                store: Cow::Borrowed(&place.store),
                context: Cow::Borrowed(""),
                writer: None,
                sequence: loss.last,
                snapshot: false,
                late: false,
            },
            transaction: None,
        };
        let text = serde_json::to_string(&event)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        self.transaction
            .prepare_cached("UPDATE journal SET event = ?2 WHERE number = ?1")?
            .execute(params![loss.last, text])?;
        Ok(text.len() as u64)
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
