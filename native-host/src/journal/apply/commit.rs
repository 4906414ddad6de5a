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
        mirror::{Mirror, Pages, Single},
        order::{SLACK_MS, When, Word},
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
                Step::Write(write) => self.write(&place, commit.version, name, write, when, &mut drafts)?,
                Step::Reshape(change) => {
                    self.reshape(&place, commit.version, name, change, when, &mut drafts)?;
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
        version: u64,
        store_name: &'a str,
        write: Write<'a>,
        when: When,
        drafts: &mut Drafts<'a, 'j>,
    ) -> rusqlite::Result<()> {
        let connection = &self.transaction;
        let single = &mut self.single;
        let store = self.state.stores.get(connection, place, version)?;
        let id = store.id;
        let settling = &mut self.state.settling;
        let redacted_since = self.state.redacted_since;
        let mut draft = |op, key, range, before, after: Option<&'a RawValue>| {
            drafts.push(Draft {
                key,
                range,
                before,
                after: after.map(Cow::Borrowed),
                ..Draft::of(op, id, store_name)
            })
        };
        let mut in_doubt = false;
        let mut doubt = |key: &RecordKey| {
            in_doubt = true;
            settling.doubt(id, place, key);
        };
        // Of no record it is sure that it was not read afterwards.
        let read_since = store.looks.are_contested_by(when);
        match write {
            Write::Put { key, value, added } => {
                let known = Known::of(single, store, &key, when, read_since, redacted_since)?;
                single.write(store.id, &key.bytes, Some(value.get()), when.after(known.last))?;
                let op = if known.live && !added {
                    Op::Update
                } else {
                    Op::Create
                };
                let before = if added { Before::Absent } else { known.before };
                if known.contested {
                    doubt(&key);
                }
                draft(op, Some(key), None, before, Some(value))?;
            }
            Write::Delete { key } => {
                let known = Known::of(single, store, &key, when, read_since, redacted_since)?;
                // Also where nothing was there: who deleted it, and when, decides what later arrivals mean.
                single.write(store.id, &key.bytes, None, when.after(known.last))?;
                if known.contested && known.live {
                    doubt(&key);
                }
                if known.before != Before::Absent {
                    draft(Op::Delete, Some(key), None, known.before, None)?;
                }
            }
            Write::Sweep { span, range } => {
                draft(Op::Truncate, None, range, Before::Unknown, None)?;
                let mirror = Mirror(connection);
                let mut live = Pages::of(store.id, &span);
                while let Some(page) = live.rows(mirror)? {
                    for (bytes, row) in page {
                        let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                        let before = if read_since || when.contests(row.word) {
                            doubt(&key);
                            Before::Unknown
                        } else {
                            row.told(redacted_since)
                        };
                        draft(Op::Delete, Some(key), None, before, None)?;
                    }
                }
                mirror.bury(store.id, &span, when)?;
                store.sweep(connection, when)?;
            }
        }
        if in_doubt {
            store.doubt_records(connection, when.committed_at.saturating_add(SLACK_MS))?;
        }
        Ok(())
    }
}

/// What the mirror says about a record that is about to be written.
struct Known {
    live: bool,
    before: Before,
    /// Its order to what others have said is in doubt.
    contested: bool,
    /// What was said last of it.
    last: Word,
}

impl Known {
    fn of(
        single: &mut Single<'_>,
        store: &Store,
        key: &RecordKey,
        when: When,
        read_since: bool,
        redacted_since: i64,
    ) -> rusqlite::Result<Self> {
        let Some(row) = single.row(store.id, &key.bytes)? else {
            let contested = read_since || when.contests(store.swept);
            return Ok(Self {
                live: false,
                before: if store.complete && !contested {
                    Before::Absent
                } else {
                    Before::Unknown
                },
                contested,
                last: store.swept,
            });
        };
        let contested = read_since || when.contests(row.word);
        Ok(Self {
            live: row.value.is_some(),
            before: if contested {
                Before::Unknown
            } else {
                row.told(redacted_since)
            },
            contested,
            last: row.word,
        })
    }
}
