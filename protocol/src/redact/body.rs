//! Whole bodies: the redacted pieces are put in the place of the others, all else stays the text that came.
//!
//! In a store whose keys are redacted, keys have lost their order. So `delete(range)` becomes `delete_unknown`, unless the range
//! holds one key only, and snapshots say that they are `unordered`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{MAX_GROWTH, Plan, Redaction, key::KeyPath};
use crate::{
    commit::{Operation, Range, Records, Snapshot},
    json,
    key::KeyError,
    schema::SchemaChange,
};

/// Why a body is not passed on as it is.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Json(#[from] json::ReadError),
    #[error(transparent)]
    Unwritable(#[from] serde_json::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the redacted keys take {MAX_GROWTH} bytes more than they did")]
    TooLong,
}

/// A body, as far as it can hold values: the rest is names and numbers.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outline<'a> {
    #[serde(borrow)]
    Commit(CommitOutline<'a>),
    #[serde(borrow)]
    Snapshot(&'a RawValue),
    #[serde(borrow)]
    Records(Records<'a>),
    Inventory(serde::de::IgnoredAny),
    Deletion(serde::de::IgnoredAny),
    Gap(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct CommitOutline<'a> {
    #[serde(borrow)]
    database: Cow<'a, str>,
    #[serde(default, borrow)]
    key_paths: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow)]
    operations: Vec<&'a RawValue>,
}

impl Redaction {
    /// The JSON text of a [`crate::commit::Body`], redacted.
    ///
    /// One that cannot be read is replaced by one that can't be read either: the host says so, and has a commit's stores read again.
    pub fn body<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        match self.redacted_body(text) {
            Ok(body) => body,
            Err(_) if text.starts_with("{\"commit\"") => Cow::Borrowed("{\"commit\":null}"),
            Err(_) => Cow::Borrowed("{\"unreadable\":null}"),
        }
    }

    fn redacted_body<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Unreadable> {
        let mut changes = Changes::default();
        match json::read::<Outline<'_>>(text)? {
            Outline::Commit(commit) => self.commit(&commit, &mut changes)?,
            Outline::Snapshot(text) => {
                let snapshot: Snapshot<'_> = json::read(text.get())?;
                self.snapshot(text, &snapshot, &mut changes)?;
            }
            Outline::Records(records) => self.records(&records, &mut changes)?,
            Outline::Inventory(_) | Outline::Deletion(_) | Outline::Gap(_) => {}
        }
        if changes.grown > MAX_GROWTH {
            return Err(Unreadable::TooLong);
        }
        Ok(changes.made_in(text))
    }

    fn commit<'t>(&self, commit: &CommitOutline<'t>, changes: &mut Changes<'t>) -> Result<(), Unreadable> {
        let mut paths: HashMap<String, KeyPath> = commit
            .key_paths
            .iter()
            .map(|(store, path)| (store.clone().into_owned(), KeyPath::read(Some(path))))
            .collect();
        let mut plans: HashMap<String, Plan<'_>> = HashMap::new();
        for text in &commit.operations {
            let operation: Operation<'t> = json::read(text.get())?;
            let store = operation.store();
            if let Operation::Schema { change, .. } = &operation {
                // From here on the name may be another store's.
                reshape(&mut paths, store, change);
                plans.clear();
                continue;
            }
            if !plans.contains_key(store) {
                let path = paths.get(store).unwrap_or(&KeyPath::None);
                plans.insert(store.to_owned(), self.plan(&commit.database, store, path));
            }
            if let Some(plan) = plans.get(store) {
                plan.operation(text, &operation, changes)?;
            }
        }
        Ok(())
    }

    fn snapshot<'t>(
        &self,
        text: &'t RawValue,
        snapshot: &Snapshot<'t>,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        let path = KeyPath::read(snapshot.key_path);
        let plan = self.plan(&snapshot.database, &snapshot.store, &path);
        if plan.key.redacts() {
            changes.insert(text, 1, r#""unordered":true,"#);
        }
        for bound in [snapshot.after, snapshot.until].into_iter().flatten() {
            changes.replace(bound, plan.key(bound.get())?);
        }
        for record in &snapshot.records {
            plan.record(record.key, record.value, changes)?;
        }
        Ok(())
    }

    fn records<'t>(&self, records: &Records<'t>, changes: &mut Changes<'t>) -> Result<(), Unreadable> {
        let path = KeyPath::read(records.key_path);
        let plan = self.plan(&records.database, &records.store, &path);
        for record in &records.present {
            plan.record(record.key, record.value, changes)?;
        }
        for key in &records.absent {
            changes.replace(key, plan.key(key.get())?);
        }
        Ok(())
    }
}

impl Plan<'_> {
    fn record<'t>(
        &self,
        key: &'t RawValue,
        value: &'t RawValue,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        changes.replace(key, self.key(key.get())?);
        let room = MAX_GROWTH.saturating_sub(changes.grown);
        changes.replace(value, self.value(value.get(), room));
        Ok(())
    }

    fn operation<'t>(
        &self,
        text: &'t RawValue,
        operation: &Operation<'t>,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        match operation {
            Operation::Put { key, value, .. } | Operation::Add { key, value, .. } => {
                self.record(key, value, changes)?;
            }
            Operation::Delete { key, .. } => changes.replace(key, self.key(key.get())?),
            Operation::DeleteRange { store, range } if self.key.redacts() => {
                let store = store.clone();
                let instead = match self.only_key(range)? {
                    Some(key) => serde_json::to_string(&Operation::Delete {
                        store,
                        key: json::read(&key)?,
                    })?,
                    None => serde_json::to_string(&Operation::DeleteUnknown { store })?,
                };
                changes.replace(text, Some(instead));
            }
            Operation::DeleteRange { .. }
            | Operation::DeleteUnknown { .. }
            | Operation::Clear { .. }
            | Operation::Schema { .. } => {}
        }
        Ok(())
    }

    /// The redacted key that a range holds, if it can hold but one (`IDBKeyRange.only`).
    fn only_key(&self, range: &Range<'_>) -> Result<Option<String>, Unreadable> {
        let (Some(lower), Some(upper), false, false) =
            (range.lower, range.upper, range.lower_open, range.upper_open)
        else {
            return Ok(None);
        };
        let (lower, upper) = (self.key(lower.get())?, self.key(upper.get())?);
        Ok(lower.filter(|lower| Some(lower) == upper.as_ref()))
    }
}

/// Follows a change of a store's shape: its name may go, be another one's, or another's be its own.
fn reshape(paths: &mut HashMap<String, KeyPath>, store: &str, change: &SchemaChange<'_>) {
    match change {
        SchemaChange::CreateStore { key_path, .. } => {
            paths.insert(store.to_owned(), KeyPath::read(Some(key_path)));
        }
        SchemaChange::DeleteStore {} | SchemaChange::DeleteDatabase {} => {
            paths.remove(store);
        }
        SchemaChange::RenameStore { to } => {
            if let Some(path) = paths.remove(store) {
                paths.insert(to.clone().into_owned(), path);
            } else {
                paths.remove(&**to);
            }
        }
        SchemaChange::CreateIndex { .. }
        | SchemaChange::DeleteIndex { .. }
        | SchemaChange::RenameIndex { .. } => {}
    }
}

/// What is to be put in the place of which pieces of a text.
#[derive(Default)]
struct Changes<'t> {
    /// Where in memory the piece begins, how long it is, and what replaces it.
    list: Vec<(usize, usize, Cow<'t, str>)>,
    /// By how many bytes the pieces are longer than they were, without those that are shorter.
    grown: usize,
}

impl<'t> Changes<'t> {
    fn replace(&mut self, piece: &'t RawValue, with: Option<String>) {
        if let Some(with) = with {
            let at = piece.get().as_ptr().addr();
            self.grown += with.len().saturating_sub(piece.get().len());
            // Values keep to the room there is. Keys have no shorter form: with too much of them the body is not passed on.
            if self.grown <= MAX_GROWTH {
                self.list.push((at, piece.get().len(), with.into()));
            }
        }
    }

    fn insert(&mut self, piece: &'t RawValue, at: usize, text: &'static str) {
        self.list.push((piece.get().as_ptr().addr() + at, 0, text.into()));
    }

    /// The text with all changes made. All pieces are of this text and apart from each other.
    fn made_in(mut self, text: &'t str) -> Cow<'t, str> {
        if self.list.is_empty() {
            return Cow::Borrowed(text);
        }
        self.list.sort_unstable_by_key(|(at, ..)| *at);
        let start = text.as_ptr().addr();
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (at, length, with) in &self.list {
            let at = at - start;
            out.push_str(&text[done..at]);
            out.push_str(with);
            done = at + length;
        }
        out.push_str(&text[done..]);
        Cow::Owned(out)
    }
}
