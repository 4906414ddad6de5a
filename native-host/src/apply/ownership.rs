//! Which profile's events may be written, where several profiles use one site.
//!
//! They have databases of their own, and by the usual template the same keys. As beside a host that
//! feeds Memcached itself, an item there says who owns an origin's keys
//! ([`owner`](crate::sinks::memcached::owner)): the profile whose events of the origin come first.
//! What the others do is passed over, and said once. With `{profile}` in the template there is
//! nothing to own.
//!
//! **An owner that is gone is followed** by the next profile whose events are passed over: if the
//! owner's host gives no sign for [`timing::apply::succession`], neither in Redis
//! ([`sign`](crate::sinks::redis::sign)) nor in Memcached, and that profile's host does. While both
//! run nothing changes hands.

use std::{collections::BTreeSet, io::Write, time::Instant};

use memcache::exp::Error;
use protocol::shown::shown;
use serde_json::json;

use super::{cache::server::Seen, change::Change, interruption::Interruption, session::Session};
use crate::{
    sinks::{
        self,
        memcached::{
            is_empty_of,
            owner::{Owner, owner_name, run_name},
        },
        redis::sign,
    },
    time::now_ms,
    timing,
};

impl<W: Write> Session<'_, W> {
    /// For each change whether its profile owns the keys of its origin. `None`: an origin has
    /// changed hands, and the servers are to be filled.
    pub fn owned(&mut self, changes: &[Change]) -> Result<Option<Vec<bool>>, Interruption> {
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
            let owner = self.owners.by_origin.get(&target.origin).cloned();
            let is_owner = owner.as_ref().is_none_or(|owner| owner.profile == change.profile);
            if let Some(owner) = owner.filter(|_| !is_owner) {
                self.owners.note_heir(&target.origin, change);
                let pair = (target.origin.clone(), change.profile.clone());
                if !self.owners.said.contains(&pair) {
                    let fix = crate::sinks::memcached::owner::fix(&pair.0, &pair.1);
                    self.report.print(
                        "held",
                        format_args!(
                            "events of profile {} ({}) are not written: the keys of {} are owned by {owner}",
                            change.profile,
                            shown(&change.browser),
                            target.origin
                        ),
                        json!({"profile": change.profile, "origin": target.origin, "owner": owner.profile, "fix": fix}),
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
    pub fn look_after_owners(&mut self) -> Result<bool, Interruption> {
        if self
            .owners
            .looked
            .is_some_and(|looked| looked.elapsed() < timing::apply::owner_known())
        {
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
            same &= !self.succeed(&origin)?;
        }
        Ok(same)
    }

    /// Lets the heir of an origin follow an owner that is gone; whether it did.
    fn succeed(&mut self, origin: &str) -> Result<bool, Interruption> {
        let Some(mut heir) = self.owners.heirs.remove(origin) else {
            return Ok(false);
        };
        let Some(owner) = self.owners.by_origin.get(origin).cloned() else {
            return Ok(false);
        };
        if owner.profile == heir.owner.profile {
            return Ok(false);
        }
        if self.gives_sign(&owner.profile)? {
            heir.silent = None;
            // If its last sign is younger than that it may have ended before the event.
            if heir.noted.elapsed() <= timing::redis::sign_lasts() {
                self.owners.heirs.insert(origin.to_owned(), heir);
            }
            return Ok(false);
        }
        let silent = *heir.silent.get_or_insert_with(Instant::now);
        let is_time = silent.elapsed() >= timing::apply::succession();
        heir.is_gone = is_time && !self.gives_sign(&heir.owner.profile)?;
        if !is_time || heir.is_gone {
            self.owners.heirs.insert(origin.to_owned(), heir);
            return Ok(false);
        }
        let heir = heir.owner;
        let name = owner_name(&self.config.memcached.key, origin);
        let index = self.cache.server_of(&name);
        let seen = self.cache.look_with_values(index, &[&name])?;
        let Some(seen) = seen.into_iter().next() else {
            return Ok(false);
        };
        let found = seen.value.as_deref().and_then(Owner::parse);
        if found.is_some_and(|found| found.profile != owner.profile)
            || !self.write_owner(index, &name, &heir, &seen)?
        {
            // It has changed hands by command meanwhile; the next look tells.
            return Ok(false);
        }
        self.report.print(
            "succeeded",
            format_args!(
                "the keys of {origin} are owned by {heir} from now on: the host of {owner} gives no sign any more"
            ),
            json!({"origin": origin, "owner": heir.profile, "former": owner.profile}),
        )?;
        // It is unsettled: that has the servers filled.
        Ok(!self.meet(origin, &heir.profile, &heir.browser)?)
    }

    /// Whether the host of a profile runs, as Redis or Memcached says.
    fn gives_sign(&mut self, profile: &str) -> Result<bool, Interruption> {
        let redis = self.config.redis.as_ref();
        let stream = redis.and_then(|redis| redis.stream.as_deref());
        let key = sign::key(&sinks::redis::cursor_key(stream, profile));
        let found = redis::cmd("GET").arg(key).query(&mut self.redis);
        let found: Option<String> = found.map_err(|error| self.redis_failed(&error))?;
        if found.is_some() {
            return Ok(true);
        }
        self.cache.has_sign(&run_name(profile))
    }

    /// Finds out who owns an origin; without an owner, this profile becomes it. `false`: it has
    /// changed hands.
    fn meet(&mut self, origin: &str, profile: &str, browser: &str) -> Result<bool, Interruption> {
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
                    // The item may be lost, by a restart or an eviction, and what its profile wrote
                    // be there.
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
    fn are_empty_of(&mut self, origin: &str) -> Result<bool, Interruption> {
        let config = self.config;
        let config = &config.memcached;
        for endpoint in config.endpoints() {
            let failed = |error| Interruption::memcached(&Error::Io(error), endpoint.name());
            if !is_empty_of(&endpoint, &config.key, origin, failed, || self.keep())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_owner(
        &mut self,
        index: usize,
        name: &str,
        owner: &Owner,
        seen: &Seen,
    ) -> Result<bool, Interruption> {
        let fence = self.fence(index)?;
        let text = owner.text();
        let done = self
            .cache
            .write(index, &[((name, Some(text.as_bytes())), seen)], fence)?;
        Ok(done.first() == Some(&true))
    }

    fn unmark(&mut self) -> Result<(), Interruption> {
        for index in 0..self.cache.addresses().len() {
            let fence = self.fence(index)?;
            self.cache.unmark(index, fence)?;
        }
        Ok(())
    }
}
