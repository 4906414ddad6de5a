//! Transactions that committed.

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use protocol::{
    commit::{Commit, Operation},
    event::Op,
    schema::SchemaChange,
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    super::{
        key::{RecordKey, Span},
        mirror::Single,
        order::{SLACK_MS, When, Word},
        settle::Settling,
        store::{Place, Store},
    },
    Batch, Refusal, Scope,
    before::Before,
    drafts::{Draft, Drafts},
    event::Scene,
    sweep::{By, Stretch},
    volume::is_long,
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

/// What one commit has written so far. Its writes of one record happened at one instant: all of
/// them change the record, or none.
#[derive(Default)]
pub(super) struct Written {
    /// Records in conflict that it has written.
    records: HashSet<(i64, Vec<u8>)>,
    /// Stretches that it has deleted.
    deleted: Vec<(i64, Span)>,
    /// Records that stayed because it was late, and of which that was told, by their digests. Only
    /// what is told twice depends on them.
    late: HashSet<u64>,
    digest: RandomState,
}

impl Written {
    /// Whether the last one to write this record in conflict was the commit itself.
    pub(super) fn has_written(&self, store: i64, key: &RecordKey) -> bool {
        self.records.contains(&(store, key.bytes.clone()))
    }

    /// The same, or to delete it. A record that is there after its deletion was left: that was
    /// late.
    fn has(&self, store: i64, key: &RecordKey, live: bool) -> bool {
        let mut deleted = self.deleted.iter();
        !live && deleted.any(|(of, span)| *of == store && span.contains(&key.bytes))
            || self.has_written(store, key)
    }

    /// Whether it has deleted a stretch of this store.
    pub(super) fn has_swept(&self, store: i64) -> bool {
        self.deleted.iter().any(|(of, _)| *of == store)
    }

    /// A record stays because the commit is late; whether that was not told before.
    pub(super) fn tell_late(&mut self, store: i64, key: &[u8]) -> bool {
        self.late.insert(self.digest.hash_one((store, key)))
    }

    /// It has deleted this stretch.
    pub(super) fn delete(&mut self, store: i64, span: &Span) {
        if !self
            .deleted
            .iter()
            .rev()
            .take(1)
            .any(|last| last.0 == store && last.1 == *span)
        {
            self.deleted.push((store, span.clone()));
        }
    }
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

/// How a commit relates to the whole-store reads of its store.
///
/// Of no record it is known that none of them has seen it afterwards.
#[derive(Clone, Copy)]
pub(super) struct Reads {
    /// One may be younger.
    pub conflict: bool,
    /// One most likely is.
    pub are_younger: bool,
}

impl Reads {
    pub(super) fn of(store: &Store, when: When) -> Self {
        let conflict = store.looks.are_contested_by(when);
        Self {
            conflict,
            are_younger: conflict && store.looks.are_younger_than(when),
        }
    }
}

/// What the mirror says about a record that is about to be written.
pub(super) struct Known {
    live: bool,
    before: Before,
    /// Its order to what others have said is in doubt.
    pub contested: bool,
    /// The write is most likely older than what the mirror has.
    pub late: bool,
    /// What was said last of it.
    last: Word,
}

impl Known {
    /// Makes the record what a write says, unless that is late.
    pub(super) fn write(
        &self,
        single: &mut Single<'_>,
        (store, key): (i64, &[u8]),
        value: Option<&str>,
        when: When,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let stamp = when.after(self.last);
        if self.late {
            return single.stamp(store, key, stamp);
        }
        if self.contested {
            written.records.insert((store, key.to_owned()));
        }
        single.write(store, key, value, stamp)
    }

    pub(super) fn of(
        single: &mut Single<'_>,
        store: &Store,
        settling: &Settling,
        key: &RecordKey,
        (when, reads): (When, Reads),
        redaction: i64,
        written: &Written,
    ) -> rusqlite::Result<Self> {
        let row = single.row(store.id, &key.bytes)?;
        let last = row.as_ref().map_or(store.swept, |row| row.word);
        let contested = reads.conflict || when.contests(last);
        let in_doubt = contested || settling.waits_for(store.id, &key.bytes);
        let live = row.as_ref().is_some_and(|row| row.value.is_some());
        let before = Before::of(row.as_ref(), store, in_doubt, redaction);
        Ok(Self {
            live,
            before,
            contested,
            late: reads.are_younger
                || when.is_late(last, || {
                    written.has(store.id, key, live) || settling.is_author(store.id, &key.bytes, when.context)
                }),
            last,
        })
    }
}
