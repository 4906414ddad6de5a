//! What whole-store reads have seen of a store: the stamp of records that they left unchanged.
//!
//! A read that finds what the mirror says, or nothing where the mirror has no row, changes no row;
//! in a large store that would cost as much as writing all of it. But it counts like any other
//! read: neither a late commit nor an older read may pass it unnoticed. So each store remembers
//! which document read it last, when, and how far; all earlier reads are merged into one.

use rusqlite::{Connection, params};

use super::{
    super::key::round_up,
    stamp::{CommitSpan, NO_CONTEXT, ReadSpan, SLACK_MS},
};

/// How many bytes of a key are kept of how far a read has come. Of longer ones it counts as having
/// come a little further, which costs reading a few records again.
const LONGEST_KEY: usize = 256;

/// A whole-store read, finished or under way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReadMark {
    /// Whose; [`NO_CONTEXT`] for several.
    by: i64,
    /// When its last chunk was read.
    at: i64,
    /// It has seen the keys in front of this one, in bytes.
    until: Vec<u8>,
}

/// The reads of one store.
#[derive(Debug, Clone, Default)]
pub(in crate::journal) struct ReadMarks {
    last: Option<ReadMark>,
    others: Option<ReadMark>,
}

impl ReadMarks {
    /// Those of a store that the file knows.
    pub(in crate::journal) fn load(connection: &Connection, store: i64) -> rusqlite::Result<Self> {
        let mut looks = Self::default();
        let mut rows =
            connection.prepare_cached("SELECT context, at, until FROM read_mark WHERE store = ?1")?;
        let found = rows.query_map([store], |row| {
            Ok(ReadMark {
                by: row.get(0)?,
                at: row.get(1)?,
                until: row.get(2)?,
            })
        })?;
        for look in found {
            let look = look?;
            let place = if look.by == NO_CONTEXT {
                &mut looks.others
            } else {
                &mut looks.last
            };
            *place = Some(look);
        }
        Ok(looks)
    }

    /// Another chunk was read: the keys in front of this one have been seen.
    pub(in crate::journal) fn add(
        &mut self,
        connection: &Connection,
        store: i64,
        reading: ReadSpan,
        until: Vec<u8>,
    ) -> rusqlite::Result<()> {
        let new = ReadMark {
            by: reading.context,
            at: reading.read_at,
            until: round_up(until, LONGEST_KEY),
        };
        match self.last.take() {
            Some(last) if last.by == new.by => self.last = Some(last.merge(&new)),
            earlier => {
                if let Some(mut earlier) = earlier {
                    connection
                        .prepare_cached("DELETE FROM read_mark WHERE store = ?1 AND context = ?2")?
                        .execute([store, earlier.by])?;
                    earlier.by = NO_CONTEXT;
                    let others = match self.others.take() {
                        Some(others) => others.merge(&earlier),
                        None => earlier,
                    };
                    others.save(connection, store)?;
                    self.others = Some(others);
                }
                self.last = Some(new);
            }
        }
        self.last
            .as_ref()
            .map_or(Ok(()), |last| last.save(connection, store))
    }

    /// Whether a commit may be older than what was seen; how far the reads have come does not
    /// count.
    pub(in crate::journal) fn conflict_with(&self, when: CommitSpan) -> bool {
        let mut looks = self.last.iter().chain(&self.others);
        looks.any(|look| when.began_at <= look.at.saturating_add(when.clock_slack(-look.by)))
    }

    /// Whether a commit that may be older than what was seen most likely is. Since a read passes
    /// over the store for a while, a commit reported in time may be younger than the read of its
    /// record.
    pub(in crate::journal) fn are_younger_than(&self, when: CommitSpan) -> bool {
        let mut looks = self.last.iter().chain(&self.others);
        looks.any(|look| when.committed_at.saturating_add(SLACK_MS) < look.at)
    }

    /// When another document saw the record with this key, if that may have been after this
    /// reading.
    pub(in crate::journal) fn later_read(&self, reading: ReadSpan, key: &[u8]) -> Option<i64> {
        let looks = self.last.iter().chain(&self.others);
        looks
            .filter(|look| look.by != reading.context && key < &look.until[..])
            .map(|look| look.at)
            .filter(|at| reading.may_precede(*at))
            .max()
    }
}

impl ReadMark {
    /// Both, put together.
    fn merge(mut self, other: &Self) -> Self {
        self.at = self.at.max(other.at);
        if self.until < other.until {
            self.until.clone_from(&other.until);
        }
        self
    }

    fn save(&self, connection: &Connection, store: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO read_mark (store, context, at, until) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![store, self.by, self.at, self.until])
            .map(|_| ())
    }
}
