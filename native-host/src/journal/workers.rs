//! Workers of captured origins that are not observed, for `status`.
//!
//! Invariant: what pages have takes a bounded number of rows, however many they are, and one that
//! is there again and again is written once a minute.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Journal, JournalError};
use crate::{
    time::now_ms,
    timing::journal::{WORKER_MS, WORKER_PRECISION_MS},
};

/// How many are remembered of all origins together.
const REMEMBERED: i64 = 256;

impl Journal {
    /// A document of the origin has a worker whose script has this address.
    pub fn note_worker(&mut self, origin: &str, url: &str) -> Result<(), JournalError> {
        let _turn = self.writer_lock.take();
        note(&mut self.connection, origin, url, now_ms())
            .map_err(|source| JournalError::failed(&self.path, source))
    }
}

fn note(connection: &mut Connection, origin: &str, url: &str, now: i64) -> rusqlite::Result<()> {
    let seen_at: Option<i64> = connection
        .prepare_cached("SELECT seen_at FROM worker WHERE origin = ?1 AND url = ?2")?
        .query_row([origin, url], |row| row.get(0))
        .optional()?;
    if seen_at.is_some_and(|seen_at| seen_at.abs_diff(now) < WORKER_PRECISION_MS.unsigned_abs()) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT OR REPLACE INTO worker (origin, url, seen_at) VALUES (?1, ?2, ?3)",
        params![origin, url, now],
    )?;
    transaction.execute(
        "DELETE FROM worker WHERE seen_at < ?1 OR (origin, url) IN
            (SELECT origin, url FROM worker ORDER BY seen_at DESC, origin, url LIMIT -1 OFFSET ?2)",
        params![now - WORKER_MS, REMEMBERED],
    )?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(connection: &Connection) -> i64 {
        connection
            .query_row("SELECT count(*) FROM worker", [], |row| row.get(0))
            .expect("a count")
    }

    #[test]
    fn workers_are_remembered_for_a_day_and_within_bounds() {
        let mut connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch(include_str!("schema.sql"))
            .expect("the tables");
        let start = 1_000_000_000_000;
        for number in 0..2 * REMEMBERED {
            note(
                &mut connection,
                "http://a",
                &format!("http://a/{number}.js"),
                start + number,
            )
            .expect("noted");
        }
        assert_eq!(count(&connection), REMEMBERED);
        let newest: String = connection
            .query_row("SELECT url FROM worker ORDER BY seen_at DESC", [], |row| {
                row.get(0)
            })
            .expect("a row");
        assert_eq!(newest, format!("http://a/{}.js", 2 * REMEMBERED - 1));
        // Seen again within the minute: nothing is written.
        let before = connection.total_changes();
        note(&mut connection, "http://a", &newest, start + 3 * REMEMBERED).expect("noted");
        assert_eq!(connection.total_changes(), before);
        let later = start + WORKER_MS + WORKER_PRECISION_MS;
        note(&mut connection, "http://b", "http://b/w.js", later).expect("noted");
        assert_eq!(count(&connection), 1);
    }
}
