//! What an event may tell of the record before it: absent if it is not known, never a guess.
//!
//! The mirror holds the last value that the host knows. It is what the record held just before a
//! commit only if nothing can have come in between:
//!
//! 1. *The commit is in no conflict.* Everything that is known of the record was true before the
//!    commit began, or is the same document's ([`stamp`](super::super::stamp)).
//! 2. *The record does not wait to be read again* ([`requery`](super::super::requery)).
//! 3. *Nothing of the store was lost since.* Either all of it was read after the last loss and
//!    every start of the host (`complete`), or the record was written or read since then: it began
//!    after `lapsed_at`.
//! 4. *No one writes the store unseen.* A whole-store read that finds a change in a complete store
//!    has found a writer that no hook sees, such as a worker. It may write again, so nothing is
//!    known until whole-store reads have found no such change for [`UNSEEN_MS`]. They may follow
//!    each other within seconds, since the bridge compares when it notices such a write.
//!
//! 5. *No other document may have committed before and not have sent that yet*
//!    ([`Delivery::may_overtake`]): documents announce that they write.
//!
//! By 3 to 5 it is known, too, that there was no record. What remains is the first commit of an
//! unseen writer, one of an unseen writer that has rested for longer, and one of a captured worker
//! that its document has not received yet: of none is there any sign when the event is made.
//!
//! [`Delivery::may_overtake`]: protocol::wire::host::Delivery::may_overtake
//! [`UNSEEN_MS`]: crate::timing::journal::UNSEEN_MS

use super::super::{mirror::Row, store::Store};

/// What is known of the value before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Before {
    Unknown,
    Absent,
    Value(String),
}

impl Before {
    /// What a record held before a commit that arrives now. Today's redaction rules are of this
    /// generation; `in_doubt` says that the commit is in conflict, that another one may be
    /// missing, or that the record waits to be read.
    pub(super) fn of(row: Option<&Row>, store: &Store, in_doubt: bool, redaction: i64) -> Self {
        match row {
            _ if in_doubt => Self::Unknown,
            Some(row) if store.knows(row.stamp) => Self::of_row(row, redaction),
            None if store.knows_all() => Self::Absent,
            Some(_) | None => Self::Unknown,
        }
    }

    /// What an event may tell of a row while the redaction rules of this generation hold.
    fn of_row(row: &Row, redaction: i64) -> Self {
        match &row.value {
            None => Self::Absent,
            // Other rules made it. They may have kept what these must not.
            Some(_) if row.redaction != redaction => Self::Unknown,
            Some(value) => Self::Value(value.clone()),
        }
    }

    /// What the host knew of a record that was read. What came in between was not seen.
    pub(super) fn last_known(row: Option<&Row>, store: &Store, redaction: i64) -> Self {
        match row {
            Some(row) => Self::of_row(row, redaction),
            None if store.knows_all() => Self::Absent,
            None => Self::Unknown,
        }
    }
}
