//! Which origins' keys this host may write.
//!
//! Two browser profiles that use one site have databases of their own, and by the usual template
//! the same keys. One of them owns an origin's keys, the first; the others leave them alone and say
//! so. What they know of each other stands in the servers themselves ([`owner`](super::owner)).
//!
//! **Invariants:**
//! - A host writes only keys whose owner it has found its own profile to be, and looks again as
//!   often as it looks after its marks.
//! - A host that finds that it has lost an origin may have written a little after it had. It marks
//!   the origin *unsettled*, and the owner then writes all of it again and deletes what is not its
//!   own. So does an owner that has just taken an origin over.
//! - Of two hosts of one profile (a copied journal) the one that came last writes; the other waits
//!   until that one has ended.
//!
//! An owner that does not run is followed by a host that starts; while both run, only by `idb-relay
//! own`.

use std::{collections::BTreeMap, time::Instant};

use protocol::{name::Template, shown::shown};

use super::{
    owner::{Owner, owner_name, run_name},
    rewrite::are_empty_of,
    servers::{Servers, Stored},
};
use crate::{
    journal::{progress::condition::Problem, tokens::Tokens},
    sinks::runner::{PROFILE_IN_USE, StepError},
    time::now_ms,
    timing::{self, memcached::SIGN_LASTS_SECONDS},
};

/// How many owners are named in one message.
const NAMED: usize = 3;

/// What is known of all origins.
pub(super) struct Owners {
    profile: String,
    browser: String,
    key: Template,
    tokens: Tokens,
    /// What this host leaves on the servers, and when it did so last.
    token: Option<String>,
    signed: Option<Instant>,
    /// Another host of this profile writes.
    displaced: bool,
    /// The sign of another host that was seen, by the number of its item: if that changes, the host
    /// runs.
    sign_seen: Option<u64>,
    origins: BTreeMap<String, OriginStatus>,
    /// When they were looked after last.
    checked: Option<Instant>,
}

/// What is known of an origin.
struct OriginStatus {
    name: String,
    met: Instant,
    holder: Holder,
    /// When it was taken there was no owner. Perhaps there never was one.
    was_free: bool,
}

/// This profile, as one that may become the owner of an origin.
#[derive(Clone, Copy)]
struct Candidate<'c> {
    owner: &'c Owner,
    key: &'c Template,
    origin: &'c str,
}

/// An owner that has followed this profile and has given no sign yet.
#[derive(Clone, Copy)]
struct Silent {
    since: Instant,
    /// It says that it has written all. Who gets the keys by command has yet to do that, and may
    /// start much later.
    settled: bool,
}

enum Holder {
    /// It was not asked for yet.
    Unknown,
    /// This profile. Unsettled: as the item with this number says.
    Own { unsettled: Option<u64> },
    /// Another one, whose word is not there any more since then.
    Other {
        owner: Owner,
        forgotten: Option<Instant>,
        /// It has followed this profile, and has given no sign yet.
        silent: Option<Silent>,
    },
}

impl Owners {
    pub(super) fn new(key: Template, profile: &str, tokens: Tokens) -> Self {
        Self {
            profile: profile.to_owned(),
            browser: String::new(),
            key,
            tokens,
            token: None,
            signed: None,
            displaced: false,
            sign_seen: None,
            origins: BTreeMap::new(),
            checked: None,
        }
    }

    /// The tokens of the journal.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// There are new connections: a machine and its clone have no connection in common.
    pub(super) fn reconnected(&mut self) {
        self.token = None;
    }

    /// Whether it is known who owns an origin.
    pub(super) fn knows(&self, origin: &str) -> bool {
        let standing = self.origins.get(origin);
        standing.is_some_and(|standing| !matches!(standing.holder, Holder::Unknown))
    }

    /// Whether this profile owns an origin.
    pub(super) fn owns(&self, origin: &str) -> bool {
        let standing = self.origins.get(origin);
        standing.is_some_and(|standing| matches!(standing.holder, Holder::Own { .. }))
    }

    /// The other profile that owns an origin.
    pub(super) fn other(&self, origin: &str) -> Option<&Owner> {
        match &self.origins.get(origin)?.holder {
            Holder::Other { owner, .. } => Some(owner),
            Holder::Unknown | Holder::Own { .. } => None,
        }
    }

    /// Origins that this profile owns and has yet to write completely.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let unsettled = |(_, standing): &(&String, &OriginStatus)| {
            matches!(standing.holder, Holder::Own { unsettled: Some(_) })
        };
        let origins = self.origins.iter().filter(unsettled);
        origins.map(|(origin, _)| origin.clone()).collect()
    }

    /// Whether there was no owner when this profile became that of an origin: nothing speaks for
    /// records of another one.
    pub(super) fn was_free(&self, origin: &str) -> bool {
        self.origins.get(origin).is_some_and(|standing| standing.was_free)
    }

    /// The same in the middle of long work: otherwise other hosts would take this one to have
    /// ended. Afterwards another profile may own an origin.
    pub(super) fn check_in_time(&mut self, servers: &mut Servers) -> Result<(), StepError> {
        if self
            .checked
            .is_some_and(|at| at.elapsed() < timing::memcached::marker_while_busy())
        {
            return Ok(());
        }
        let browser = self.browser.clone();
        self.check(servers, &browser, Vec::new())
    }

    /// Looks after all origins that are known, and these.
    pub(super) fn check(
        &mut self,
        servers: &mut Servers,
        browser: &str,
        origins: Vec<String>,
    ) -> Result<(), StepError> {
        browser.clone_into(&mut self.browser);
        self.checked = Some(Instant::now());
        for origin in origins {
            let name = owner_name(&self.key, &origin);
            self.origins.entry(origin).or_insert_with(|| OriginStatus {
                name,
                met: Instant::now(),
                holder: Holder::Unknown,
                was_free: false,
            });
        }
        self.sign(servers)?;
        let names: Vec<String> = self
            .origins
            .values()
            .map(|standing| standing.name.clone())
            .collect();
        let found = servers.get(&names)?;
        let owner = self.owner(false);
        let mut failure = None;
        for ((origin, standing), found) in self.origins.iter_mut().zip(found) {
            let candidate = Candidate {
                owner: &owner,
                key: &self.key,
                origin,
            };
            if let Err(error) = standing.check(servers, candidate, found) {
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// All records of an origin were written, and nothing else is there; unless another host has
    /// come in between.
    pub(super) fn settled(&mut self, servers: &mut Servers, origin: &str) -> Result<(), StepError> {
        let owner = self.owner(false);
        if let Some(standing) = self.origins.get_mut(origin)
            && let Holder::Own { unsettled } = &mut standing.holder
            && let Some(seen) = unsettled.take()
        {
            servers.put(&standing.name, &owner.text(), Some(seen), None)?;
        }
        Ok(())
    }

    /// Which origins others own, for a person.
    pub(super) fn problem(&self) -> Option<Problem> {
        let others = self
            .origins
            .iter()
            .filter_map(|(origin, standing)| match &standing.holder {
                Holder::Other { owner, .. } => Some((origin, owner)),
                Holder::Unknown | Holder::Own { .. } => None,
            });
        let others: Vec<_> = others.collect();
        let (first, _) = others.first()?;
        let mut names: Vec<String> = others
            .iter()
            .take(NAMED)
            .map(|(origin, owner)| format!("those of {origin} are owned by {owner}"))
            .collect();
        if others.len() > NAMED {
            names.push(format!("and {} origins more", others.len() - NAMED));
        }
        Some(Problem {
            message: format!(
                "not writing all keys to Memcached: {}. Their events are journaled and published all the same",
                names.join(", ")
            ),
            fix: super::owner::fix(first, &self.profile),
        })
    }

    /// Says that this host runs, unless another one of this profile does.
    fn sign(&mut self, servers: &mut Servers) -> Result<(), StepError> {
        let name = run_name(&self.profile);
        let mut found = servers.sign(&name)?;
        let replaced_cas = found.as_ref().map(|sign| sign.cas);
        if let Some(sign) = found.take_if(|sign| !sign.is_of_host) {
            tracing::warn!(
                "{name} in memcached is no host's sign of life and is replaced: another client has put it there ({} bytes)",
                sign.value.len()
            );
        }
        if let Some(sign) = &found {
            let value = String::from_utf8_lossy(&sign.value);
            if self.token.as_deref() == Some(&*value) {
                if self
                    .signed
                    .is_some_and(|signed| signed.elapsed() < timing::redis::sign())
                {
                    return Ok(());
                }
            } else if !self.tokens.has(&value)? {
                if !std::mem::replace(&mut self.displaced, true) {
                    self.unsettle(servers)?;
                }
                // One that has pushed this one aside runs; so does one that says so again.
                let runs = self.signed.is_some() || self.sign_seen.is_some_and(|seen| seen != sign.cas);
                if !runs {
                    self.sign_seen = Some(sign.cas);
                }
                return Err(if runs { self.in_use() } else { self.waiting() });
            }
        }
        let token = if let Some(token) = &self.token {
            token.clone()
        } else {
            let token = match (self.tokens.make(), &found) {
                (Ok(token), _) => token,
                // The disk may be full of what waits here: it must be able to leave. The sign
                // that is there is of a token which this journal made.
                (Err(error), Some(sign)) => {
                    tracing::warn!("no new token for memcached, going on under the last one: {error}");
                    String::from_utf8_lossy(&sign.value).into_owned()
                }
                (Err(error), None) => return Err(error.into()),
            };
            self.token.insert(token).clone()
        };
        if !servers.put(&name, &token, replaced_cas, Some(SIGN_LASTS_SECONDS))? {
            // Another host was quicker; the next look tells which.
            return Ok(());
        }
        self.signed = Some(Instant::now());
        if std::mem::replace(&mut self.displaced, false) {
            self.unsettle(servers)?;
        }
        Ok(())
    }

    /// Lets the owner of each origin that this host has written to write it again; it may be
    /// another host of this profile.
    fn unsettle(&mut self, servers: &mut Servers) -> Result<(), StepError> {
        for standing in self.origins.values() {
            if let Holder::Own { .. } = standing.holder {
                mark_unsettled(servers, &standing.name)?;
            }
        }
        Ok(())
    }

    fn owner(&self, unsettled: bool) -> Owner {
        Owner {
            profile: self.profile.clone(),
            browser: self.browser.clone(),
            since: now_ms(),
            unsettled,
        }
    }

    /// This host writes no more.
    pub(super) fn end(&mut self, servers: &mut Servers) -> Result<(), StepError> {
        let name = run_name(&self.profile);
        if let Some(token) = self.token.take()
            && let Some((cas, value)) = servers.get(std::slice::from_ref(&name))?.pop().flatten()
            && value == token.as_bytes()
        {
            servers.delete(&name, cas)?;
        }
        Ok(())
    }

    fn waiting(&self) -> StepError {
        StepError {
            reached: None,
            state: "waiting",
            trouble: Problem {
                message: format!(
                    "another host has written to memcached as profile {} in the last {SIGN_LASTS_SECONDS} s: whether it still runs shows soon",
                    self.profile
                ),
                fix: "Nothing to do.".to_owned(),
            },
        }
    }

    fn in_use(&self) -> StepError {
        StepError {
            reached: None,
            state: PROFILE_IN_USE,
            trouble: Problem {
                message: format!(
                    "another host writes to memcached as profile {}: this browser profile, or this machine, is a copy. Nothing is written from here",
                    self.profile
                ),
                fix: crate::sinks::COPIED_FIX.to_owned(),
            },
        }
    }
}

impl OriginStatus {
    /// Takes in what the servers say of the owner, and takes its place where that is right.
    fn check(
        &mut self,
        servers: &mut Servers,
        own: Candidate<'_>,
        found: Option<Stored>,
    ) -> Result<(), StepError> {
        let found = found.map(|(cas, value)| (cas, Owner::parse(&value)));
        match found {
            Some((cas, Some(owner))) if owner.profile == own.owner.profile => {
                let unsettled = owner.unsettled.then_some(cas);
                self.holder = Holder::Own { unsettled };
            }
            Some((cas, Some(owner))) => {
                let (silent, is_lost) = match &self.holder {
                    Holder::Own { .. } => {
                        // What was written since the last look may stand over the new owner's
                        // values.
                        mark_unsettled(servers, &self.name)?;
                        let since = Instant::now();
                        let settled = !owner.unsettled;
                        (Some(Silent { since, settled }), true)
                    }
                    Holder::Other { silent, .. } => (*silent, false),
                    Holder::Unknown => (None, false),
                };
                self.holder = Holder::Other {
                    owner: owner.clone(),
                    forgotten: None,
                    silent,
                };
                let is_new = self.met.elapsed() < timing::memcached::SUCCESSION;
                if silent.is_none() && !is_new {
                    return Ok(());
                }
                let sign = sign_of(servers, &owner.profile)?;
                let is_time =
                    silent.is_some_and(|silent| silent.since.elapsed() >= timing::memcached::SUCCESSION);
                let is_settled = silent.is_some_and(|silent| silent.settled);
                match sign {
                    SignOf::Other => return self.take_from_forged(servers, own, (cas, &owner)),
                    SignOf::None if is_time && is_settled => {
                        return self.take_from_forged(servers, own, (cas, &owner));
                    }
                    SignOf::None if is_new && !is_lost => return self.take(servers, own, Some(cas)),
                    SignOf::None if !is_time => {}
                    SignOf::Host | SignOf::None => {
                        if let Holder::Other { silent, .. } = &mut self.holder {
                            *silent = None;
                        }
                    }
                }
            }
            // Not of this version.
            Some((cas, None)) => return self.take(servers, own, Some(cas)),
            None => match &mut self.holder {
                Holder::Other { forgotten, .. } => {
                    if forgotten.get_or_insert_with(Instant::now).elapsed()
                        >= timing::memcached::OWNER_FORGOTTEN
                    {
                        return self.take(servers, own, None);
                    }
                }
                Holder::Unknown | Holder::Own { .. } => return self.take(servers, own, None),
            },
        }
        Ok(())
    }

    /// Takes the place of an owner that nothing but a foreign item speaks for.
    fn take_from_forged(
        &mut self,
        servers: &mut Servers,
        own: Candidate<'_>,
        (cas, owner): (u64, &Owner),
    ) -> Result<(), StepError> {
        tracing::warn!(
            "the keys of {} were given to {owner}, whose host gives no sign of life: this profile takes them back",
            shown(own.origin)
        );
        self.take(servers, own, Some(cas))
    }

    /// Takes the place of the owner that was found, or of none; the next look tells whether that
    /// was done.
    fn take(
        &mut self,
        servers: &mut Servers,
        own: Candidate<'_>,
        from: Option<u64>,
    ) -> Result<(), StepError> {
        let unsettled = from.is_some()
            || match self.holder {
                // The item of an owner may be lost, by a restart or an eviction, and its records be
                // there.
                Holder::Unknown => !are_empty_of(servers, own.key, own.origin)?,
                // No other host has written since.
                Holder::Own { unsettled } => unsettled.is_some(),
                // A host that has waited has been left out.
                Holder::Other { .. } => true,
            };
        self.was_free = from.is_none() && matches!(self.holder, Holder::Unknown);
        let own = own.owner;
        let owner = Owner {
            unsettled,
            ..own.clone()
        };
        servers.put(&self.name, &owner.text(), from, None)?;
        // Another host may have been quicker.
        if let Some((cas, value)) = servers.get(std::slice::from_ref(&self.name))?.pop().flatten()
            && let Some(owner) = Owner::parse(&value)
        {
            self.holder = if owner.profile == own.profile {
                Holder::Own {
                    unsettled: owner.unsettled.then_some(cas),
                }
            } else {
                let silent = match self.holder {
                    Holder::Other { silent, .. } => silent,
                    Holder::Unknown | Holder::Own { .. } => None,
                };
                Holder::Other {
                    owner,
                    forgotten: None,
                    silent,
                }
            };
        }
        Ok(())
    }
}

/// Whether the host of a profile runs.
enum SignOf {
    Host,
    /// What is there, no host has put there.
    Other,
    None,
}

fn sign_of(servers: &mut Servers, profile: &str) -> Result<SignOf, StepError> {
    Ok(match servers.sign(&run_name(profile))? {
        Some(sign) if sign.is_of_host => SignOf::Host,
        Some(_) => SignOf::Other,
        None => SignOf::None,
    })
}

/// Lets the owner of an origin write all of it again.
fn mark_unsettled(servers: &mut Servers, name: &str) -> Result<(), StepError> {
    loop {
        let found = servers.get(&[name.to_owned()])?.pop().flatten();
        let Some((cas, Some(mut owner))) = found.map(|(cas, value)| (cas, Owner::parse(&value))) else {
            return Ok(());
        };
        // Written again even if it says so already: an owner that is just at it has to begin again.
        owner.unsettled = true;
        if servers.put(name, &owner.text(), Some(cas), None)? {
            return Ok(());
        }
    }
}
