//! Which profile's events may be written, where several profiles use one site.
//!
//! They have databases of their own, and by the usual template the same keys. As beside a host that
//! feeds Memcached itself, an item there says who owns an origin's keys
//! ([`owner`](crate::sinks::memcached::owner)): the profile whose events of the origin come first.
//! What the others do is passed over, and said once. With `{profile}` in the template there is
//! nothing to own.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{self, Write},
    time::{Duration, Instant},
};

use memcache::exp::Error;
use serde_json::json;

use super::{cache::server::Seen, change::Change, session::Session, stop::Stop};
use crate::{
    sinks::memcached::{
        may_be_of,
        metadump::{self, Listing, Named},
        owner::{Owner, owner_name},
    },
    time::now_ms,
};

/// How long an owner is taken to be the same.
const KNOWN: Duration = Duration::from_secs(1);

/// After how many listed items the lease is kept.
const KEEP: usize = 8192;

/// What is known of the owners.
#[derive(Default)]
pub(super) struct Owners {
    by_origin: BTreeMap<String, Owner>,
    looked: Option<Instant>,
    /// What was said of whom: origin and profile.
    said: HashSet<(String, String)>,
}

impl<W: Write> Session<'_, W> {
    /// For each change whether its profile owns the keys of its origin. `None`: an origin has
    /// changed hands, and the servers are to be filled.
    pub fn owned(&mut self, changes: &[Change]) -> Result<Option<Vec<bool>>, Stop> {
        if self.config.memcached.key.has_profile() {
            return Ok(Some(vec![true; changes.len()]));
        }
        if !self.look_after_owners()? {
            return Ok(None);
        }
        let mut answers = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(target) = &change.target else {
                answers.push(true);
                continue;
            };
            if !self.owners.by_origin.contains_key(&target.origin)
                && !self.meet(&target.origin, &change.profile, &change.browser)?
            {
                return Ok(None);
            }
            let owner = self.owners.by_origin.get(&target.origin);
            let is_owner = owner.is_none_or(|owner| owner.profile == change.profile);
            if let Some(owner) = owner.filter(|_| !is_owner) {
                let pair = (target.origin.clone(), change.profile.clone());
                if !self.owners.said.contains(&pair) {
                    let cure = crate::sinks::memcached::owner::cure(&pair.0, &pair.1);
                    self.report.tell(
                        "held",
                        format_args!(
                            "events of profile {} ({}) are not written: the keys of {} are owned by {owner}\n   cure: {cure}",
                            change.profile, change.browser, target.origin
                        ),
                        json!({"profile": change.profile, "origin": target.origin, "owner": owner.profile, "cure": cure}),
                    )?;
                    self.owners.said.insert(pair);
                }
            }
            answers.push(is_owner);
        }
        Ok(Some(answers))
    }

    /// Looks whether the owners that are known are still the same; if one is another by command,
    /// the servers have to be filled, and are marked so.
    pub fn look_after_owners(&mut self) -> Result<bool, Stop> {
        if self.owners.looked.is_some_and(|looked| looked.elapsed() < KNOWN) {
            return Ok(true);
        }
        self.owners.looked = Some(Instant::now());
        let origins: BTreeSet<String> = self.owners.by_origin.keys().cloned().collect();
        let mut same = true;
        for origin in origins {
            let Some(known) = self.owners.by_origin.get(&origin).cloned() else {
                continue;
            };
            same &= self.meet(&origin, &known.profile, &known.browser)?;
        }
        Ok(same)
    }

    /// Finds out who owns an origin; without an owner, this profile becomes it. `false`: it has
    /// changed hands.
    fn meet(&mut self, origin: &str, profile: &str, browser: &str) -> Result<bool, Stop> {
        let name = owner_name(&self.config.memcached.key, origin);
        let index = self.cache.server_of(&name);
        loop {
            let seen = self.cache.look_with_values(index, &[&name])?;
            let Some(seen) = seen.into_iter().next() else {
                return Ok(true);
            };
            let found = seen.value.as_deref().and_then(Owner::parse);
            match found {
                Some(owner) if !owner.unsettled => {
                    self.owners.by_origin.insert(origin.to_owned(), owner);
                    return Ok(true);
                }
                Some(mut owner) => {
                    // The marks first: if the process ends in between, the servers are filled all
                    // the same.
                    self.unmark()?;
                    owner.unsettled = false;
                    if self.write_owner(index, &name, &owner, &seen)? {
                        self.owners.by_origin.insert(origin.to_owned(), owner);
                        self.owners.said.retain(|(of, _)| of != origin);
                        return Ok(false);
                    }
                }
                None => {
                    // The item may be lost, by a restart or an eviction, and what its profile wrote be there.
                    let known = self.owners.by_origin.get(origin);
                    let is_known = known.is_some_and(|known| known.profile == profile);
                    let settled = is_known || self.are_empty_of(origin)?;
                    if !settled {
                        self.unmark()?;
                    }
                    let owner = Owner {
                        profile: profile.to_owned(),
                        browser: browser.to_owned(),
                        since: now_ms(),
                        unsettled: false,
                    };
                    if self.write_owner(index, &name, &owner, &seen)? {
                        self.owners.by_origin.insert(origin.to_owned(), owner);
                        return Ok(settled);
                    }
                }
            }
        }
    }

    /// Whether no server holds a record of an origin. One that does not tell what it holds may.
    fn are_empty_of(&mut self, origin: &str) -> Result<bool, Stop> {
        let config = self.config;
        let config = &config.memcached;
        let prefix = config.key.origin_prefix(origin);
        for endpoint in config.endpoints() {
            let failed = |error: io::Error| Stop::memcached(&Error::Io(error), endpoint.name());
            let Listing::Items(mut items) = metadump::list(&endpoint).map_err(failed)? else {
                return Ok(false);
            };
            let mut seen = 0_usize;
            while let Some(item) = items.next().map_err(failed)? {
                if let Named::Text(name) = item
                    && may_be_of(&config.key, prefix.as_ref(), origin, &name)
                {
                    return Ok(false);
                }
                seen += 1;
                if seen.is_multiple_of(KEEP) {
                    self.keep()?;
                }
            }
        }
        Ok(true)
    }

    fn write_owner(&mut self, index: usize, name: &str, owner: &Owner, seen: &Seen) -> Result<bool, Stop> {
        let fence = self.fence(index)?;
        let text = owner.text();
        let done = self
            .cache
            .write(index, &[((name, Some(text.as_bytes())), seen)], fence)?;
        Ok(done.first() == Some(&true))
    }

    fn unmark(&mut self) -> Result<(), Stop> {
        for index in 0..self.cache.addresses().len() {
            let fence = self.fence(index)?;
            self.cache.unmark(index, fence)?;
        }
        Ok(())
    }
}
