//! What a process knows of the profiles that own the keys of origins, and of those that may follow.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use super::change::Change;
use crate::{sinks::memcached::owner::Owner, time::now_ms};

/// What is known of the owners.
#[derive(Default)]
pub(super) struct Owners {
    pub by_origin: BTreeMap<String, Owner>,
    /// Who may follow the owner of an origin.
    pub heirs: BTreeMap<String, Heir>,
    pub looked: Option<Instant>,
    /// What was said of whom: origin and profile.
    pub said: HashSet<(String, String)>,
}

/// A profile that may follow the owner of an origin.
#[derive(Clone)]
pub(super) struct Heir {
    /// As the owner that it would be.
    pub owner: Owner,
    /// When the last of its events was passed over.
    pub noted: Instant,
    /// Since when the owner's host gives no sign.
    pub silent: Option<Instant>,
    /// Its own host gave no sign when it could have followed.
    pub is_gone: bool,
}

impl Owners {
    /// An event of an origin was passed over.
    pub fn note_heir(&mut self, origin: &str, change: &Change) {
        let heir = self
            .heirs
            .entry(origin.to_owned())
            .or_insert_with(|| Heir::of(change));
        // An heir whose host is gone, too, must not keep a profile that runs from following.
        if heir.is_gone && heir.owner.profile != change.profile {
            *heir = Heir {
                silent: heir.silent,
                ..Heir::of(change)
            };
        }
        // Of several profiles the first one follows.
        if heir.owner.profile == change.profile {
            heir.noted = Instant::now();
        }
    }
}

impl Heir {
    fn of(change: &Change) -> Self {
        Self {
            owner: Owner {
                profile: change.profile.clone(),
                browser: change.browser.clone(),
                since: now_ms(),
                unsettled: true,
            },
            noted: Instant::now(),
            silent: None,
            is_gone: false,
        }
    }
}
