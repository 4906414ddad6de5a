//! What has become of an event's text: the column `state` of a row of the journal.

use rusqlite::{
    ToSql,
    types::{ToSqlOutput, Value},
};

/// The state of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum RowState {
    /// It has its text.
    Whole = 0,
    /// It has lost its text.
    Stripped = 1,
    /// It has lost its text, and its record is still to be backfilled.
    BackfillPending = 2,
    /// Its text was replaced by that of a gap event.
    Gap = 3,
    /// The same, and its record is still to be backfilled.
    GapBackfillPending = 4,
}

impl RowState {
    /// The state of a row that loses its text.
    pub(super) fn stripped(needs_backfill: bool) -> Self {
        if needs_backfill {
            Self::BackfillPending
        } else {
            Self::Stripped
        }
    }

    /// In SQL: the state of a row once it has become a gap event.
    pub(super) fn once_gap() -> String {
        choice(Self::BackfillPending, Self::GapBackfillPending, Self::Gap)
    }

    /// In SQL: the state of a row once its record was backfilled.
    pub(super) fn once_backfilled() -> String {
        choice(Self::GapBackfillPending, Self::Gap, Self::Stripped)
    }
}

/// In SQL: one state for rows of a state, another for others.
fn choice(of: RowState, one: RowState, other: RowState) -> String {
    format!("iif(state = {}, {}, {})", of as u8, one as u8, other as u8)
}

impl ToSql for RowState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(*self as i64)))
    }
}

/// Whether a row has a text that can be stripped. That of a gap event cannot: nothing else tells of
/// the gap.
pub(super) const IS_WHOLE: &str = "state = 0";

/// Whether a row's record is to be backfilled; as the index has it.
pub(super) const IS_BACKFILL_PENDING: &str = "state IN (2, 4)";

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::*;

    const ALL: [RowState; 5] = [
        RowState::Whole,
        RowState::Stripped,
        RowState::BackfillPending,
        RowState::Gap,
        RowState::GapBackfillPending,
    ];

    /// What an expression makes of each state.
    fn of_each(expression: &str) -> Vec<i64> {
        let connection = Connection::open_in_memory().expect("a database");
        ALL.into_iter()
            .map(|state| {
                connection
                    .query_row(
                        &format!("SELECT {expression} FROM (SELECT ?1 AS state)"),
                        params![state],
                        |row| row.get(0),
                    )
                    .expect("a result")
            })
            .collect()
    }

    #[test]
    fn expressions_agree_with_the_states() {
        let [whole, stripped, pending, gap, gap_pending] = ALL.map(|state| state as i64);
        assert_eq!(of_each("state"), [whole, stripped, pending, gap, gap_pending]);
        assert_eq!(of_each(IS_WHOLE), [1, 0, 0, 0, 0]);
        assert_eq!(of_each(IS_BACKFILL_PENDING), [0, 0, 1, 0, 1]);
        assert_eq!(of_each(&RowState::once_gap()), [gap, gap, gap_pending, gap, gap]);
        assert_eq!(
            of_each(&RowState::once_backfilled()),
            [stripped, stripped, stripped, stripped, gap]
        );
    }
}
