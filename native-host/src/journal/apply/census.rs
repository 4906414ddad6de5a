//! Which stores there are, as far as pages have reported it: what a late report means for a store
//! that no page has reported before.
//!
//! A store that the mirror knows has stamps of its own. One that it does not know may be new, or
//! may have gone before it was reported: with its database, or unseen. The last stamp of its
//! origin, by a deleted database or a store list, tells whether it may be gone.

use rusqlite::{OptionalExtension as _, params};

use super::{
    super::{
        order::{NO_CONTEXT, Reading, SLACK_MS, When, Word},
        store::Place,
    },
    Batch, Scope,
};

impl Batch<'_> {
    /// Who said last which stores this origin has.
    pub(super) fn census(&self, origin: &str) -> rusqlite::Result<Option<Word>> {
        self.transaction
            .prepare_cached("SELECT context, began, at FROM census WHERE origin = ?1")?
            .query_row([origin], |row| {
                Ok(Word {
                    by: row.get(0)?,
                    began: row.get(1)?,
                    at: row.get(2)?,
                })
            })
            .optional()
    }

    pub(super) fn set_census(&self, origin: &str, last: Word) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO census (origin, context, began, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![origin, last.by, last.began, last.at])
            .map(|_| ())
    }

    /// A commit tells of a store that is not known; whether the store may be gone since.
    pub(super) fn meet_late(
        &mut self,
        scope: Scope<'_>,
        place: &Place,
        version: u64,
        when: When,
    ) -> rusqlite::Result<bool> {
        let last = self.census(scope.origin)?;
        // Most likely it is gone: it has no records, although the commit wrote some.
        let gone = last.filter(|last| when.committed_at.saturating_add(SLACK_MS) < last.at);
        let gone = gone.map(|last| Word {
            by: NO_CONTEXT,
            began: last.at,
            at: last.at,
        });
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.meet(&self.transaction, gone)?;
        Ok(last.is_some_and(|last| when.contests(last)))
    }

    /// A store was read. If no page has reported it before, it may be gone meanwhile.
    pub(super) fn meet(
        &mut self,
        scope: Scope<'_>,
        place: &Place,
        version: u64,
        reading: Reading,
    ) -> rusqlite::Result<()> {
        if self.state.stores.version(&self.transaction, place)?.is_some() {
            return Ok(());
        }
        self.state
            .stores
            .get(&self.transaction, place, version)?
            .meet(&self.transaction, None)?;
        match self.census(scope.origin)? {
            Some(last) if last.by != reading.word().by && reading.may_precede(last.at) => {
                self.reread(scope.origin)
            }
            _ => Ok(()),
        }
    }
}
