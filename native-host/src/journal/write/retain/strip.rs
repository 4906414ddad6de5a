//! Stripping: the oldest events lose their text when space runs out, and gap events tell of it.

use std::{borrow::Cow, collections::BTreeMap};

use protocol::event::{Event, Op, Source};
use rusqlite::params;
use serde_json::value::RawValue;

use super::super::{
    super::{
        retention::limits::AT_ONCE,
        row_state::{IS_WHOLE, RowState},
    },
    Batch,
};
use crate::time::now_ms;

/// How full the journal may be, in quarters of its bound, once it had to let go.
const QUARTERS_LEFT: u64 = 3;

/// A store that loses events' text.
#[derive(Default)]
pub(in crate::journal::write) struct Loss {
    pub events: u64,
    /// The last of them.
    pub last: u64,
}

impl Batch<'_> {
    /// Strips the oldest events of their text, until there is space.
    pub(super) fn strip_values(&mut self) -> rusqlite::Result<bool> {
        let most = self.state.limits.max_bytes.unwrap_or(u64::MAX);
        let enough = most / 4 * QUARTERS_LEFT;
        let (carried, carried_to) = self.text_sink()?;
        let mut losses: BTreeMap<i64, Loss> = BTreeMap::new();
        let mut gone: Vec<(u64, bool)> = Vec::new();
        // A delivery may have written more than goes at once: the next ones must not come in faster
        // than these go.
        let at_once = AT_ONCE.max(2 * (self.state.head - self.before));
        let (mut left, mut pending, mut is_last) = (self.state.usage.bytes, 0, false);
        {
            let query = format!(
                "SELECT number, store, octet_length(event), key IS NOT NULL FROM journal
                 WHERE number > ?1 AND {IS_WHOLE} ORDER BY number LIMIT ?2"
            );
            let mut statement = self.transaction.prepare_cached(&query)?;
            let mut rows = statement.query(params![self.state.usage.stripped_to, at_once])?;
            while left > enough {
                let Some(row) = rows.next()? else {
                    is_last = (gone.len() as u64) < at_once;
                    break;
                };
                let number = row.get(0)?;
                let bytes: u64 = row.get(2)?;
                let loss = losses.entry(row.get(1)?).or_default();
                loss.events += 1;
                loss.last = number;
                gone.push((number, row.get(3)?));
                left = left.saturating_sub(bytes);
            }
        }
        self.state.usage.is_looked_up = true;
        let Some((last, _)) = gone.last().copied() else {
            self.state.usage.unstrippable = left;
            return Ok(false);
        };
        for (number, keyed) in &gone {
            let needs_backfill = carried && *number > carried_to && *keyed;
            self.strip_row(*number, RowState::stripped(needs_backfill))?;
            pending += u64::from(needs_backfill);
        }
        for (store, loss) in &losses {
            left += self.write_gap(*store, loss)?;
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

    /// Takes a row's text away. The row is removed and written again: SQLite merges pages that have
    /// become nearly empty when a row is removed, not when it becomes shorter, and then the file
    /// would keep the space of all texts that it ever had.
    fn strip_row(&mut self, number: u64, state: RowState) -> rusqlite::Result<()> {
        let (store, key): (i64, Option<Vec<u8>>) = self
            .transaction
            .prepare_cached("DELETE FROM journal WHERE number = ?1 RETURNING store, key")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.insert.execute(params![number, store, state, key, ""])?;
        Ok(())
    }

    /// Lets the last event that a store lost tell of it; the length of its text.
    pub(in crate::journal::write) fn write_gap(&self, store: i64, loss: &Loss) -> rusqlite::Result<u64> {
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
        let query = format!(
            "UPDATE journal SET event = ?2, state = {} WHERE number = ?1",
            RowState::once_gap()
        );
        self.transaction
            .prepare_cached(&query)?
            .execute(params![loss.last, text])?;
        Ok(text.len() as u64)
    }
}
