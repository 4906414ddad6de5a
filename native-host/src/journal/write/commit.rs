//! Transactions that committed.

use std::borrow::Cow;

use protocol::{
    body::{Commit, Operation},
    event::Op,
    key::KeyError,
    schema::SchemaChange,
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    super::{
        conflict::{
            requery::Requery,
            stamp::{CommitSpan, SLACK_MS},
        },
        key::{RecordKey, Span},
        place::Place,
        store::DELETED,
    },
    Batch, Refusal, Scope,
    before::Before,
    event::EventContext,
    known::{Known, Reads},
    pending::{PendingEvent, PendingEvents},
    prepared,
    range_delete::{Cause, KeyRange},
    volume::is_long,
    written::Written,
};

/// An operation whose keys have been read.
enum Write<'a> {
    Put {
        key: RecordKey,
        value: &'a RawValue,
        /// By `add`: the record was not there.
        added: bool,
    },
    Delete {
        key: RecordKey,
    },
}

enum Step<'a> {
    Write(Write<'a>),
    Truncate {
        span: Span,
        range: Option<Box<RawValue>>,
    },
    Reshape(&'a SchemaChange<'a>),
    ReadAgain,
    /// Its key is too long.
    LeaveOut,
}

/// The key of the record that an operation writes.
fn key_of<'a>(operation: &Operation<'a>) -> Option<&'a RawValue> {
    match operation {
        Operation::Put { key, .. } | Operation::Add { key, .. } | Operation::Delete { key, .. } => Some(key),
        _ => None,
    }
}

fn prepare<'a>(operation: &'a Operation<'_>) -> Result<Step<'a>, Refusal> {
    // What a short text stands for may be long. A long one of a deletion may stand for a short key,
    // that of a record that is here: a view of little of its buffer.
    let too_long = match operation {
        Operation::Put { .. } | Operation::Add { .. } => Step::LeaveOut,
        _ => Step::ReadAgain,
    };
    if key_of(operation).is_some_and(is_long) {
        return Ok(too_long);
    }
    match prepare_short(operation) {
        Err(KeyError::TooLong) => Ok(too_long),
        step => Ok(step?),
    }
}

/// The same for a key of a short text.
fn prepare_short<'a>(operation: &'a Operation<'_>) -> Result<Step<'a>, KeyError> {
    Ok(Step::Write(match operation {
        Operation::Put { key, value, .. } => Write::Put {
            key: RecordKey::parse(key)?,
            value,
            added: false,
        },
        Operation::Add { key, value, .. } => Write::Put {
            key: RecordKey::parse(key)?,
            value,
            added: true,
        },
        Operation::Delete { key, .. } => Write::Delete {
            key: RecordKey::parse(key)?,
        },
        // It would stand in an event, which never loses it.
        Operation::DeleteRange { range, .. }
            if [range.lower, range.upper].into_iter().flatten().any(is_long) =>
        {
            return Ok(Step::ReadAgain);
        }
        Operation::DeleteRange { range, .. } => {
            return Ok(Step::Truncate {
                span: Span::of_range(range)?,
                range: to_raw_value(range).ok(),
            });
        }
        Operation::DeleteUnknown { .. } => return Ok(Step::ReadAgain),
        Operation::Clear { .. } => {
            return Ok(Step::Truncate {
                span: Span::all(),
                range: None,
            });
        }
        Operation::Schema { change, .. } => return Ok(Step::Reshape(change)),
    }))
}

/// The bytes that the keys of a step take.
fn bytes_of(step: &Step<'_>) -> usize {
    match step {
        Step::Write(Write::Put { key, .. } | Write::Delete { key }) => key.len(),
        Step::Truncate { span, .. } => span.from.len() + span.to.len(),
        Step::Reshape(_) | Step::ReadAgain | Step::LeaveOut => 0,
    }
}

impl<'j> Batch<'j> {
    pub(super) fn commit_body(
        &mut self,
        scope: Scope<'_>,
        commit: &Commit<'_>,
        id: &str,
    ) -> Result<(), Refusal> {
        let steps = prepared::prepare(
            &commit.operations,
            |operation| prepare(operation).map(Some),
            bytes_of,
        )?;
        let when = CommitSpan {
            context: self.writing_context(scope, commit.writer.as_ref())?,
            began_at: self.state.clock.bound(commit.began_at),
            committed_at: self.state.clock.bound(commit.committed_at),
        };
        let mut place = Place {
            origin: scope.origin.to_owned(),
            bucket: commit.bucket.clone().into_owned(),
            database: commit.database.clone().into_owned(),
            store: String::new(),
        };
        let mut events = PendingEvents::of(
            self.connection,
            commit.operations.len(),
            self.state.delivery_bytes,
        );
        let mut written = Written::default();
        for (operation, step) in commit.operations.iter().zip(steps) {
            let step = step?;
            let name = operation.store();
            if place.store != name {
                name.clone_into(&mut place.store);
            }
            let version = self.state.stores.version(&self.transaction, &place)?;
            // A rename names a store that is not known, either.
            if (version.is_none() || matches!(step, Step::Reshape(SchemaChange::RenameStore { .. })))
                && self.adds_no_store(scope.origin)?
            {
                self.leave_new_store(scope.origin, false)?;
                continue;
            }
            let late = match version {
                // Perhaps behind the end of a store that is not known, or of its database.
                None | Some(DELETED) => self.rediscover_by_commit(scope, &place, commit.version, when)?,
                // Behind an upgrade by another document: what that has moved may lack this.
                Some(version) => commit.version < version,
            };
            if late {
                self.request_resync(scope.origin)?;
            }
            match step {
                Step::Write(write) => {
                    let context = (commit.version, name, when);
                    self.write(&place, context, write, &mut events, &mut written)?;
                }
                Step::Truncate { span, range } => {
                    let keys = KeyRange {
                        place: &place,
                        version: commit.version,
                        store_name: name,
                        span: &span,
                        when,
                    };
                    self.truncate(keys, range, &mut events, &mut written)?;
                }
                Step::Reshape(change) => {
                    self.reshape(
                        &place,
                        (commit.version, name, when),
                        change,
                        &mut events,
                        &mut written,
                    )?;
                }
                Step::ReadAgain => self.resync_store(&place, commit.version)?,
                Step::LeaveOut => self.note_long_key(),
            }
        }
        let event_context = EventContext {
            origin: scope.origin,
            bucket: &commit.bucket,
            database: &commit.database,
            version: commit.version,
            context_name: scope.context_name,
            writer: commit.writer.as_ref(),
            ts_ms: commit.committed_at,
            transaction: Some(id),
        };
        Ok(self.emit(event_context, events)?)
    }

    /// A `clear` or a deleted range.
    fn truncate<'a>(
        &mut self,
        keys: KeyRange<'_, 'a>,
        range: Option<Box<RawValue>>,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let truncate = events.next();
        let store = self
            .state
            .stores
            .get(&self.transaction, keys.place, keys.version)?
            .id;
        events.push(PendingEvent {
            range,
            ..PendingEvent::of(Op::Truncate, store, keys.store_name)
        })?;
        if self.delete_range(keys, Cause::Records, events, written)?.late {
            events.set_late(truncate);
        }
        Ok(())
    }

    fn write<'a>(
        &mut self,
        place: &Place,
        (version, store_name, when): (u64, &'a str, CommitSpan),
        write: Write<'a>,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let connection = &self.transaction;
        let single = &mut self.single;
        let store = self.state.stores.get(connection, place, version)?;
        let id = store.id;
        let requery = &mut self.state.requery;
        let redaction = self.state.redaction;
        let mut event = |op, key, before, after: Option<&'a RawValue>, late| {
            events.push(PendingEvent {
                key: Some(key),
                before,
                after: after.map(Cow::Borrowed),
                late,
                ..PendingEvent::of(op, id, store_name)
            })
        };
        let mut in_doubt = false;
        let mut request = |requery: &mut Requery, key: &RecordKey| {
            in_doubt = true;
            requery.add(id, place, key);
        };
        let reads = Reads::of(store, when, self.may_overtake);
        match write {
            Write::Put { key, value, added } => {
                let known = Known::of(single, store, requery, &key, (when, reads), redaction, written)?;
                known.write(single, (id, &key.bytes), Some(value.get()), when, written)?;
                let op = if known.live && !added {
                    Op::Update
                } else {
                    Op::Create
                };
                let before = if added { Before::Absent } else { known.before };
                if known.contested {
                    request(requery, &key);
                    if !known.late {
                        requery.set_author(id, &key.bytes, when.context);
                    }
                }
                event(op, key, before, Some(value), known.late)?;
            }
            Write::Delete { key } => {
                let known = Known::of(single, store, requery, &key, (when, reads), redaction, written)?;
                // Also where nothing was there: who deleted it, and when, decides what later
                // arrivals mean.
                known.write(single, (id, &key.bytes), None, when, written)?;
                if known.contested && known.live {
                    request(requery, &key);
                    if !known.late {
                        requery.set_author(id, &key.bytes, when.context);
                    }
                }
                if known.before != Before::Absent {
                    event(Op::Delete, key, known.before, None, known.late)?;
                }
            }
        }
        if in_doubt {
            store.request_records(connection, when.committed_at.saturating_add(SLACK_MS))?;
        }
        Ok(())
    }
}
