//! One writer at a time, and the progress that sinks want written.
//!
//! SQLite has one writer at a time. The connections of this process take turns by a lock instead of
//! meeting in SQLite's busy loop. But in a flood the journal's thread has the lock nearly always,
//! and a sink that waited for it would stand still.
//!
//! **Invariant:** no sink waits for the lock while there is something to pass on. It posts its
//! *pending progress*; the thread that has the lock writes all of it, the journal's thread with its
//! next transaction. What was posted too late for that is written by the sink itself once it finds
//! the lock free.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{Connection, params};

use super::{
    super::retention::limits,
    condition::{Condition, Notice},
};
use crate::time::now_ms;

/// How many posts wait one by one; later ones replace the last one of their kind, so
/// that a journal that cannot be written costs no memory.
const APART: usize = 1024;

/// What the writers of one process share.
#[derive(Clone, Default)]
pub struct WriterLock(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lock: Mutex<()>,
    /// Events have other numbers than the journal's thread knows.
    renumbered: AtomicBool,
    pending: Mutex<Vec<PendingProgress>>,
}

/// Something that a sink wants written.
#[derive(Debug)]
pub(in crate::journal) struct PendingProgress {
    sink: &'static str,
    at: i64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// All events up to this one have been passed on.
    Passed { number: u64, notices: Vec<Notice> },
    /// How the sink is now.
    Condition(Condition),
}

impl WriterLock {
    /// Waits for the lock.
    pub(in crate::journal) fn take(&self) -> MutexGuard<'_, ()> {
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock if it is free.
    pub(in crate::journal) fn try_take(&self) -> Option<MutexGuard<'_, ()>> {
        match self.0.lock.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Lets the journal's thread look at its numbers again.
    pub(in crate::journal) fn set_renumbered(&self) {
        self.0.renumbered.store(true, Ordering::SeqCst);
    }

    /// Whether it must, from now on no more.
    pub(in crate::journal) fn was_renumbered(&self) -> bool {
        self.0.renumbered.swap(false, Ordering::SeqCst)
    }

    pub(in crate::journal) fn post_passed(&self, sink: &'static str, number: u64, notices: &[Notice]) {
        let notices = notices.to_vec();
        self.post(sink, Content::Passed { number, notices });
    }

    pub(in crate::journal) fn post_condition(&self, sink: &'static str, condition: &Condition) {
        self.post(sink, Content::Condition(condition.clone()));
    }

    fn post(&self, sink: &'static str, content: Content) {
        let mut notes = self.pending();
        let note = PendingProgress {
            sink,
            at: now_ms(),
            content,
        };
        if notes.len() >= APART
            && let Some(last) = notes.iter_mut().rev().find(|last| last.is_superseded_by(&note))
        {
            *last = note;
        } else {
            notes.push(note);
        }
    }

    /// Whether all that was posted is written, or about to be.
    pub(in crate::journal) fn is_saved(&self) -> bool {
        self.pending().is_empty()
    }

    /// The pending progress, for the transaction of the thread that has the lock. If that fails it
    /// must be
    /// [put back](Self::put_back).
    pub(in crate::journal) fn take_pending(&self) -> Vec<PendingProgress> {
        std::mem::take(&mut *self.pending())
    }

    pub(in crate::journal) fn put_back(&self, mut earlier: Vec<PendingProgress>) {
        let mut notes = self.pending();
        earlier.append(&mut notes);
        *notes = earlier;
    }

    fn pending(&self) -> MutexGuard<'_, Vec<PendingProgress>> {
        // No code that holds the lock can panic.
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingProgress {
    fn is_superseded_by(&self, later: &Self) -> bool {
        self.sink == later.sink
            && std::mem::discriminant(&self.content) == std::mem::discriminant(&later.content)
    }
}

/// Writes progress within a transaction.
pub(in crate::journal) fn write(connection: &Connection, notes: &[PendingProgress]) -> rusqlite::Result<()> {
    for PendingProgress { sink, at, content } in notes {
        match content {
            Content::Passed { number, notices } => {
                connection
                    .prepare_cached("UPDATE sink SET number = ?2 WHERE name = ?1")?
                    .execute(params![sink, number])?;
                limits::note_passed(connection, sink, *number, *at)?;
                for notice in notices {
                    connection
                        .prepare_cached(
                            "INSERT OR REPLACE INTO notice (stage, number, text) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![sink, notice.number, limits::notice_text(&notice.text)])?;
                }
            }
            Content::Condition(Condition {
                state,
                problem: trouble,
                attempts,
            }) => {
                let trouble = trouble.as_ref();
                connection
                    .prepare_cached(
                        "UPDATE sink SET since = iif(state IS ?2 AND error IS ?3, since, ?5), state = ?2, error = ?3, fix = ?4 WHERE name = ?1",
                    )?
                    .execute(params![
                        sink,
                        state,
                        trouble.map(|trouble| &trouble.message),
                        trouble.map(|trouble| &trouble.fix),
                        at
                    ])?;
                if let Some(trouble) = trouble {
                    connection
                        .prepare_cached(
                            "INSERT INTO failed (sink, state, error, fix, at) VALUES (?1, ?2, ?3, ?4, ?5)
                             ON CONFLICT DO UPDATE SET state = ?2, error = ?3, fix = ?4, at = ?5, over_at = NULL
                             WHERE error <> ?3 OR over_at IS NOT NULL",
                        )?
                        .execute(params![sink, state, trouble.message, trouble.fix, at])?;
                } else {
                    connection
                        .prepare_cached("UPDATE failed SET over_at = ?2 WHERE sink = ?1 AND over_at IS NULL")?
                        .execute(params![sink, at])?;
                }
                connection
                    .prepare_cached("INSERT OR REPLACE INTO attempt (sink, count) VALUES (?1, ?2)")?
                    .execute(params![sink, attempts])?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_their_order_and_do_not_pile_up() {
        let turn = WriterLock::default();
        turn.post_passed("a", 1, &[]);
        let first = turn.take_pending();
        turn.post_passed("a", 2, &[]);
        turn.put_back(first);
        for number in 3..3 + 10 * APART as u64 {
            turn.post_passed("a", number, &[]);
            turn.post_passed("b", number, &[]);
        }
        let notes = turn.take_pending();
        assert!(turn.is_saved());
        assert_eq!(notes.len(), APART);
        let of_a: Vec<u64> = notes
            .iter()
            .filter_map(|note| match note.content {
                Content::Passed { number, .. } if note.sink == "a" => Some(number),
                _ => None,
            })
            .collect();
        assert!(of_a.is_sorted());
        assert_eq!((of_a[0], of_a.last()), (1, Some(&(2 + 10 * APART as u64))));
    }
}
