//! The host's clock, and stamps from a time when the machine's clock was ahead.
//!
//! A stamp says until when something was true. One that was made while the clock was ahead names a
//! time that is yet to come, and would hold back every read until then. But what the host has
//! received was true when it arrived. So:
//!
//! - A batch is applied at one time. Later times in its deliveries count as that time.
//! - The host notices that the clock was set back when a batch begins before an earlier one did; a
//!   host that starts takes that for granted. Later times in the journal count as the time at which
//!   it was noticed.
//!
//! Stores, origins and tombstones are corrected on disk ([`correct`]). Records with a value are
//! not: no index tells which they are, and a full disk might refuse to have many rewritten. Their
//! stamps are corrected as they are read ([`Clock::stamp`]).
//!
//! Once the time of such a stamp has come, it looks like any other. Then it causes conflicts, which
//! end by a read. But it must not pass for younger than a loss. So in all stores something counts
//! as lost at the latest time that a stamp can have: until then only stores that are known as a
//! whole tell a value before.
//!
//! **Invariant:** no time that decides about a delivery is later than [`Clock::limit`].

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::conflict::stamp::{SLACK_MS, Stamp};

/// When the span of a stamp began, if it began while the clock was ahead: not known. So no commit
/// counts as older because of it, and no stamp as younger than a loss.
const BEGAN: i64 = 0;

/// Corrects the beginnings of spans (?3) and all other times (?1) that are later than the limit
/// (?2). An index has the times of tombstones.
const CORRECT: &[&str] = &[
    "UPDATE store SET range_deleted_began = ?3 WHERE range_deleted_began > ?2",
    "UPDATE store SET range_deleted_at = ?1 WHERE range_deleted_at > ?2",
    "UPDATE store SET records_pending_since = ?1 WHERE records_pending_since > ?2",
    "UPDATE store SET resync_pending_since = ?1 WHERE resync_pending_since > ?2",
    "UPDATE store SET unseen_writer_at = ?1 WHERE unseen_writer_at > ?2",
    "UPDATE read_mark SET at = ?1 WHERE at > ?2",
    "UPDATE store_list SET began = ?3 WHERE began > ?2",
    "UPDATE store_list SET at = ?1 WHERE at > ?2",
    "UPDATE emptied SET read_at = ?1 WHERE read_at > ?2",
    "UPDATE loss SET lapsed_at = ?1 WHERE lapsed_at > ?2",
    "UPDATE resync SET since = ?1 WHERE since > ?2",
    "UPDATE context SET seen_at = ?1 WHERE seen_at > ?2",
    "UPDATE delivery SET at = ?1 WHERE at > ?2",
    "UPDATE record SET began = iif(began > ?2, ?3, began), at = ?1 WHERE value IS NULL AND at > ?2",
];

/// The time of a batch, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    now: i64,
    /// When the host started, or last noticed that the clock was set back.
    right_since: i64,
}

impl Clock {
    /// Of a host that starts at this time.
    pub(super) fn start(now: i64) -> Self {
        Self {
            now,
            right_since: now,
        }
    }

    /// The clock of a batch that begins at this time; whether the clock was set back since the last
    /// one.
    pub(super) fn advance(self, now: i64) -> (Self, bool) {
        if now < self.now.saturating_sub(SLACK_MS) {
            return (Self::start(now), true);
        }
        let now = self.now.max(now);
        (Self { now, ..self }, false)
    }

    /// The latest time that a right clock can have shown before the batch began.
    pub(super) fn limit(self) -> i64 {
        self.now.saturating_add(SLACK_MS)
    }

    /// What a time in a delivery of the batch counts as.
    pub(super) fn bound(self, time: i64) -> i64 {
        time.min(self.limit())
    }

    /// What the stamp of a record counts as.
    pub(super) fn stamp(self, stamp: Stamp) -> Stamp {
        let correct = |time: i64, right: i64| if time > self.limit() { right } else { time };
        Stamp {
            by: stamp.by,
            began: correct(stamp.began, BEGAN),
            at: correct(stamp.at, self.right_since),
        }
    }

    /// For statements that correct stamps: what is right instead of a time later than the limit,
    /// the limit, and what is right for the beginning of a span.
    pub(super) fn correction(self) -> [i64; 3] {
        [self.right_since, self.limit(), BEGAN]
    }
}

/// The latest time that a stamp in the journal of a host that has ended can have.
pub(super) fn latest_stamp(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .query_row("SELECT coalesce(max(seen_at), 0) FROM context", [], |row| {
            row.get(0)
        })
        .map(|seen_at: i64| seen_at.saturating_add(SLACK_MS))
}

/// Corrects what is on disk of times later than now, but for records with a value, none of which is
/// later than `latest`.
pub(super) fn correct(connection: &Connection, clock: Clock, latest: i64) -> rusqlite::Result<()> {
    if latest > clock.limit() {
        connection.execute("UPDATE store SET lapsed_at = max(lapsed_at, ?1)", [latest])?;
    }
    let [right, limit, began] = clock.correction();
    for sql in CORRECT {
        let mut statement = connection.prepare(sql)?;
        let parameters = [right, limit, began];
        statement.execute(rusqlite::params_from_iter(
            &parameters[..statement.parameter_count()],
        ))?;
    }
    Ok(())
}

/// The same, as a transaction of its own.
pub(super) fn correct_at_once(connection: &Connection, clock: Clock, latest: i64) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    correct(&transaction, clock, latest)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::{Clock, SLACK_MS, Stamp};

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn clock_is_set_back_when_it_lost_more_than_slack() {
        let clock = Clock::start(NOW);
        let (clock, was_set_back) = clock.advance(NOW + 1000);
        assert!(!was_set_back);
        let (clock, was_set_back) = clock.advance(NOW + 1000 - SLACK_MS);
        assert!(!was_set_back);
        // Small steps add up.
        let (clock, was_set_back) = clock.advance(NOW + 999 - SLACK_MS);
        assert!(was_set_back);
        assert_eq!(clock.limit(), NOW + 999);
    }

    #[test]
    fn stamp_counts_as_made_before_when_it_is_from_ahead() {
        let (clock, _) = Clock::start(NOW).advance(NOW + 5000);
        let stamp = |began, at| {
            let stamp = clock.stamp(Stamp { by: 1, began, at });
            (stamp.began - NOW, stamp.at - NOW)
        };
        let limit = clock.limit();
        assert_eq!(stamp(NOW + 4000, limit), (4000, 5000 + SLACK_MS));
        assert_eq!(stamp(NOW + 4000, limit + 1), (4000, 0));
        assert_eq!(stamp(limit + 1, limit + 2), (-NOW, 0));
    }
}
