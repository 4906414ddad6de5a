//! Putting right what differs, whoever writes meanwhile.
//!
//! From before the mirror is read until the change is answered the journal is [held](hold): there is no younger value then that anybody
//! could set. What may be on its way to Memcached is left to who brings it, be it that he is in trouble: in front of the newest value
//! an older one may be on its way, too.
//!
//! What is left is a change that arrives late, because the repair was cut off or killed. *Of an item that is there* it names the number,
//! its CAS value, as it was seen before the mirror was read; so it does nothing if anybody has written since. *An item that is missing* has none:
//! a younger one may have been set, and deleted or evicted. So what is added says by the server's own clock until when it may live,
//! and is made to last by the next round, as any item is changed. If there is no answer the journal is held until then; if the repair is killed
//! the item ends by itself.

use std::{
    collections::BTreeMap,
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
            let mut differing = BTreeMap::<Option<usize>, Vec<Suspect>>::new();
            let looks = self.judge(&suspects, Reach::OfWhoMayWrite)?;
            for ((index, suspect), look) in left.into_iter().zip(suspects).zip(looks) {
                match (look.verdict, done.get_mut(index)) {
                    (Verdict::Right | Verdict::Refused, Some(done)) => *done = true,
                    // It is about to be written, and the next round will see; or it is the owner's.
                    (Verdict::OnItsWay | Verdict::Differs(DifferenceKind::Held), _) | (_, None) => {}
                    (Verdict::Differs(_), _) => {
                        let journal = suspect.record.as_ref().map(|record| record.journal);
                        differing.entry(journal).or_default().push(suspect);
                    }
                }
            }
            for (journal, suspects) in differing {
                self.change(journal, &suspects)?;
            }
        }
        Ok(done)
    }

    /// Changes what still differs now that a journal is held; all of them are for items of no record.
    fn change(&self, journal: Option<usize>, suspects: &[Suspect]) -> Result<(), CompareError> {
        let mut held = Vec::new();
        for (index, reader) in self.journals.all().iter().enumerate() {
            if journal.is_none_or(|journal| journal == index) {
                match hold(reader.path(), WRITING)? {
                    Some(one) => held.push(one),
                    // The next round tries again.
                    None => return Ok(()),
                }
            }
        }
        let begin = Instant::now();
        let clocks = self.cache.clocks()?;
        let looks = self.judge(suspects, Reach::OfWhoMayWrite)?;
        let operations: Vec<(usize, Op)> = suspects
            .iter()
            .zip(looks)
            .filter(
                |(_, look)| matches!(look.verdict, Verdict::Differs(kind) if kind != DifferenceKind::Held),
            )
            .filter_map(|(Suspect { address, .. }, look)| {
                let clock = clocks.get(address.server).copied().flatten();
                Some((address.server, operation(&address.name, look, clock)?))
            })
            .collect();
        self.send(&operations).inspect_err(|_| {
            // One of them may be on its way still.
            thread::sleep(DEAD.saturating_sub(begin.elapsed()));
        })
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

/// What brings the item that was seen to what is wanted, by the clock of its server.
fn operation(name: &str, look: Look, clock: Option<u64>) -> Option<Op> {
    Some(match (look.found.cas, look.wanted) {
        (None, None) => return None,
        (None, Some(value)) => Set::new(name, value).add().ttl(unconfirmed(clock)).into(),
        (Some(cas), Some(value)) => Set::new(name, value).compare_cas(cas).into(),
        (Some(cas), None) => Delete::new(name).compare_cas(cas).into(),
    })
}

/// Until when an item lives that is added now, by the server's clock if it tells it.
fn unconfirmed(clock: Option<u64>) -> Ttl {
    match clock {
        Some(clock) => Ttl::at(SystemTime::UNIX_EPOCH + Duration::from_secs(clock + u64::from(UNCONFIRMED))),
        None => Ttl::secs(UNCONFIRMED),
    }
}
