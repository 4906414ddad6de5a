//! Whole bodies: the redacted pieces are put in the place of the others, all else stays the text
//! that came.
//!
//! In a store whose keys are redacted, keys have lost their order. So `delete(range)` becomes
//! `delete_unknown`, unless the range holds one key only, and snapshots say that they are
//! `unordered`.
//!
//! A store that several rules' names meet in an upgrade may have to be read again under its last
//! name: see [`super::upgrade`].

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{MAX_GROWTH, MAX_LOOKS, Plan, Redaction, key::KeyPath, upgrade::Stores, value::Room};
use crate::{
    body::{Operation, Range, Records, Snapshot},
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
    #[error(
        "a store's key path is too long for redaction, or not known, as the store came to its name unseen"
    )]
    KeyPath,
    #[error("the key paths of its stores are compared with more than {MAX_LOOKS} fields")]
    TooManyPaths,
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
    Digests(DigestsOutline<'a>),
    #[serde(borrow)]
    Records(Records<'a>),
    StoreList(serde::de::IgnoredAny),
    Deletion(serde::de::IgnoredAny),
    Gap(serde::de::IgnoredAny),
    Skipped(serde::de::IgnoredAny),
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

#[derive(Deserialize)]
struct DigestsOutline<'a> {
    #[serde(borrow)]
    database: Cow<'a, str>,
    #[serde(borrow)]
    store: Cow<'a, str>,
    #[serde(default, borrow)]
    after: Option<&'a RawValue>,
    #[serde(borrow)]
    stretches: &'a RawValue,
}

impl Redaction {
    /// The JSON text of a [`crate::body::Body`], redacted.
    ///
    /// One that cannot be read is replaced by one that can't be read either: the host says so, and
    /// has a commit's stores read again.
    ///
    /// The origin is the one that the browser reports.
    pub fn body<'t>(&self, origin: &str, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        match self.redacted_body(origin, text) {
            Ok(body) => body,
            Err(_) if text.starts_with("{\"commit\"") => Cow::Borrowed("{\"commit\":null}"),
            Err(_) => Cow::Borrowed("{\"unreadable\":null}"),
        }
    }

    fn redacted_body<'t>(&self, origin: &str, text: &'t str) -> Result<Cow<'t, str>, Unreadable> {
        let mut changes = Changes::default();
        match json::read::<Outline<'_>>(text)? {
            Outline::Commit(commit) => self.commit(origin, &commit, &mut changes)?,
            Outline::Snapshot(text) => {
                let snapshot: Snapshot<'_> = json::read(text.get())?;
                self.snapshot(origin, text, &snapshot, &mut changes)?;
            }
            Outline::Digests(digests) => self.digests(&digests, &mut changes),
            Outline::Records(records) => self.records(origin, &records, &mut changes)?,
            Outline::StoreList(_) | Outline::Deletion(_) | Outline::Gap(_) | Outline::Skipped(_) => {}
        }
        if changes.grown > MAX_GROWTH {
            return Err(Unreadable::TooLong);
        }
        Ok(changes.made_in(text))
    }

    fn commit<'t>(
        &self,
        origin: &str,
        commit: &CommitOutline<'t>,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        let operations = commit
            .operations
            .iter()
            .map(|text| json::read(text.get()))
            .collect::<Result<Vec<Operation<'t>>, _>>()?;
        let stores = Stores::of(&operations, &commit.key_paths);
        let (treated, of_operation) = self
            .treat(origin, &commit.database, stores, &mut changes.looks)
            .ok_or(Unreadable::TooManyPaths)?;
        for ((text, operation), index) in commit.operations.iter().zip(&operations).zip(of_operation) {
            let treated = &treated[index];
            match operation {
                Operation::Schema { store, change } => {
                    if treated.is_cut && matches!(change, SchemaChange::RenameStore { .. }) {
                        let instead = Operation::Schema {
                            store: store.clone(),
                            change: SchemaChange::DeleteStore {},
                        };
                        changes.replace(text, Some(serde_json::to_string(&instead)?));
                    }
                }
                _ if treated.is_unclear => return Err(Unreadable::KeyPath),
                operation => treated.plan.operation(text, operation, changes)?,
            }
        }
        // Behind all others, so that the operations in front keep the page's order and count:
        // stacks go by it.
        if let Some(last) = commit.operations.last() {
            let mut reads = String::new();
            for store in treated.into_iter().filter_map(|treated| treated.read_as) {
                reads.push(',');
                reads.push_str(&serde_json::to_string(&Operation::DeleteUnknown { store })?);
            }
            if !reads.is_empty() {
                changes.insert(last, last.get().len(), reads);
            }
        }
        Ok(())
    }

    fn snapshot<'t>(
        &self,
        origin: &str,
        text: &'t RawValue,
        snapshot: &Snapshot<'t>,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        let path = KeyPath::read(snapshot.key_path);
        let plan = self.plan(origin, &snapshot.database, &[&snapshot.store], &path);
        if plan.has_unclear_keys && !plan.is_empty() {
            return Err(Unreadable::KeyPath);
        }
        if plan.key.redacts() {
            changes.insert(text, 1, r#""unordered":true,"#.to_owned());
        }
        for bound in [snapshot.after, snapshot.until].into_iter().flatten() {
            changes.replace(bound, plan.key(bound.get())?);
        }
        for record in &snapshot.records {
            plan.record(record.key, record.value, changes)?;
        }
        Ok(())
    }

    /// Of a store that a rule concerns no digest leaves: it would tell whether a value is the one
    /// that is guessed, and the mirror has other values. Of an empty list no stretch is alike, so
    /// the bridge tells the records instead.
    fn digests<'t>(&self, digests: &DigestsOutline<'t>, changes: &mut Changes<'t>) {
        let stores = [&*digests.store];
        if self
            .rules
            .iter()
            .any(|rule| rule.concerns(&digests.database, &stores))
        {
            changes.replace(digests.stretches, Some("[]".to_owned()));
            if let Some(after) = digests.after {
                changes.replace(after, Some("null".to_owned()));
            }
        }
    }

    fn records<'t>(
        &self,
        origin: &str,
        records: &Records<'t>,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        let path = KeyPath::read(records.key_path);
        let plan = self.plan(origin, &records.database, &[&records.store], &path);
        if plan.has_unclear_keys && !plan.is_empty() {
            return Err(Unreadable::KeyPath);
        }
        for record in &records.present {
            plan.record(record.key, record.value, changes)?;
        }
        for key in &records.absent {
            changes.replace(key, plan.key(key.get())?);
        }
        Ok(())
    }
}

impl Plan {
    fn record<'t>(
        &self,
        key: &'t RawValue,
        value: &'t RawValue,
        changes: &mut Changes<'t>,
    ) -> Result<(), Unreadable> {
        changes.replace(key, self.key(key.get())?);
        let mut room = Room {
            growth: MAX_GROWTH.saturating_sub(changes.grown),
            looks: changes.looks,
        };
        changes.replace(value, self.value(value.get(), &mut room));
        changes.looks = room.looks;
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

/// Replacements for pieces of a text.
struct Changes<'t> {
    /// Where in memory the piece begins, how long it is, and what replaces it.
    list: Vec<(usize, usize, String)>,
    /// By how many bytes the pieces are longer than they were, without those that are shorter.
    grown: usize,
    /// How many values may still be looked at.
    looks: usize,
    text: PhantomData<&'t str>,
}

impl Default for Changes<'_> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            grown: 0,
            looks: MAX_LOOKS,
            text: PhantomData,
        }
    }
}

impl<'t> Changes<'t> {
    fn replace(&mut self, piece: &'t RawValue, with: Option<String>) {
        if let Some(with) = with {
            let at = piece.get().as_ptr().addr();
            self.grown += with.len().saturating_sub(piece.get().len());
            // Values keep to the room there is. Keys have no shorter form: with too much of them
            // the body is not passed on.
            if self.grown <= MAX_GROWTH {
                self.list.push((at, piece.get().len(), with));
            }
        }
    }

    fn insert(&mut self, piece: &'t RawValue, at: usize, text: String) {
        self.list.push((piece.get().as_ptr().addr() + at, 0, text));
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
