//! Which statement about a record is the younger one, and what to do where that is not known.
//!
//! Between documents the arrival of a commit proves nothing. So each record has a [`stamp`]: which
//! document wrote it last, and the span of time that encloses the write. If the spans of two
//! documents do not exclude that the other was later, the record is *in conflict*: it is read again
//! ([`requery`]), or all of its store is ([`resync`]). What reads of whole stores have found
//! unchanged is not stamped record by record, but has a [`read_mark`].

pub(super) mod read_mark;
pub(super) mod requery;
pub(super) mod resync;
pub(super) mod stamp;

/// Single records are to be read ([`requery`]).
pub(super) const RECORDS: u8 = 1;
/// All of it: the host does not know which records are missing ([`resync`]).
pub(super) const WHOLE: u8 = 2;
