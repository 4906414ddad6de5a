//! Putting right what differs, whoever writes meanwhile.
//!
//! *An item that is there* has a number, its CAS value. Each round looks at the item and then reads the mirror, and then replaces or
//! deletes no other item than the one it saw. If the mirror changes after it was read, whoever feeds Memcached has yet to pass that
//! change on, and passes it on after us.
//!
//! *An item that is missing* has none: since the look a younger one may have been set, and deleted or evicted, and then an add would
//! succeed with the older value. So the journal is [held](hold) from before the mirror is read until the add is answered:
//! there is no younger value then that anybody could have set. An add whose answer does not come could arrive later; so it says
//! by the server's own clock until when it may live, and the journal is held until then. The next round makes it last, as
//! it replaces any item. If that round never comes, because the repair was killed, the item ends by itself.
//!
//! What has changed and may be on its way to Memcached is left to who brings it, be it that he is in trouble: in front of the newest
//! value an older one may be on its way, too.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant, SystemTime},
};

use memcache::exp::{Delete, Error, Op, Set, Ttl};
use protocol::inspect::DifferenceKind;

use super::{
    CompareError, Comparison, Observer,
    feed::Reach,
    judge::{Look, Suspect, Verdict},
};
use crate::{
    journal::hold,
    sinks::memcached::{AFTERMATH, is_too_large},
};

/// How long an item lasts that has not been made to last, in seconds of the server's clock, which has no fractions.
const UNCONFIRMED: u32 = 3;
const DEAD: Duration = Duration::from_secs(UNCONFIRMED as u64 + 1);

/// How long to wait in one round for a host that writes without a pause.
const WRITING: Duration = Duration::from_secs(1);

/// How often a record is tried that others write to meanwhile.
const ROUNDS: usize = 12;

/// Values from here on travel alone: a server that refuses one for its size ends the batch around it.
const ALONE: usize = 256 * 1024;

impl<O: Observer> Comparison<'_, O> {
    /// Puts these right; whether that has succeeded, for each.
    pub(super) fn put_right(
        &mut self,
        differing: &[(Suspect, DifferenceKind)],
    ) -> Result<Vec<bool>, CompareError> {
        let mut done = vec![false; differing.len()];
        if !differing.is_empty() && !std::mem::replace(&mut self.undisturbed, true) {
            // The servers have answered, so they are at it; what is written from then on is newer.
            if self.feed.left_something(self.journals.all())? {
                thread::sleep(AFTERMATH);
            }
        }
        for _ in 0..ROUNDS {
            let left: Vec<usize> = (0..differing.len())
                .filter(|index| done.get(*index) == Some(&false))
                .collect();
            if left.is_empty() {
                break;
            }
            let suspects: Vec<Suspect> = left
                .iter()
                .filter_map(|index| differing.get(*index))
                .map(|(suspect, _)| suspect.clone())
                .collect();
            let looks = self.judge(&suspects, Reach::OfWhoMayWrite)?;
            let mut operations = Vec::new();
            let mut missing = Vec::new();
            for ((index, suspect), look) in left.into_iter().zip(&suspects).zip(looks) {
                match (look.verdict, done.get_mut(index)) {
                    (Verdict::Right | Verdict::Refused, Some(done)) => *done = true,
                    // The sink is about to write it; the next round will see.
                    (Verdict::OnItsWay, _) | (_, None) => {}
                    (Verdict::Differs(_), _) if look.found.cas.is_none() => missing.push(suspect.clone()),
                    (Verdict::Differs(_), _) => operations.extend(change(suspect, look)),
                }
            }
            self.send(&operations)?;
            self.add(&missing)?;
        }
        Ok(done)
    }

    /// Adds items that are missing, to last for a moment.
    fn add(&self, missing: &[Suspect]) -> Result<(), CompareError> {
        let journal_of = |suspect: &Suspect| suspect.record.as_ref().map(|record| record.journal);
        let journals: BTreeSet<usize> = missing.iter().filter_map(journal_of).collect();
        for journal in journals {
            let Some(reader) = self.journals.all().get(journal) else {
                continue;
            };
            let Some(_held) = hold(reader.path(), WRITING)? else {
                // The next round tries again.
                continue;
            };
            let begin = Instant::now();
            let clocks = self.cache.clocks()?;
            let suspects: Vec<Suspect> = missing
                .iter()
                .filter(|suspect| journal_of(suspect) == Some(journal))
                .cloned()
                .collect();
            let looks = self.judge(&suspects, Reach::OfWhoMayWrite)?;
            let operations: Vec<(usize, Op)> = suspects
                .iter()
                .zip(looks)
                .filter(|(_, look)| matches!(look.verdict, Verdict::Differs(_)) && look.found.cas.is_none())
                .filter_map(|(suspect, look)| {
                    let clock = clocks.get(suspect.address.server).copied().flatten();
                    let add = Set::new(&suspect.address.name, look.wanted?).add().ttl(unconfirmed(clock));
                    Some((suspect.address.server, add.into()))
                })
                .collect();
            if let Err(error) = self.send(&operations) {
                // One of them may be on its way still.
                thread::sleep(DEAD.saturating_sub(begin.elapsed()));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sends operations, each with its server. What came of them the next look tells.
    fn send(&self, operations: &[(usize, Op)]) -> Result<(), CompareError> {
        for server in 0..self.cache.servers().len() {
            let mut batch = Vec::new();
            for (_, operation) in operations.iter().filter(|(to, _)| *to == server) {
                if matches!(operation, Op::Set(set) if set.value.len() >= ALONE) {
                    self.run(server, std::slice::from_ref(operation))?;
                } else {
                    batch.push(operation.clone());
                }
            }
            self.run(server, &batch)?;
        }
        Ok(())
    }

    fn run(&self, server: usize, operations: &[Op]) -> Result<(), CompareError> {
        if operations.is_empty() {
            return Ok(());
        }
        let results = self.cache.run(server, operations)?;
        if !results
            .iter()
            .any(|result| result.as_ref().is_err_and(is_too_large))
        {
            return results
                .into_iter()
                .find_map(Result::err)
                .map_or(Ok(()), |error| Err(self.cache.trouble(&error, server).into()));
        }
        // The answers behind the refused one are lost with the connection; one by one each has its own.
        for operation in operations {
            let refused = match &operation {
                Op::Set(set) => set.compare_cas.map(|cas| Delete::new(&set.key).compare_cas(cas)),
                _ => None,
            };
            match (self.one(server, operation)?, refused) {
                // Nothing rather than something old.
                (Some(error), Some(delete)) if is_too_large(&error) => {
                    self.one(server, &delete.into())?;
                }
                (None, _) => {}
                (Some(error), _) if is_too_large(&error) => {}
                (Some(error), _) => return Err(self.cache.trouble(&error, server).into()),
            }
        }
        Ok(())
    }

    fn one(&self, server: usize, operation: &Op) -> Result<Option<Error>, CompareError> {
        Ok(self
            .cache
            .run(server, std::slice::from_ref(operation))?
            .into_iter()
            .find_map(Result::err))
    }
}

/// What brings the item that was seen to what is wanted.
fn change(suspect: &Suspect, look: Look) -> Option<(usize, Op)> {
    let name = &suspect.address.name;
    let cas = look.found.cas?;
    let operation = match look.wanted {
        Some(value) => Set::new(name, value).compare_cas(cas).into(),
        None => Delete::new(name).compare_cas(cas).into(),
    };
    Some((suspect.address.server, operation))
}

/// Until when an item lives that is added now, by the server's clock if it tells it.
fn unconfirmed(clock: Option<u64>) -> Ttl {
    match clock {
        Some(clock) => Ttl::at(SystemTime::UNIX_EPOCH + Duration::from_secs(clock + u64::from(UNCONFIRMED))),
        None => Ttl::secs(UNCONFIRMED),
    }
}
