//! Documents and the numbers of their deliveries: which were applied, which never came.

use protocol::message::{ErrorCode, HostError, Page};
use rusqlite::{OptionalExtension as _, params};

use super::Batch;
use crate::time::now_ms;

/// A document that delivers.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct Context {
    /// Its row.
    pub id: i64,
    /// The number of its last delivery that is applied.
    pub last: u64,
}

impl Batch<'_> {
    /// The document of this name, made known if it was not.
    pub(super) fn context(&mut self, name: &str) -> rusqlite::Result<Context> {
        if let Some(context) = self.state.contexts.get(name) {
            return Ok(*context);
        }
        let found = self
            .transaction
            .prepare_cached("SELECT id, last_sequence FROM context WHERE name = ?1")?
            .query_row([name], |row| {
                Ok(Context {
                    id: row.get(0)?,
                    last: row.get(1)?,
                })
            })
            .optional()?;
        let context = if let Some(context) = found {
            context
        } else {
            self.transaction
                .prepare_cached("INSERT INTO context (name, last_sequence, seen_at) VALUES (?1, 0, ?2)")?
                .execute(params![name, now_ms()])?;
            Context {
                id: self.transaction.last_insert_rowid(),
                last: 0,
            }
        };
        self.state.contexts.insert(name.to_owned(), context);
        Ok(context)
    }

    /// Writes down how far the batch's contexts have come: once for a batch rather than for each delivery.
    pub(super) fn save_contexts(&self) -> rusqlite::Result<()> {
        let mut advance = self
            .transaction
            .prepare_cached("UPDATE context SET last_sequence = ?2, seen_at = ?3 WHERE name = ?1")?;
        for (context, sequence) in &self.outcome.acknowledged {
            advance.execute(params![context, sequence, now_ms()])?;
        }
        Ok(())
    }

    /// A delivery is applied.
    pub(super) fn advance(&mut self, name: &str, sequence: u64) {
        if let Some(known) = self.state.contexts.get_mut(name) {
            known.last = sequence;
        }
        self.acknowledge(name, sequence);
    }

    pub(super) fn acknowledge(&mut self, context: &str, sequence: u64) {
        match self.outcome.acknowledged.get_mut(context) {
            Some(last) => *last = sequence.max(*last),
            None => {
                self.outcome.acknowledged.insert(context.to_owned(), sequence);
            }
        }
    }

    pub(super) fn missing(
        &mut self,
        context: &str,
        last: u64,
        sequence: u64,
        page: &Page<'_>,
    ) -> rusqlite::Result<()> {
        self.reread(&page.origin)?;
        self.outcome.errors.push(HostError {
            code: ErrorCode::DeliveriesMissing,
            message: format!(
                "deliveries {} to {} of a page of {} never came",
                last + 1,
                sequence - 1,
                page.origin
            ),
            cure: "Nothing to do: the page's stores are read again and what was missed follows.".to_owned(),
            context: Some(context.to_owned()),
        });
        Ok(())
    }

    pub(super) fn malformed(&mut self, context: &str, sequence: u64, page: &Page<'_>, reason: &str) {
        self.outcome.errors.push(HostError {
            code: ErrorCode::MalformedDelivery,
            message: format!("delivery {sequence} of a page of {} was dropped: {reason}", page.origin),
            cure: "This is a fault of the extension; please report it. The page's stores are compared by its next snapshot."
                .to_owned(),
            context: Some(context.to_owned()),
        });
    }
}
