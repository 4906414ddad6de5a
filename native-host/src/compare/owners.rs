//! Which profile writes the keys of which origin ([`owner`](crate::sinks::memcached::owner)), and
//! by which template.

use std::collections::{BTreeSet, HashMap};

use protocol::name::{NamedRecord, Template};

use super::{CompareError, Journals};
use crate::{
    config,
    sinks::memcached::owner::{Owner, owners},
};

/// What is known of the profiles and of the origins.
pub(super) struct Owners {
    /// By journal.
    profiles: Vec<String>,
    /// By journal: the template with its profile's id in it.
    keys: Vec<Template>,
    /// Whether each profile has names of its own.
    apart: bool,
    by_origin: HashMap<String, Owner>,
}

/// In whose journals an item's record is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// In all: no owner is known.
    Any,
    /// In this one.
    Of(usize),
    /// In none that is here.
    Elsewhere,
}

impl Owners {
    /// Asks the servers.
    pub(super) fn find(config: &config::Memcached, journals: &Journals) -> Result<Self, CompareError> {
        let mut profiles = Vec::new();
        let mut origins = BTreeSet::new();
        for reader in journals.all() {
            profiles.push(reader.author()?.0);
            origins.extend(reader.origins()?);
        }
        let apart = config.key.has_profile();
        let mut by_origin = HashMap::new();
        if !apart {
            let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
            for (origin, owner) in origins.iter().zip(owners(config, &origins)?) {
                by_origin.extend(owner.map(|owner| ((*origin).to_owned(), owner)));
            }
        }
        Ok(Self {
            keys: profiles
                .iter()
                .map(|profile| config.key.of_profile(profile))
                .collect(),
            profiles,
            apart,
            by_origin,
        })
    }

    /// The template of a journal's names.
    pub(super) fn key(&self, journal: usize) -> Option<&Template> {
        self.keys.get(journal)
    }

    /// The other profile that owns an origin of this journal.
    pub(super) fn other(&self, journal: usize, origin: &str) -> Option<&Owner> {
        let owner = self.by_origin.get(origin)?;
        (self.profiles.get(journal) != Some(&owner.profile)).then_some(owner)
    }

    /// Whether the values of several profiles may stand under one name.
    pub(super) fn is_shared(&self, origin: &str) -> bool {
        !self.apart && !self.by_origin.contains_key(origin)
    }

    /// The record that an item is named after, and whose it is.
    pub(super) fn read(&self, name: &str) -> Option<(NamedRecord, Whose)> {
        if self.apart {
            let mut keys = self.keys.iter().enumerate();
            return keys.find_map(|(journal, key)| Some((key.read(name)?, Whose::Of(journal))));
        }
        let record = self.keys.first()?.read(name)?;
        let whose = match self.by_origin.get(&record.origin) {
            None => Whose::Any,
            Some(owner) => match self.profiles.iter().position(|profile| *profile == owner.profile) {
                Some(journal) => Whose::Of(journal),
                None => Whose::Elsewhere,
            },
        };
        Some((record, whose))
    }
}
