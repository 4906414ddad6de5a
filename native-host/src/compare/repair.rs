//! Putting right what differs, also if a process writes meanwhile.
//!
//! From before the mirror is read until the change is answered the journal is [frozen](freeze): no
//! process can set a younger value then. What may be on its way to Memcached is left to the process
//! that brings it, also if that process is in trouble: in front of the newest value an older one
//! may be on its way, too.
//!
//! What is left is a change that arrives late, because the repair was cut off or killed. *Of an
//! item that is there* it names the number, its CAS value, as it was seen before the mirror was
//! read; so it does nothing if anybody has written since. *An item that is missing* has none: a
//! younger one may have been set, and deleted or evicted. So what is added says by the server's own
//! clock until when it may live, and is made to last by the next round, as any item is changed. If
//! there is no answer the journal is held until then; if the repair is killed the item ends by
//! itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Instant,
};

use protocol::wire::inspector::DifferenceKind;

use super::{
    CompareError, Comparison, Observer,
    cache::Change,
    feed::Reach,
    judge::{Judgement, Outcome, Suspect, Verdict},
};
use crate::{journal::freeze, memcached::is_too_large, timing};

/// How often a record is tried that others write to meanwhile.
const ROUNDS: usize = 12;

/// Values from here on travel alone.
const ALONE: usize = 256 * 1024;

impl<O: Observer> Comparison<'_, O> {
    /// Repairs these. What is on its way is waited for, about one and a half seconds at most.
    pub(super) fn put_right(
        &mut self,
        differing: &[(Suspect, DifferenceKind)],
    ) -> Result<Vec<Outcome>, CompareError> {
        let mut outcomes = vec![Outcome::Left; differing.len()];
        if !differing.is_empty() && !std::mem::replace(&mut self.undisturbed, true) {
            // The servers have answered, so they are at it; what is written from then on is newer.
            if self.feed.left_something(self.journals.all())? {
                thread::sleep(timing::memcached::AFTERMATH);
            }
        }
        let mut pause = timing::compare::FIRST_LOOK;
        for _ in 0..ROUNDS {
            let left: Vec<usize> = (0..differing.len())
                .filter(|index| outcomes.get(*index) == Some(&Outcome::Left))
                .collect();
            if left.is_empty() {
                break;
            }
            let suspects: Vec<Suspect> = left
                .iter()
                .filter_map(|index| differing.get(*index))
                .map(|(suspect, _)| suspect.clone())
                .collect();
            let mut differing = BTreeMap::<Option<usize>, Vec<Suspect>>::new();
            let looks = self.judge(&suspects, Reach::OfWhoMayWrite)?;
            for ((index, suspect), look) in left.into_iter().zip(suspects).zip(looks) {
                let Some(outcome) = outcomes.get_mut(index) else {
                    continue;
                };
                match look.verdict {
                    _ if self.is_held(&suspect) => *outcome = Outcome::Held,
                    Verdict::Right | Verdict::Refused => *outcome = Outcome::Repaired,
                    // It is about to be written, and the next round will see.
                    Verdict::OnItsWay => {}
                    Verdict::Differs(_) => {
                        let journal = suspect.record.as_ref().map(|record| record.journal);
                        differing.entry(journal).or_default().push(suspect);
                    }
                }
            }
            if differing.is_empty() && outcomes.contains(&Outcome::Left) {
                // All that is left is on its way: who brings it needs time, not another question.
                thread::sleep(pause);
                pause = (pause * 2).min(timing::compare::LONGEST_LOOK);
            }
            for (journal, suspects) in differing {
                self.change(journal, &suspects)?;
            }
        }
        Ok(outcomes)
    }

    /// Whether an item is the business of another profile, which owns its origin.
    fn is_held(&self, suspect: &Suspect) -> bool {
        match &suspect.record {
            Some(record) => {
                !suspect.misplaced && self.owners.other(record.journal, &record.place.origin).is_some()
            }
            None => self.owners.may_be_elsewhere(&suspect.address.name),
        }
    }

    /// Changes what still differs now that a journal is held; all of them are for items of no
    /// record.
    fn change(&mut self, journal: Option<usize>, suspects: &[Suspect]) -> Result<(), CompareError> {
        let mut held = Vec::new();
        for (index, reader) in self.journals.all().iter().enumerate() {
            if journal.is_none_or(|journal| journal == index) {
                match freeze(reader.path(), timing::compare::FREEZE)? {
                    Some(one) => held.push(one),
                    // The next round tries again.
                    None => return Ok(()),
                }
            }
        }
        let begin = Instant::now();
        let clocks = self.cache.clocks()?;
        let looks = self.judge(suspects, Reach::OfWhoMayWrite)?;
        let mut changes: Vec<(usize, Change)> = Vec::new();
        let mut touched = BTreeSet::new();
        for (suspect, look) in suspects.iter().zip(looks) {
            let address = &suspect.address;
            let differs = matches!(look.verdict, Verdict::Differs(_)) && !self.is_held(suspect);
            let clock = clocks.get(address.server).copied().flatten();
            if differs && let Some(change) = wanted(&address.name, look, clock) {
                changes.push((address.server, change));
                let record = suspect.record.as_ref();
                touched.extend(record.map(|record| (record.journal, record.place.origin.clone())));
            }
        }
        self.send(&changes).inspect_err(|_| {
            // One of them may be on its way still.
            thread::sleep(timing::compare::UNCONFIRMED_GONE.saturating_sub(begin.elapsed()));
        })?;
        drop(held);
        // Another profile may have become the owner in between. What was added names no number, so
        // it may stand where the owner has deleted an item.
        for (journal, origin) in touched {
            self.owners.unsettle(&self.cache, journal, &origin)?;
        }
        Ok(())
    }

    /// Sends changes, each with its server. What came of them the next look tells.
    fn send(&self, changes: &[(usize, Change)]) -> Result<(), CompareError> {
        for server in 0..self.cache.servers().len() {
            let mut batch = Vec::new();
            for (_, change) in changes.iter().filter(|(to, _)| *to == server) {
                if change.length() >= ALONE {
                    self.run(server, std::slice::from_ref(change))?;
                } else {
                    batch.push(change.clone());
                }
            }
            self.run(server, &batch)?;
        }
        Ok(())
    }

    fn run(&self, server: usize, changes: &[Change]) -> Result<(), CompareError> {
        if changes.is_empty() {
            return Ok(());
        }
        let results = self.cache.run(server, changes)?;
        for (change, result) in changes.iter().zip(results) {
            match (result, change) {
                // Nothing rather than something old.
                (Err(error), Change::Replace { name, cas, .. }) if is_too_large(&error) => {
                    let delete = Change::Delete {
                        name: name.clone(),
                        cas: *cas,
                    };
                    self.run(server, &[delete])?;
                }
                (Err(error), _) if !is_too_large(&error) => {
                    return Err(self.cache.trouble(&error, server).into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What brings the item that was seen to what is wanted, by the clock of its server.
fn wanted(name: &str, look: Judgement, clock: Option<u64>) -> Option<Change> {
    let name = name.to_owned();
    Some(match (look.found.cas, look.wanted) {
        (None, None) => return None,
        (None, Some(value)) => Change::Add {
            name,
            value,
            until: unconfirmed(clock),
        },
        (Some(cas), Some(value)) => Change::Replace { name, value, cas },
        (Some(cas), None) => Change::Delete { name, cas },
    })
}

/// Until when an item lives that is added now, by the server's clock if it tells it.
fn unconfirmed(clock: Option<u64>) -> u32 {
    let until = clock.and_then(|clock| {
        u32::try_from(clock)
            .ok()?
            .checked_add(timing::compare::UNCONFIRMED_SECONDS)
    });
    until.unwrap_or(timing::compare::UNCONFIRMED_SECONDS)
}
