//! Store lists that leave nothing of an origin.
//!
//! By such a list all records of the origin go. It is right when a site's data was cleared; it is
//! also what a document says whose databases are not the origin's own, should one ever be taken for
//! captured. So the first such list deletes nothing: it is noted on disk, and the origin is read
//! again at once, by the page in a tab if there is one. A list of the same bucket that was read
//! later decides: if it says the same, the records go; if it names a store with records, they stay.
//!
//! Neither a crash nor a page that is closed in between loses anything: the row stays, the next
//! host asks again ([`resync`](super::super::resync)), and the next page that loads reads a list of
//! its own.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, params};

use super::{
    super::{conflict::stamp::ReadSpan, place::Place, store::Stores},
    Batch,
};

/// How many are noted of an origin, the last ones. The next list of another bucket is a first one.
const CLAIMS: i64 = 64;

/// A list that left nothing.
struct Claim {
    context: i64,
    read_at: i64,
}

impl Claim {
    /// Whether this reading is another one, begun later.
    fn is_before(&self, reading: ReadSpan) -> bool {
        // The lists of one document come in the order in which they were read.
        self.context == reading.context || self.read_at < reading.began_at
    }
}

impl Batch<'_> {
    /// Whether stores that the list of a bucket leaves out may be taken for gone.
    pub(super) fn may_go(
        &mut self,
        origin: &str,
        bucket: &str,
        gone: &[(Place, u64)],
        reading: ReadSpan,
    ) -> rusqlite::Result<bool> {
        let claim = self.claim(origin, bucket)?;
        if !self.empties(origin, gone)? {
            if claim.is_some() {
                self.withdraw(origin, bucket)?;
            }
            return Ok(true);
        }
        match claim {
            Some(claim) if claim.is_before(reading) => {
                self.withdraw(origin, bucket)?;
                Ok(true)
            }
            // Read at the same time: the other list is not later than this one either.
            Some(_) => Ok(false),
            None => {
                tracing::info!(
                    "a store list leaves nothing of {origin}: it is read again before anything is deleted"
                );
                self.note_claim(origin, bucket, reading)?;
                self.request_resync(origin)?;
                Ok(false)
            }
        }
    }

    /// Whether these stores hold all records that there are of their origin, and at least one.
    fn empties(&mut self, origin: &str, gone: &[(Place, u64)]) -> rusqlite::Result<bool> {
        if gone.is_empty() {
            return Ok(false);
        }
        let gone: HashSet<&Place> = gone.iter().map(|(place, _)| place).collect();
        let mut lost = false;
        for (place, store) in Stores::of_origin(&self.transaction, origin)? {
            if self.has_records(&place, store)? {
                if !gone.contains(&place) {
                    return Ok(false);
                }
                lost = true;
            }
        }
        Ok(lost)
    }

    fn claim(&self, origin: &str, bucket: &str) -> rusqlite::Result<Option<Claim>> {
        self.transaction
            .prepare_cached("SELECT context, read_at FROM emptied WHERE origin = ?1 AND bucket = ?2")?
            .query_row([origin, bucket], |row| {
                Ok(Claim {
                    context: row.get(0)?,
                    read_at: row.get(1)?,
                })
            })
            .optional()
    }

    fn note_claim(&self, origin: &str, bucket: &str, reading: ReadSpan) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached("INSERT INTO emptied (origin, bucket, context, read_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![origin, bucket, reading.context, reading.read_at])?;
        self.transaction
            .prepare_cached(
                "DELETE FROM emptied WHERE origin = ?1 AND bucket IN
                    (SELECT bucket FROM emptied WHERE origin = ?1 ORDER BY read_at DESC, bucket LIMIT -1 OFFSET ?2)",
            )?
            .execute(params![origin, CLAIMS])
            .map(|_| ())
    }

    fn withdraw(&self, origin: &str, bucket: &str) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached("DELETE FROM emptied WHERE origin = ?1 AND bucket = ?2")?
            .execute([origin, bucket])
            .map(|_| ())
    }
}
