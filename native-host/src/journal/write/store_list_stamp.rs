//! Which stores there are, as far as pages have reported it: what a late report means for a store
//! that no page has reported before.
//!
//! A store that the mirror knows has stamps of its own. One that it does not know may be new, or
//! may have gone before it was reported: with its database, or unseen. The last stamp of its
//! origin, by a deleted database or a store list, tells whether it may be gone.

use rusqlite::{OptionalExtension as _, params};

use super::{
    super::{
        conflict::stamp::{CommitSpan, NO_CONTEXT, ReadSpan, SLACK_MS, Stamp},
        key::Span,
        place::Place,
        store::DELETED,
    },
    Batch, Scope,
};

impl Batch<'_> {
    /// Who said last which stores this origin has.
    pub(super) fn store_list_stamp(&self, origin: &str) -> rusqlite::Result<Option<Stamp>> {
        self.transaction
            .prepare_cached("SELECT context, began, at FROM store_list WHERE origin = ?1")?
            .query_row([origin], |row| {
                Ok(Stamp {
                    by: row.get(0)?,
                    began: row.get(1)?,
                    at: row.get(2)?,
                })
            })
            .optional()
    }

    pub(super) fn set_store_list_stamp(&self, origin: &str, last: Stamp) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO store_list (origin, context, began, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![origin, last.by, last.began, last.at])
            .map(|_| ())
    }

    /// A commit tells of a store that is not known, or whose database was deleted; whether the
    /// store may be gone since.
    pub(super) fn rediscover_by_commit(
        &mut self,
        scope: Scope<'_>,
        place: &Place,
        version: u64,
        when: CommitSpan,
    ) -> rusqlite::Result<bool> {
        let last = self.store_list_stamp(scope.origin)?;
        // Most likely it is gone: it has no records, although the commit wrote some.
        let gone = last.filter(|last| when.committed_at.saturating_add(SLACK_MS) < last.at);
        let gone = gone.map(|last| Stamp {
            by: NO_CONTEXT,
            began: last.at,
            at: last.at,
        });
        if gone.is_some() {
            // They are older than its end, and would stand before the stamp of it.
            self.forget_tombstones(place, version, &Span::all())?;
        }
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.rediscover(&self.transaction, gone)?;
        Ok(last.is_some_and(|last| when.conflicts_with(last)))
    }

    /// A store was read. If no page has reported it before, it may be gone meanwhile.
    pub(super) fn rediscover_by_read(
        &mut self,
        scope: Scope<'_>,
        place: &Place,
        version: u64,
        reading: ReadSpan,
    ) -> rusqlite::Result<()> {
        let known = self.state.stores.version(&self.transaction, place)?;
        if known.is_some_and(|version| version != DELETED) {
            return Ok(());
        }
        self.state
            .stores
            .get(&self.transaction, place, version)?
            .rediscover(&self.transaction, None)?;
        match self.store_list_stamp(scope.origin)? {
            Some(last) if last.by != reading.stamp().by && reading.may_precede(last.at) => {
                self.request_resync(scope.origin)
            }
            _ => Ok(()),
        }
    }
}
