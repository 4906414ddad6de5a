//! How long events stay: until every sink in use has passed them on, and the last [`KEPT`] beyond that, for `tail`.

use rusqlite::{Connection, params};

/// How many events stay after they were passed on.
const KEPT: u64 = 100_000;

/// How often old events are looked for, in events.
const INTERVAL: u64 = 8192;

/// How many go at once: more than come in an interval, so that a long backlog goes too, and few enough that no delivery waits for it.
const AT_ONCE: u64 = 4 * INTERVAL;

/// Notes when all events up to this one had passed a stage.
pub(super) fn passed(connection: &Connection, stage: &str, last: u64, at: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO delivery (stage, last, at) VALUES (?1, ?2, ?3)")?
        .execute(params![stage, last, at])
        .map(|_| ())
}

/// Removes what nobody needs, each time the head passes a multiple of the interval.
pub(super) fn forget(connection: &Connection, before: u64, head: u64) -> rusqlite::Result<()> {
    if before / INTERVAL == head / INTERVAL {
        return Ok(());
    }
    let passed_on: u64 = connection.query_row(
        "SELECT coalesce(min(number), ?1) FROM sink WHERE enabled",
        [head],
        |row| row.get(0),
    )?;
    let first: u64 =
        connection.query_row("SELECT coalesce(min(number), ?1) FROM journal", [head], |row| {
            row.get(0)
        })?;
    let limit = passed_on
        .min(head.saturating_sub(KEPT))
        .min(first.saturating_add(AT_ONCE));
    connection.execute("DELETE FROM journal WHERE number <= ?1", [limit])?;
    connection.execute("DELETE FROM delivery WHERE last <= ?1", [limit])?;
    connection.execute("DELETE FROM notice WHERE number <= ?1", [limit])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first event that is left of 1 to `head` when a batch has just made `head` out of `before`.
    fn first_left(before: u64, head: u64, sinks: &[(&str, bool, u64)]) -> u64 {
        let connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch(super::super::schema::TABLES)
            .expect("tables");
        connection
            .execute_batch("INSERT INTO store VALUES (1, 'o', '', 'd', 's', 1, 0, 0, 0, 0)")
            .expect("a store");
        connection
            .execute(
                "INSERT INTO journal (number, store, event)
                 WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
                 SELECT n, 1, '' FROM numbers",
                [head],
            )
            .expect("events");
        for (name, enabled, number) in sinks {
            connection
                .execute(
                    "INSERT INTO sink (name, enabled, number, state, since) VALUES (?1, ?2, ?3, '', 0)",
                    params![name, enabled, number],
                )
                .expect("a sink");
        }
        forget(&connection, before, head).expect("forgotten");
        connection
            .query_row("SELECT min(number) FROM journal", [], |row| row.get(0))
            .expect("events")
    }

    #[test]
    fn events_stay_until_every_sink_has_passed_them_on() {
        let head = KEPT + 20_000;
        assert_eq!(first_left(head - INTERVAL, head, &[]), 20_001);
        assert_eq!(
            first_left(head - INTERVAL, head, &[("a", true, head), ("b", true, 500)]),
            501
        );
        assert_eq!(
            first_left(head - INTERVAL, head, &[("a", true, head), ("b", false, 500)]),
            20_001
        );
        assert_eq!(first_left(head - INTERVAL, head, &[("a", true, 0)]), 1);
    }

    #[test]
    fn a_backlog_goes_bit_by_bit_and_not_with_every_batch() {
        let crossing = 21 * INTERVAL;
        assert!(crossing - KEPT > 2 * AT_ONCE);
        assert_eq!(first_left(crossing - 1, crossing, &[]), AT_ONCE + 2);
        assert_eq!(first_left(crossing, crossing + 1, &[]), 1);
    }
}
