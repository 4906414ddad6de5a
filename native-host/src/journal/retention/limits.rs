//! How long events stay, and what a journal may take.
//!
//! - An event stays until every sink in use has passed it on, and then, for `tail` and for servers
//!   that forget, until it is older than [`crate::config::Limits::keep`] or the events take more
//!   than [`crate::config::Limits::keep_bytes`].
//! - Past [`crate::config::Limits::max_bytes`] the oldest events lose their text, passed on or not,
//!   those about whole stores, too. Their rows stay, with store and key, so the sink of Memcached
//!   still learns which records have changed; their values are in the mirror. The last row of each
//!   store that lost some becomes a gap event. What the sink that carries texts (Redis) has missed
//!   is backfilled: an `r` or `d` for each record concerned, as the mirror has it once all sinks
//!   have passed the gap and there is space again.
//! - Past twice that bound, with nothing left to strip, deliveries are given up, each as if it had
//!   never arrived. Their origins are read again once the sinks have taken so much that there is
//!   space.
//!
//! This module has the limits and the counters; `write::retain` acts on them.

use std::borrow::Cow;

use rusqlite::{Connection, params};

/// How often old events are looked for, in events.
const INTERVAL: u64 = 8192;

/// How many go at once: more than come in an interval, so that a long backlog goes too, and few
/// enough that no delivery waits for it.
pub(in crate::journal) const AT_ONCE: u64 = 4 * INTERVAL;

/// What a row takes beside its text and its key.
macro_rules! row {
    () => {
        16
    };
}

/// What a row takes.
pub(in crate::journal) const ROW_BYTES: &str =
    concat!(row!(), " + octet_length(event) + coalesce(octet_length(key), 0)");

/// The same of a row that is about to be written.
pub(in crate::journal) fn row_bytes(text: &str, key: Option<&[u8]>) -> u64 {
    row!() + (text.len() + key.map_or(0, <[u8]>::len)) as u64
}

/// What the events take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::journal) struct Usage {
    /// Bytes of rows with their texts and keys.
    pub bytes: u64,
    /// How many events have lost their text, since the beginning.
    pub stripped: u64,
    /// How many rows are to be backfilled.
    pub backfill_pending: u64,
    /// Up to this one nothing is left to lose. Only saves looking.
    pub stripped_to: u64,
    /// What cannot be stripped takes at most so much, as far as is known: what was left when the
    /// journal was last full, 0 if something of that could be stripped. After a start it may be all
    /// that is there, or each start would take a batch more.
    pub unstrippable: u64,
    /// Whether that was looked up since the start.
    pub is_looked_up: bool,
}

impl Usage {
    pub(in crate::journal) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row("SELECT bytes, stripped, backfill_pending FROM usage", [], |row| {
            let bytes = row.get(0)?;
            Ok(Self {
                bytes,
                stripped: row.get(1)?,
                backfill_pending: row.get(2)?,
                stripped_to: 0,
                unstrippable: bytes,
                is_looked_up: false,
            })
        })
    }

    pub(in crate::journal) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE usage SET bytes = ?1, stripped = ?2, backfill_pending = ?3 WHERE bytes <> ?1 OR stripped <> ?2 OR backfill_pending <> ?3")?
            .execute(params![self.bytes, self.stripped, self.backfill_pending])
            .map(|_| ())
    }
}

/// What was backfilled last and has yet to reach the sinks. Its text is not stripped until then,
/// unless other events take more and more space.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::journal) struct BackfillUnderWay {
    /// The last of these events.
    last: u64,
    /// What all events may take until then.
    most: u64,
}

impl BackfillUnderWay {
    /// These events were backfilled; others may take so much besides.
    pub(in crate::journal) fn new(last: u64, usage: Usage, besides: u64) -> Self {
        Self {
            last,
            most: usage.bytes.saturating_add(besides),
        }
    }

    /// Whether nothing is stripped yet.
    pub(in crate::journal) fn is_kept(self, passed_on: u64, usage: Usage) -> bool {
        passed_on < self.last && usage.bytes <= self.most
    }
}

/// Notes when all events up to this one had passed a stage.
pub(in crate::journal) fn note_passed(
    connection: &Connection,
    stage: &str,
    last: u64,
    at: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO delivery (stage, last, at) VALUES (?1, ?2, ?3)")?
        .execute(params![stage, last, at])
        .map(|_| ())
}

/// How many notices of events stay, the last ones.
const NOTICES: usize = if cfg!(test) { 1000 } else { 65_536 };

/// How long the text of one is at most, in bytes: a page may have a part in it.
const NOTICE_BYTES: usize = 256;

/// What of a notice's text is kept.
pub(in crate::journal) fn notice_text(text: &str) -> Cow<'_, str> {
    if text.len() <= NOTICE_BYTES {
        return Cow::Borrowed(text);
    }
    let mut end = NOTICE_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Removes the oldest notices, if there are too many.
pub(in crate::journal) fn bound_notices(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM notice WHERE number <= (SELECT number FROM notice ORDER BY number DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([NOTICES])
        .map(|_| ())
}

/// Whether the head has passed a multiple of the interval.
pub(in crate::journal) fn is_due(before: u64, head: u64) -> bool {
    before / INTERVAL != head / INTERVAL
}
