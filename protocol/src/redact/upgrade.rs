//! Stores in the course of one transaction, which may be an upgrade: one store has several names
//! there, and one name is several stores'.
//!
//! Rules name stores. A record that is written under one name and stands under another when the
//! upgrade has committed is redacted by the rules of both. Records that were written in earlier
//! transactions were redacted by the rules of the name that their store had then. If those of its
//! new name are others, a rename must not take them along: the store is reported as deleted under
//! its old name, and is read under the new one.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde_json::value::RawValue;

use super::{Plan, Redaction, key::KeyPath};
use crate::{body::Operation, schema::SchemaChange};

/// A store from the first operation on it to the last.
struct Lineage<'t> {
    /// All names that it has in the transaction, the first one first; one may come again.
    names: Vec<Cow<'t, str>>,
    /// The name that it has in the end; `None` if it is deleted.
    last: Option<Cow<'t, str>>,
    /// `None`: it is not known, since the name was another store's before.
    key_path: Option<KeyPath>,
    /// It is new: no record of it is older than the transaction.
    is_new: bool,
}

/// The stores of a transaction.
pub(super) struct Stores<'t> {
    lineages: Vec<Lineage<'t>>,
    /// Which store each operation is of.
    of_operation: Vec<usize>,
}

impl<'t> Stores<'t> {
    pub(super) fn of(operations: &[Operation<'t>], key_paths: &BTreeMap<Cow<'t, str>, &'t RawValue>) -> Self {
        let mut stores = Self {
            lineages: Vec::new(),
            of_operation: Vec::with_capacity(operations.len()),
        };
        // What each name is now; `None`: it was a store's, and is free.
        let mut names: HashMap<Cow<'t, str>, Option<usize>> = HashMap::new();
        for operation in operations {
            let name = match operation {
                Operation::Put { store, .. }
                | Operation::Add { store, .. }
                | Operation::Delete { store, .. }
                | Operation::DeleteRange { store, .. }
                | Operation::DeleteUnknown { store }
                | Operation::Clear { store }
                | Operation::Schema { store, .. } => store,
            };
            let change = match operation {
                Operation::Schema { change, .. } => Some(change),
                _ => None,
            };
            let known = names.get(name).copied();
            let index = match (change, known) {
                (Some(SchemaChange::CreateStore { key_path, .. }), _) => {
                    stores.begin(name.clone(), Some(KeyPath::read(Some(key_path))), true)
                }
                (_, Some(Some(index))) => index,
                // The key path belongs to the first store that has the name.
                (_, Some(None)) => stores.begin(name.clone(), None, false),
                (_, None) => {
                    let key_path = KeyPath::read(key_paths.get(name).copied());
                    stores.begin(name.clone(), Some(key_path), false)
                }
            };
            if known != Some(Some(index)) {
                names.insert(name.clone(), Some(index));
            }
            match change {
                Some(SchemaChange::DeleteStore {} | SchemaChange::DeleteDatabase {}) => {
                    names.insert(name.clone(), None);
                    stores.lineages[index].last = None;
                }
                Some(SchemaChange::RenameStore { to }) => {
                    names.insert(name.clone(), None);
                    names.insert(to.clone(), Some(index));
                    let lineage = &mut stores.lineages[index];
                    lineage.last = Some(to.clone());
                    lineage.names.push(to.clone());
                }
                _ => {}
            }
            stores.of_operation.push(index);
        }
        stores
    }

    fn begin(&mut self, name: Cow<'t, str>, key_path: Option<KeyPath>, is_new: bool) -> usize {
        self.lineages.push(Lineage {
            names: vec![name.clone()],
            last: Some(name),
            key_path,
            is_new,
        });
        self.lineages.len() - 1
    }
}

/// How many plans are made of a store that has several names: for all of them, the first, the last.
const MAX_PLANS: usize = 3;

/// What the rules mean for one store of a transaction.
pub(super) struct Treated<'t> {
    pub(super) plan: Plan,
    /// The rules hold, but the store's key path is not known.
    pub(super) is_unclear: bool,
    /// Its renames are reported as deletions, since its records were not redacted by the rules of
    /// its new name.
    pub(super) is_cut: bool,
    /// The name under which it is to be read for that reason.
    pub(super) read_as: Option<Cow<'t, str>>,
}

impl Redaction {
    /// What the rules mean for each store of a transaction, and which of them each operation is of.
    /// `None`: that would take more looks than are left for the transaction.
    pub(super) fn treat<'t>(
        &self,
        origin: &str,
        database: &str,
        stores: Stores<'t>,
        looks: &mut usize,
    ) -> Option<(Vec<Treated<'t>>, Vec<usize>)> {
        let treated = stores.lineages.into_iter().map(|lineage| {
            let path = lineage.key_path.as_ref().unwrap_or(&KeyPath::None);
            let names: Vec<&str> = lineage.names.iter().map(|name| &**name).collect();
            let plan = self.plan(origin, database, &names, path);
            let same_as = |name: &str| self.plan(origin, database, &[name], path).is_same(&plan);
            *looks = looks.checked_sub(plan.looks * names.len().min(MAX_PLANS))?;
            let is_cut = names.len() > 1
                && !(lineage.last.as_deref().is_none_or(same_as)
                    && (lineage.is_new || same_as(&lineage.names[0])));
            Some(Treated {
                is_unclear: (lineage.key_path.is_none() || plan.has_unclear_keys) && !plan.is_empty(),
                plan,
                is_cut,
                read_as: lineage.last.filter(|_| is_cut),
            })
        });
        Some((treated.collect::<Option<_>>()?, stores.of_operation))
    }
}
