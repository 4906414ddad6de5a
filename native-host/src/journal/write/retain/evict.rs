//! Eviction of old events.

use rusqlite::params;

use super::super::{
    super::{
        retention::limits::{AT_ONCE, ROW_BYTES},
        row_state::IS_BACKFILL_PENDING,
    },
    Batch,
};

impl Batch<'_> {
    /// Removes events that were passed on and are old, or too many.
    pub(super) fn evict(&mut self) -> rusqlite::Result<bool> {
        let limits = self.state.limits;
        // What was passed on gives way to what was not.
        let keep = limits.keep_bytes.min(limits.max_bytes.unwrap_or(u64::MAX) / 2);
        let old = self.last_event_before(limits.old_at())?;
        let mut left = self.state.usage.bytes;
        let (mut limit, mut count) = (0, 0);
        {
            let query = format!(
                "SELECT number, {ROW_BYTES}, {IS_BACKFILL_PENDING} FROM journal WHERE number <= ?1 ORDER BY number LIMIT ?2"
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
}
