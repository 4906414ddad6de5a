//! Many names in little memory: those reported already, those that a mirror has.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher as _},
};

/// A set of names, of each only a digest of 64 bits.
#[derive(Default)]
pub(super) struct Names(HashSet<u64>);

impl Names {
    pub(super) fn insert(&mut self, name: impl Hash) {
        self.0.insert(digest(name));
    }

    pub(super) fn has(&self, name: impl Hash) -> bool {
        self.0.contains(&digest(name))
    }
}

fn digest(name: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
