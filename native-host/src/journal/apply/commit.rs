//! Transactions that committed.

use std::borrow::Cow;

use protocol::{
    commit::{Commit, Operation},
    event::Op,
    schema::SchemaChange,
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    super::{
        key::{RecordKey, Span},
        order::{SLACK_MS, When},
        settle::Settling,
        store::Place,
    },
    Batch, Refusal, Scope,
    before::Before,
    drafts::{Draft, Drafts},
    event::Scene,
    known::{Known, Reads},
    sweep::{By, Stretch},
    volume::is_long,
    written::Written,
};

/// An operation whose keys have been read: from here on nothing of a commit can be malformed, so it
/// is applied whole.
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
    if key_of(operation).is_some_and(is_long) {
        return Ok(Step::LeaveOut);
    }
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

impl<'j> Batch<'j> {
    pub(super) fn commit_body(
        &mut self,
        scope: Scope<'_>,
        commit: &Commit<'_>,
        id: &str,
    ) -> Result<(), Refusal> {
        let steps = commit
            .operations
            .iter()
            .map(prepare)
            .collect::<Result<Vec<_>, _>>()?;
        let when = When {
            context: scope.context,
            began_at: self.state.clock.bound(commit.began_at),
            committed_at: self.state.clock.bound(commit.committed_at),
        };
        let mut place = Place {
            origin: scope.origin.to_owned(),
            bucket: commit.bucket.clone().into_owned(),
            database: commit.database.clone().into_owned(),
            store: String::new(),
        };
        let mut drafts = Drafts::of(self.connection, steps.len(), self.state.delivery_bytes);
        let mut written = Written::default();
        for (operation, step) in commit.operations.iter().zip(steps) {
            let name = operation.store();
            if place.store != name {
                name.clone_into(&mut place.store);
            }
            let late = match self.state.stores.version(&self.transaction, &place)? {
                // Behind an upgrade by another document: what that has moved may lack this.
                Some(version) => commit.version < version,
                // Perhaps behind the end of a store that is not known.
                None => self.meet_late(scope, &place, commit.version, when)?,
            };
            if late {
                self.reread(scope.origin)?;
            }
            match step {
                Step::Write(write) => {
                    let context = (commit.version, name, when);
                    self.write(&place, context, write, &mut drafts, &mut written)?;
                }
                Step::Truncate { span, range } => {
                    let stretch = Stretch {
                        place: &place,
                        version: commit.version,
                        store_name: name,
                        span: &span,
                        when,
                    };
                    self.truncate(stretch, range, &mut drafts, &mut written)?;
                }
                Step::Reshape(change) => {
                    self.reshape(
                        &place,
                        (commit.version, name, when),
                        change,
                        &mut drafts,
                        &mut written,
                    )?;
                }
                Step::ReadAgain => self.read_again(&place, commit.version)?,
                Step::LeaveOut => self.note_long_keys(key_of(operation).into_iter()),
            }
        }
        let scene = Scene {
            origin: scope.origin,
            bucket: &commit.bucket,
            database: &commit.database,
            version: commit.version,
            context_name: scope.context_name,
            ts_ms: commit.committed_at,
            transaction: Some(id),
        };
        Ok(self.emit(scene, drafts)?)
    }

    /// A `clear` or a deleted range.
    fn truncate<'a>(
        &mut self,
        stretch: Stretch<'_, 'a>,
        range: Option<Box<RawValue>>,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let truncate = drafts.next();
        let store = self
            .state
            .stores
            .get(&self.transaction, stretch.place, stretch.version)?
            .id;
        drafts.push(Draft {
            range,
            ..Draft::of(Op::Truncate, store, stretch.store_name)
        })?;
        if self.sweep(stretch, By::Records, drafts, written)?.late {
            drafts.set_late(truncate);
        }
        Ok(())
    }

    fn write<'a>(
        &mut self,
        place: &Place,
        (version, store_name, when): (u64, &'a str, When),
        write: Write<'a>,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let connection = &self.transaction;
        let single = &mut self.single;
        let store = self.state.stores.get(connection, place, version)?;
        let id = store.id;
        let settling = &mut self.state.settling;
        let redaction = self.state.redaction;
        let mut draft = |op, key, before, after: Option<&'a RawValue>, late| {
            drafts.push(Draft {
                key: Some(key),
                before,
                after: after.map(Cow::Borrowed),
                late,
                ..Draft::of(op, id, store_name)
            })
        };
        let mut in_doubt = false;
        let mut doubt = |settling: &mut Settling, key: &RecordKey| {
            in_doubt = true;
            settling.doubt(id, place, key);
        };
        let reads = Reads::of(store, when);
        match write {
            Write::Put { key, value, added } => {
                let known = Known::of(single, store, settling, &key, (when, reads), redaction, written)?;
                known.write(single, (id, &key.bytes), Some(value.get()), when, written)?;
                let op = if known.live && !added {
                    Op::Update
                } else {
                    Op::Create
                };
                let before = if added { Before::Absent } else { known.before };
                if known.contested {
                    doubt(settling, &key);
                    if !known.late {
                        settling.set_author(id, &key.bytes, when.context);
                    }
                }
                draft(op, key, before, Some(value), known.late)?;
            }
            Write::Delete { key } => {
                let known = Known::of(single, store, settling, &key, (when, reads), redaction, written)?;
                // Also where nothing was there: who deleted it, and when, decides what later
                // arrivals mean.
                known.write(single, (id, &key.bytes), None, when, written)?;
                if known.contested && known.live {
                    doubt(settling, &key);
                    if !known.late {
                        settling.set_author(id, &key.bytes, when.context);
                    }
                }
                if known.before != Before::Absent {
                    draft(Op::Delete, key, known.before, None, known.late)?;
                }
            }
        }
        if in_doubt {
            store.doubt_records(connection, when.committed_at.saturating_add(SLACK_MS))?;
        }
        Ok(())
    }
}
