//! Documents and the numbers of their deliveries: which were applied, which never came.

use protocol::{
    body::WritingWorker,
    wire::{
        bridge::MAX_CONTEXT,
        host::{ErrorCode, HostError, Page},
    },
};
use rusqlite::{OptionalExtension as _, params};

use super::{Batch, Scope};
use crate::time::now_ms;

/// A document that delivers.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct Context {
    /// Its row.
    pub id: i64,
    /// The number of its last delivery that is applied.
    pub last: u64,
}

/// A context as it is remembered. It belongs to the origin that brought it: a document of another
/// one that goes by its name would make the next deliveries of the first one pass for duplicates.
#[derive(Debug)]
pub(in crate::journal) struct Known {
    context: Context,
    origin: String,
}

impl Batch<'_> {
    /// The document of this name, made known if it was not; `None` if the name belongs to a
    /// document of another origin.
    pub(super) fn context(&mut self, name: &str, origin: &str) -> rusqlite::Result<Option<Context>> {
        if let Some(known) = self.state.contexts.get(name) {
            return Ok((known.origin == origin).then_some(known.context));
        }
        let context = self.load_context(name, origin)?;
        if let Some(context) = context {
            let origin = origin.to_owned();
            self.state
                .contexts
                .insert(name.to_owned(), Known { context, origin });
        }
        Ok(context)
    }

    /// The context that the stamps of a commit name. A document and its workers deliver under one
    /// name, but only the commits of one of them come in order: so each worker has a context of its
    /// own.
    pub(super) fn writing_context(
        &mut self,
        scope: Scope<'_>,
        worker: Option<&WritingWorker<'_>>,
    ) -> rusqlite::Result<i64> {
        let Some(worker) = worker else {
            return Ok(scope.context);
        };
        // No document has a name as long: it would be refused.
        let name = format!("{:-<MAX_CONTEXT$}/{:08x}", scope.context_name, worker.id);
        let context = self.context(&name, scope.origin)?;
        Ok(context.map_or(scope.context, |context| context.id))
    }

    fn load_context(&self, name: &str, origin: &str) -> rusqlite::Result<Option<Context>> {
        let found = self
            .transaction
            .prepare_cached("SELECT id, last_sequence, origin FROM context WHERE name = ?1")?
            .query_row([name], |row| {
                let context = Context {
                    id: row.get(0)?,
                    last: row.get(1)?,
                };
                Ok((context, row.get::<_, String>(2)?))
            })
            .optional()?;
        match found {
            Some((context, of)) if of == origin => Ok(Some(context)),
            Some(_) => Ok(None),
            None => {
                self.transaction
                    .prepare_cached(
                        "INSERT INTO context (name, last_sequence, seen_at, origin) VALUES (?1, 0, ?2, ?3)",
                    )?
                    .execute(params![name, now_ms(), origin])?;
                Ok(Some(Context {
                    id: self.transaction.last_insert_rowid(),
                    last: 0,
                }))
            }
        }
    }

    /// A delivery under the name of a document of another origin. It is not acknowledged: the
    /// document's own deliveries are.
    pub(super) fn refuse_context(&mut self, name: &str, page: &Page<'_>) {
        self.outcome.errors.push(HostError {
            code: ErrorCode::OriginNotCaptured,
            message: format!(
                "a page of {} delivers under the id of a document of another origin",
                page.origin
            ),
            fix: "Reload the page. If this stays, do not trust the page: its process may be taken over."
                .to_owned(),
            context: Some(name.to_owned()),
            sequence: None,
        });
    }

    /// Writes down how far the batch's contexts have come: once for a batch rather than for each
    /// delivery.
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
            known.context.last = sequence;
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
        self.request_resync(&page.origin)?;
        self.outcome.errors.push(HostError {
            code: ErrorCode::DeliveriesMissing,
            message: format!(
                "deliveries {} to {} of a page of {} never came",
                last + 1,
                sequence - 1,
                page.origin
            ),
            fix: "Nothing to do: the page's stores are read again and what was missed follows.".to_owned(),
            context: Some(context.to_owned()),
            sequence: Some(sequence),
        });
        Ok(())
    }

    pub(super) fn malformed(&mut self, context: &str, sequence: u64, page: &Page<'_>, reason: &str) {
        self.outcome.errors.push(HostError {
            code: ErrorCode::MalformedDelivery,
            message: format!("delivery {sequence} of a page of {} was dropped: {reason}", page.origin),
            fix: "This is a fault of the extension; please report it. The page's stores are compared by its next snapshot."
                .to_owned(),
            context: Some(context.to_owned()),
            sequence: Some(sequence),
        });
    }
}
