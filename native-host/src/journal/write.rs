//! From what pages say to events and the mirror, one transaction for a batch of deliveries.
//!
//! Times that pages give are spans that enclose the instant at which a thing really happened. Where
//! two spans leave their order open ([`stamp`](super::stamp)) the record is read again
//! ([`requery`](super::requery)).
//!
//! - `context`: documents, and the numbers of their deliveries.
//! - `commit`: transactions.
//! - `observe`: what a read says about one record; used by all below.
//! - `snapshot`: ranges of stores, and single records read again.
//! - `digests`: ranges of stores that are compared by their digests.
//! - `store_list`: databases and stores that are gone; commits that were lost.
//! - `emptied`: store lists that leave nothing of an origin.
//! - `store_list_stamp`: stores that no page has reported before.
//! - `reshape`: changes of stores' shapes, and deleted databases.
//! - `range_delete`: ranges of records that are deleted at once.
//! - `before`: what an event may tell of the value before.
//! - `known`: what is known of a record when a commit that writes it arrives.
//! - `written`: what that commit has written so far.
//! - `prepared`: what is read of a delivery before it is applied.
//! - `pending`: the events of one delivery until all are known.
//! - `event`: from pending events to the journal's rows.
//! - `retain`: eviction of old events, and what is stripped when space runs out.
//! - `volume`: what one delivery may write.

mod before;
mod commit;
mod context;
mod digests;
mod emptied;
mod event;
mod known;
mod observe;
mod pending;
mod prepared;
mod range_delete;
mod reshape;
mod retain;
mod snapshot;
mod store_list;
mod store_list_stamp;
#[cfg(test)]
mod tests;
mod volume;
mod written;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::MutexGuard,
};

use protocol::{
    body::{Body, Commit, Digests, MAX_NAME_UNITS, Records, Snapshot, StoreList, is_reading},
    key::KeyError,
    wire::{
        bridge::MAX_CONTEXT,
        host::{Delivery, ErrorCode, HostError, Page},
    },
};
use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior};
use serde_json::value::RawValue;

use self::context::Context;
pub(super) use self::{
    context::Known,
    volume::{DELIVERY_BYTES, DELIVERY_WORK, ORIGIN_BYTES},
};
use super::{
    Journal, JournalError, State, WriterLock, clock,
    mirror::{Mirror, Single},
    progress::writer_lock::{self, PendingProgress},
    recent::{Recent, Written},
    retention::limits,
};
use crate::{failpoint, failure::json_fault, time::now_ms};

/// The largest number that a page can mean exactly; SQLite's integers hold it.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// What is sent to the extension once a batch is on disk.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Contexts, each with its last delivery that is on disk.
    pub acknowledged: BTreeMap<String, u64>,
    /// Of deliveries with digests, how many stretches the mirror has alike; of the others nothing.
    pub matched: Vec<Matched>,
    /// What was wrong with deliveries.
    pub errors: Vec<HostError>,
    /// Origins whose stores must be compared completely.
    pub snapshots: BTreeSet<String>,
    /// Origins with a writer that no hook sees: a comparison has found what it wrote.
    pub unseen: BTreeSet<String>,
}

/// How many stretches of a delivery the mirror has alike, counted from the first one.
#[derive(Debug, PartialEq, Eq)]
pub struct Matched {
    /// The document's id.
    pub context: String,
    /// The delivery's number.
    pub sequence: u64,
    /// How many.
    pub stretches: u32,
}

impl Outcome {
    /// Adds what a later batch came to.
    pub fn append(&mut self, later: Self) {
        self.acknowledged.extend(later.acknowledged);
        self.matched.extend(later.matched);
        self.errors.extend(later.errors);
        self.snapshots.extend(later.snapshots);
        self.unseen.extend(later.unseen);
    }
}

/// Deliveries that reach the disk together.
pub struct Batch<'j> {
    single: Single<'j>,
    insert: CachedStatement<'j>,
    transaction: Transaction<'j>,
    /// The one that the transaction is of.
    connection: &'j Connection,
    state: &'j mut State,
    outcome: Outcome,
    path: &'j Path,
    /// The head before this batch.
    before: u64,
    /// Its events so far.
    written: Written,
    /// How many events had lost their text before it.
    stripped: u64,
    /// Some of its pending events were spilled to disk.
    has_spilled: bool,
    /// Whether it has done what [`Self::retain`] does. Once is enough for a transaction.
    is_retained: bool,
    /// Origins of which deliveries were given up, for the journal was full of rows.
    given_up_origins: BTreeSet<String>,
    /// Origins of which new stores were refused, for there were too many.
    refused_origins: BTreeSet<String>,
    /// Before the delivery that is being applied another document may have committed what has not
    /// come yet: no value before is known.
    may_overtake: bool,
    /// What the delivery that is being applied has written.
    volume: volume::Volume,
    recent: &'j Recent,
    writer_lock: &'j WriterLock,
    _held: MutexGuard<'j, ()>,
}

/// Why a delivery was not applied.
enum Refusal {
    Database(rusqlite::Error),
    /// The page's side sent something that cannot be; nothing of it was applied.
    Malformed(String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl<'j> Batch<'j> {
    pub(super) fn begin(journal: &'j mut Journal) -> Result<Self, JournalError> {
        let failed = |source| JournalError::failed(&journal.path, source);
        let held = journal.writer_lock.take();
        let connection = &journal.connection;
        if journal.writer_lock.was_renumbered() {
            // The events at hand have the old numbers, and so has the state that is remembered. The
            // batch reads the state again, as after a failure.
            journal.recent.clear();
            journal.state.reload(connection).map_err(failed)?;
        }
        if std::mem::replace(&mut journal.state.unfinished, true) {
            journal.state.requery.undo();
            journal.state.tombstones.count_again();
            journal.state.reload(connection).map_err(failed)?;
        } else if journal.state.remembers_much() {
            journal.state.reload(connection).map_err(failed)?;
        }
        let (clock, was_set_back) = journal.state.clock.advance(now_ms());
        if was_set_back {
            tracing::warn!("the machine's clock was set back: what was stamped until now counts as older");
            let latest = journal.state.clock.limit();
            clock::correct_at_once(connection, clock, latest).map_err(failed)?;
            journal.state.reload(connection).map_err(failed)?;
        }
        journal.state.clock = clock;
        journal.state.attempted = 0;
        let transaction =
            Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed)?;
        Ok(Self {
            single: Single::of(connection, journal.state.redaction, clock).map_err(failed)?,
            insert: connection
                .prepare_cached(
                    "INSERT INTO journal (number, store, state, key, event) VALUES (?1, ?2, ?3, ?4, ?5)",
                )
                .map_err(failed)?,
            transaction,
            connection,
            before: journal.state.head,
            written: Written::default(),
            stripped: journal.state.usage.stripped,
            has_spilled: false,
            is_retained: false,
            given_up_origins: BTreeSet::new(),
            refused_origins: BTreeSet::new(),
            may_overtake: false,
            volume: volume::Volume::default(),
            recent: &journal.recent,
            state: &mut journal.state,
            outcome: Outcome::default(),
            path: &journal.path,
            writer_lock: &journal.writer_lock,
            _held: held,
        })
    }

    /// Applies a delivery unless it was applied before; either way it will be acknowledged.
    pub fn apply(&mut self, delivery: &Delivery<'_, Body<'_>>) -> Result<(), JournalError> {
        let Delivery {
            context,
            sequence,
            page,
            may_overtake,
            body,
        } = delivery;
        self.may_overtake = *may_overtake;
        // A backfill does not count for a delivery, nor the last one for it.
        self.volume = volume::Volume::default();
        self.look_up_unstrippable()
            .map_err(|source| JournalError::failed(self.path, source))?;
        self.deliver(context, *sequence, page, |batch, known| {
            if batch.is_overfull() {
                return batch.give_up_delivery(context, *sequence, page);
            }
            match batch.body(delivery, known) {
                Err(Refusal::Malformed(reason)) => {
                    batch.malformed(context, *sequence, page, &reason);
                    batch.note_loss(&page.origin, body.is_reading())
                }
                Err(Refusal::Database(error)) => Err(error),
                Ok(()) => Ok(()),
            }
        })
    }

    /// Notes a delivery whose body cannot be read, so that it is acknowledged and never sent again.
    /// The page's stores are to be read.
    pub fn reject(
        &mut self,
        delivery: &Delivery<'_, &RawValue>,
        reason: &serde_json::Error,
    ) -> Result<(), JournalError> {
        let Delivery {
            context,
            sequence,
            page,
            body,
            ..
        } = delivery;
        self.deliver(context, *sequence, page, |batch, _| {
            batch.malformed(context, *sequence, page, &json_fault(reason));
            batch.note_loss(&page.origin, is_reading(body.get()))
        })
    }

    /// Notes a delivery that cannot be kept for this reason, so that it is acknowledged and never
    /// sent again. The page's stores are to be read. `is_read`: it is known to tell only what was
    /// read, although its body is not there.
    pub fn give_up(
        &mut self,
        delivery: &Delivery<'_, &RawValue>,
        reason: &str,
        fix: &str,
        is_read: bool,
    ) -> Result<(), JournalError> {
        let Delivery {
            context,
            sequence,
            page,
            body,
            ..
        } = delivery;
        self.deliver(context, *sequence, page, |batch, _| {
            batch.outcome.errors.push(HostError {
                code: ErrorCode::DeliveriesMissing,
                message: format!(
                    "delivery {sequence} of a page of {} was given up: {reason}",
                    page.origin
                ),
                fix: fix.to_owned(),
                context: Some(context.clone().into_owned()),
                sequence: Some(*sequence),
            });
            batch.note_loss(&page.origin, is_read || is_reading(body.get()))
        })
    }

    /// Whether it has written so much that it had better be committed before more is applied.
    pub fn is_large(&self) -> bool {
        self.state.attempted > volume::BATCH_BYTES
    }

    /// Brings the batch to the disk.
    pub fn commit(mut self) -> Result<Outcome, JournalError> {
        let notes = self.writer_lock.take_pending();
        let written = self.finish(&notes).and_then(|()| {
            failpoint::pass("journal.committing");
            self.transaction.commit()
        });
        if let Err(error) = written {
            self.writer_lock.put_back(notes);
            return Err(JournalError::failed(self.path, error));
        }
        failpoint::pass("journal.committed");
        self.state.unfinished = false;
        self.state.requery.keep();
        if self.state.usage.stripped == self.stripped {
            self.recent.put(self.written);
        } else {
            // Events that may be among them have lost their text.
            self.recent.clear();
        }
        if self.has_spilled
            && let Err(error) = pending::drop_spill_file(self.connection)
        {
            // It costs disk space only.
            tracing::debug!("{error}");
        }
        Ok(self.outcome)
    }

    /// What is written once for a batch.
    fn finish(&mut self, notes: &[PendingProgress]) -> rusqlite::Result<()> {
        // A backfill does not count for a delivery.
        self.volume = volume::Volume::default();
        self.save_contexts()?;
        writer_lock::write(&self.transaction, notes)?;
        if !self.is_retained && (limits::is_due(self.before, self.state.head) || self.is_full()) {
            self.retain()?;
        }
        self.bound_tombstones()?;
        if self.state.head > self.before {
            limits::note_passed(&self.transaction, "journal", self.state.head, now_ms())?;
        }
        self.state.usage.save(&self.transaction)
    }

    /// Does what [`Self::retain`] does, and forgets documents and stores that are gone. Returns
    /// whether there is more to do.
    pub(super) fn tidy(&mut self) -> Result<bool, JournalError> {
        let path = self.path;
        self.is_retained = true;
        self.retain()
            .and_then(|more| {
                if self.state.bounded_contexts.bound(&self.transaction)? {
                    self.state.contexts.clear();
                }
                Ok(self.forget_stores()? || more)
            })
            .map_err(|source| JournalError::failed(path, source))
    }

    fn deliver(
        &mut self,
        name: &str,
        sequence: u64,
        page: &Page<'_>,
        apply: impl FnOnce(&mut Self, Context) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        if name.len() > MAX_CONTEXT {
            let reason = format!("a document's id has {MAX_CONTEXT} bytes at most");
            self.malformed(
                &name.chars().take(MAX_CONTEXT).collect::<String>(),
                sequence,
                page,
                &reason,
            );
            return Ok(());
        }
        self.volume = volume::Volume::default();
        self.state.stores.reset_added();
        if sequence > MAX_SAFE_INTEGER {
            self.malformed(name, sequence, page, "no page counts so far");
            return Ok(());
        }
        let result = self.context(name, &page.origin).and_then(|context| {
            let Some(context) = context else {
                self.refuse_context(name, page);
                return Ok(());
            };
            if sequence <= context.last {
                self.acknowledge(name, context.last);
                return Ok(());
            }
            if sequence > context.last + 1 {
                self.missing(name, context.last, sequence, page)?;
            }
            apply(self, context)?;
            self.finish_noted_loss(&page.origin)?;
            self.write_gaps()?;
            self.report_long_keys(name, page);
            self.report_refused_stores(name, page);
            self.advance(name, sequence);
            Ok(())
        });
        // Records are written before their events, and the disk may be full by then. Stretches of
        // stores and pending events that are spilled write as much as they count as work. Stores
        // that were not known write rows of their own.
        let stores = self.state.stores.added();
        self.state.attempted += self.single.take_attempted() + self.volume.work() + stores;
        result.map_err(|source| JournalError::failed(self.path, source))
    }

    fn body(&mut self, delivery: &Delivery<'_, Body<'_>>, context: Context) -> Result<(), Refusal> {
        let version = match &delivery.body {
            Body::Commit(Commit { version, .. })
            | Body::Snapshot(Snapshot { version, .. })
            | Body::Digests(Digests { version, .. })
            | Body::Records(Records { version, .. }) => *version,
            Body::StoreList(StoreList { databases, .. }) => databases
                .iter()
                .map(|database| database.version)
                .max()
                .unwrap_or(0),
            Body::Deletion(_) | Body::Gap(_) | Body::Skipped(_) => 0,
        };
        if version > MAX_SAFE_INTEGER {
            let reason = format!("{version} is no version of a database");
            return Err(Refusal::Malformed(reason));
        }
        if let Some(name) = delivery.body.name_too_long() {
            return Err(Refusal::Malformed(format!(
                "the name that begins with {:?} has more than {MAX_NAME_UNITS} letters",
                name.chars().take(20).collect::<String>()
            )));
        }
        let scope = Scope {
            origin: &delivery.page.origin,
            context: context.id,
            context_name: &delivery.context,
        };
        match &delivery.body {
            Body::Commit(commit) => {
                let id = format!("{}:{}", delivery.context, delivery.sequence);
                self.commit_body(scope, commit, &id)
            }
            Body::Snapshot(snapshot) => self.snapshot(scope, snapshot),
            Body::Digests(digests) => {
                let stretches = self.digests(scope, digests)?;
                if stretches > 0 {
                    self.outcome.matched.push(Matched {
                        context: delivery.context.clone().into_owned(),
                        sequence: delivery.sequence,
                        stretches,
                    });
                }
                Ok(())
            }
            Body::Records(records) => self.records(scope, records),
            Body::StoreList(store_list) => Ok(self.record_store_list(scope, store_list)?),
            Body::Deletion(deletion) => {
                let id = format!("{}:{}", delivery.context, delivery.sequence);
                Ok(self.deletion(scope, deletion, &id)?)
            }
            Body::Gap(gap) => Ok(self.gap(scope, gap)?),
            Body::Skipped(skipped) => {
                let reason: String = skipped.reason.chars().take(200).collect();
                tracing::warn!("records read of {} were not sent: {reason:?}", scope.origin);
                Ok(())
            }
        }
    }

    fn mirror(&self) -> Mirror<'_> {
        Mirror(&self.transaction)
    }
}

/// Key bytes in a table that are no key: the file is damaged.
fn stored(error: KeyError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
}

/// Whose delivery is being applied.
#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    origin: &'a str,
    context: i64,
    context_name: &'a str,
}
