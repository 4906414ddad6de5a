//! Which profile writes the keys of which origin ([`owner`](crate::sinks::memcached::owner)), and
//! by which template.
//!
//! An owner may be followed by another one at any time, so the servers are asked again whenever
//! items are judged, and behind the items. A new owner writes all of the origin's items again,
//! which gives them new numbers (CAS). So a change that names the number of an item from before
//! does nothing once the new owner has come to that item, and does no harm before.

use std::collections::{BTreeSet, HashMap};

use protocol::name::{NamedRecord, Template};

use super::{
    CompareError, Journals,
    cache::{Address, Cache, Change, Found},
    judge::Suspect,
};
use crate::{
    config,
    journal::progress::condition::Problem,
    sinks::memcached::{
        may_be_of,
        owner::{Owner, owner_name},
    },
};

/// What is known of the profiles and of the origins.
pub(super) struct Owners {
    /// By journal.
    profiles: Vec<String>,
    /// By journal: the template with its profile's id in it.
    keys: Vec<Template>,
    /// The template of the configuration.
    template: Template,
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
    pub(super) fn find(
        config: &config::Memcached,
        cache: &Cache,
        journals: &Journals,
    ) -> Result<Self, CompareError> {
        let mut profiles = Vec::new();
        let mut origins = BTreeSet::new();
        for reader in journals.all() {
            profiles.push(reader.author()?.0);
            origins.extend(reader.origins()?);
        }
        let mut owners = Self {
            keys: profiles
                .iter()
                .map(|profile| config.key.of_profile(profile))
                .collect(),
            profiles,
            template: config.key.clone(),
            apart: config.key.has_profile(),
            by_origin: HashMap::new(),
        };
        owners.ask(cache, origins)?;
        Ok(owners)
    }

    /// Asks the servers again who owns the origins of these items; whether an owner is another one.
    pub(super) fn ask_of(&mut self, cache: &Cache, suspects: &[Suspect]) -> Result<bool, Problem> {
        let mut origins = BTreeSet::new();
        for suspect in suspects {
            match &suspect.record {
                Some(record) => {
                    if !origins.contains(&record.place.origin) {
                        origins.insert(record.place.origin.clone());
                    }
                }
                None => origins.extend(self.may_be_of(&suspect.address.name).cloned()),
            }
        }
        self.ask(cache, origins)
    }

    /// Asks the servers who owns these origins; whether an owner is another one than before.
    fn ask(&mut self, cache: &Cache, origins: BTreeSet<String>) -> Result<bool, Problem> {
        if self.apart {
            return Ok(false);
        }
        let addresses: Vec<Address> = origins.iter().map(|origin| self.address(cache, origin)).collect();
        let found = cache.look(&addresses.iter().collect::<Vec<_>>())?;
        let mut changed = false;
        for (origin, found) in origins.into_iter().zip(found) {
            let known = self.by_origin.get(&origin).map(|owner| &owner.profile);
            let owner = owner_in(&found);
            changed |= known != owner.as_ref().map(|owner| &owner.profile);
            match owner {
                Some(owner) => self.by_origin.insert(origin, owner),
                None => self.by_origin.remove(&origin),
            };
        }
        Ok(changed)
    }

    /// Lets the owner of an origin write all of it again, if it is another profile than this
    /// journal's: this journal's values may stand over those of the owner.
    pub(super) fn unsettle(&mut self, cache: &Cache, journal: usize, origin: &str) -> Result<(), Problem> {
        let profile = self.profiles.get(journal);
        loop {
            let address = self.address(cache, origin);
            let found = cache.look(&[&address])?.pop().unwrap_or_default();
            let (Some(mut owner), Some(cas)) = (owner_in(&found), found.cas) else {
                return Ok(());
            };
            if self.apart || profile == Some(&owner.profile) {
                return Ok(());
            }
            // Written even if it is unsettled: an owner that is just at it has to begin again.
            owner.unsettled = true;
            let change = Change::Replace {
                name: address.name,
                value: owner.text(),
                cas,
            };
            match cache.run(address.server, &[change])?.pop() {
                Some(Ok(done)) if !done.ok() => {}
                Some(Err(error)) => return Err(cache.trouble(&error, address.server)),
                _ => return Ok(()),
            }
        }
    }

    fn address(&self, cache: &Cache, origin: &str) -> Address {
        cache.address(owner_name(&self.template, origin))
    }

    /// The origins with an owner whose records may have this shortened name.
    fn may_be_of<'o>(&'o self, name: &'o str) -> impl Iterator<Item = &'o String> {
        let origins = self.by_origin.keys();
        origins.filter(move |origin| {
            let prefix = self.template.origin_prefix(origin);
            may_be_of(&self.template, prefix.as_ref(), origin, name)
        })
    }

    /// Whether a shortened name may be that of a record whose owner has no journal here.
    pub(super) fn may_be_elsewhere(&self, name: &str) -> bool {
        let mut origins = self.may_be_of(name);
        origins.any(|origin| {
            let owner = self.by_origin.get(origin);
            owner.is_some_and(|owner| !self.profiles.contains(&owner.profile))
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

/// The owner that an item names.
fn owner_in(found: &Found) -> Option<Owner> {
    Owner::parse(found.text()?.as_bytes())
}
