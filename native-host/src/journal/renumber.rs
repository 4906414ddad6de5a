//! Numbers that are taken: a server has events of this profile that this journal knows nothing of.
//!
//! So it is if the journal was restored from a copy that is older than what was passed on. What
//! comes now would have numbers that were given out, and be taken for what was sent then. So it
//! gets others, behind all that are taken: new events by the journal's base, and those that wait to
//! be passed on by new numbers in their rows and texts.

use protocol::event::Source;
use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::schema;

/// All of an event that is looked at.
#[derive(Deserialize)]
struct Sourced<'e> {
    #[serde(borrow)]
    source: &'e RawValue,
}

/// Gives the events after one numbers behind those up to `taken`, and what comes later, too.
/// Returns the number of the last event.
pub(super) fn renumber(connection: &Connection, after: u64, taken: u64) -> rusqlite::Result<u64> {
    let transaction = connection.unchecked_transaction()?;
    let head = schema::head(&transaction)?;
    let shift = taken.max(head).saturating_sub(after);
    let mut last = after;
    loop {
        // One by one: texts may be large.
        let next = transaction
            .prepare_cached(
                "SELECT number, event FROM journal WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT 1",
            )?
            .query_map(params![last, head], |row| Ok((row.get(0)?, row.get(1)?)))?
            .next();
        let Some(row) = next else { break };
        let (number, event): (u64, String) = row?;
        let event = with_number(&event, number + shift).unwrap_or(event);
        transaction
            .prepare_cached("UPDATE journal SET number = ?2, event = ?3 WHERE number = ?1")?
            .execute(params![number, number + shift, event])?;
        transaction
            .prepare_cached("UPDATE OR REPLACE notice SET number = ?2 WHERE number = ?1")?
            .execute(params![number, number + shift])?;
        last = number;
    }
    transaction.execute(
        "UPDATE delivery SET last = last + ?2 WHERE last > ?1",
        params![after, shift],
    )?;
    transaction.execute("UPDATE meta SET base = max(base, ?1)", [taken])?;
    let head = transaction.query_row("SELECT coalesce(max(number), ?1) FROM journal", [taken], |row| {
        row.get(0)
    })?;
    transaction.commit()?;
    Ok(head)
}

/// An event's text with another number; none if it is no event's.
fn with_number(text: &str, number: u64) -> Option<String> {
    let Sourced { source } = serde_json::from_str(text).ok()?;
    let begin = (source.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let mut changed: Source<'_> = serde_json::from_str(source.get()).ok()?;
    changed.sequence = number;
    let source_length = source.get().len();
    Some(format!(
        "{}{}{}",
        text.get(..begin)?,
        serde_json::to_string(&changed).ok()?,
        text.get(begin + source_length..)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_of_the_event_itself_changes() {
        let event = |number: u64| {
            format!(
                r#"{{"op":"c","key":1,"after":{{"source":{{"sequence":1}},"sequence":1}},"ts_ms":1,"source":{{"version":"0","browser":"b","profile":"p","origin":"\"sequence\":1","bucket":"","database":"d","database_version":1,"store":"s","context":"c","sequence":{number},"snapshot":false}},"transaction":{{"id":"c:1","total_order":1,"event_count":1}}}}"#
            )
        };
        assert_eq!(with_number(&event(1), 77), Some(event(77)));
        assert_eq!(with_number("?", 77), None);
    }
}
