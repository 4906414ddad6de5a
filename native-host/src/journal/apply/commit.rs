//! Transactions that committed.

use std::{borrow::Cow, collections::HashSet};

use protocol::{
    commit::{Commit, Operation},
    event::Op,
    schema::SchemaChange,
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    super::{
        key::{RecordKey, Span},
        mirror::{Mirror, Pages, Single},
        order::{SLACK_MS, When, Word},
        settle::Settling,
        store::{Place, Store},
    },
    Batch, Refusal, Scope,
    drafts::{Draft, Drafts},
    event::{Before, Scene},
};

/// An operation whose keys have been read: from here on nothing of a commit can be malformed, so it is applied whole.
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
    Sweep {
        span: Span,
        range: Option<Box<RawValue>>,
    },
}

enum Step<'a> {
    Write(Write<'a>),
    Reshape(&'a SchemaChange<'a>),
    ReadAgain,
}

fn prepare<'a>(operation: &'a Operation<'_>) -> Result<Step<'a>, Refusal> {
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
        Operation::DeleteRange { range, .. } => Write::Sweep {
            span: Span::of_range(range)?,
            range: to_raw_value(range).ok(),
        },
        Operation::DeleteUnknown { .. } => return Ok(Step::ReadAgain),
        Operation::Clear { .. } => Write::Sweep {
            span: Span::all(),
            range: None,
        },
        Operation::Schema { change, .. } => return Ok(Step::Reshape(change)),
    }))
}

/// What one commit has written so far. Its writes of one record happened at one instant: all of them
/// change the record, or none.
#[derive(Default)]
struct Written {
    records: HashSet<(i64, Vec<u8>)>,
    /// Stretches that it has deleted, and the records in them for which that was late.
    deleted: Vec<(i64, Span)>,
    left: HashSet<(i64, Vec<u8>)>,
    /// Stores that it has created, renamed or deleted, whatever was said of their records before:
    /// what it writes there after that is never late.
    reshaped: HashSet<i64>,
}

impl Written {
    fn has(&self, store: i64, key: &RecordKey) -> bool {
        let record = (store, key.bytes.clone());
        let mut deleted = self.deleted.iter();
        self.records.contains(&record)
            || deleted.any(|(of, span)| *of == store && span.contains(&key.bytes))
                && !self.left.contains(&record)
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
            began_at: commit.began_at,
            committed_at: commit.committed_at,
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
                // Perhaps behind the end of a store that nobody has told of before.
                None => self.census(scope.origin)?.is_some_and(|last| when.contests(last)),
            };
            if late {
                self.reread(scope.origin)?;
            }
            match step {
                Step::Write(write) => {
                    let context = (commit.version, name, when);
                    self.write(&place, context, write, &mut drafts, &mut written)?;
                }
                Step::Reshape(change) => {
                    let reshaped = self.reshape(&place, commit.version, name, change, when, &mut drafts)?;
                    written.reshaped.extend(reshaped);
                }
                Step::ReadAgain => self.read_again(&place, commit.version)?,
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
        let mut draft = |op, key, range, before, after: Option<&'a RawValue>, late| {
            drafts.push(Draft {
                key,
                range,
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
                draft(op, Some(key), None, before, Some(value), known.late)?;
            }
            Write::Delete { key } => {
                let known = Known::of(single, store, settling, &key, (when, reads), redaction, written)?;
                // Also where nothing was there: who deleted it, and when, decides what later arrivals mean.
                known.write(single, (id, &key.bytes), None, when, written)?;
                if known.contested && known.live {
                    doubt(settling, &key);
                    if !known.late {
                        settling.set_author(id, &key.bytes, when.context);
                    }
                }
                if known.before != Before::Absent {
                    draft(Op::Delete, Some(key), None, known.before, None, known.late)?;
                }
            }
            Write::Sweep { span, range } => {
                draft(Op::Truncate, None, range, Before::Unknown, None, false)?;
                let mirror = Mirror(connection);
                let mut live = Pages::of(store.id, &span);
                while let Some(page) = live.rows(mirror)? {
                    for (bytes, row) in page {
                        let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                        let in_conflict = reads.conflict || when.contests(row.word);
                        let before = if in_conflict || settling.waits_for(id, &key.bytes) {
                            Before::Unknown
                        } else {
                            row.told(redaction)
                        };
                        if in_conflict {
                            doubt(settling, &key);
                        }
                        let own =
                            || written.has(id, &key) || settling.is_author(id, &key.bytes, when.context);
                        let late = !written.reshaped.contains(&id)
                            && (reads.are_younger || when.is_late(row.word, own));
                        if late {
                            written.left.insert((id, key.bytes.clone()));
                        } else if in_conflict {
                            single.write(id, &key.bytes, None, when.after(row.word))?;
                        }
                        draft(Op::Delete, Some(key), None, before, None, late)?;
                    }
                }
                if !reads.are_younger || written.reshaped.contains(&id) {
                    mirror.bury_without_conflict(store.id, &span, when)?;
                    written.deleted.push((id, span));
                }
                store.sweep(connection, when)?;
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
struct Reads {
    /// One may be younger.
    conflict: bool,
    /// One most likely is.
    are_younger: bool,
}

impl Reads {
    fn of(store: &Store, when: When) -> Self {
        let conflict = store.looks.are_contested_by(when);
        Self {
            conflict,
            are_younger: conflict && store.looks.are_younger_than(when),
        }
    }
}

/// What the mirror says about a record that is about to be written.
struct Known {
    live: bool,
    /// Not known while the record waits to be read again, or is in conflict now.
    before: Before,
    /// Its order to what others have said is in doubt.
    contested: bool,
    /// The write is most likely older than what the mirror has.
    late: bool,
    /// What was said last of it.
    last: Word,
}

impl Known {
    /// Makes the record what a write says, unless that is late.
    fn write(
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

    fn of(
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
        let before = match &row {
            _ if in_doubt => Before::Unknown,
            Some(row) => row.told(redaction),
            None if store.complete => Before::Absent,
            None => Before::Unknown,
        };
        Ok(Self {
            live: row.is_some_and(|row| row.value.is_some()),
            before,
            contested,
            late: !written.reshaped.contains(&store.id)
                && (reads.are_younger
                    || when.is_late(last, || {
                        written.has(store.id, key) || settling.is_author(store.id, &key.bytes, when.context)
                    })),
            last,
        })
    }
}
