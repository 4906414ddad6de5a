//! Putting right what differs, whoever writes meanwhile.
//!
//! Each round looks at the item and then reads the mirror, and then acts on no other item than the one it saw. If the mirror changes
//! after it was read, the sink has yet to pass that change on, and passes it on after us. An item that is missing has no number to
//! hold on to: another may have been set and deleted since. So it is added for a minute only, and made to last by the next round, if the
//! mirror still says the same. If that round never comes, the item ends by itself.

use memcache::exp::{Delete, Error, Get, Op, Set, Ttl};
use protocol::inspect::DifferenceKind;

use super::{
    CompareError, Comparison, Observer,
    judge::{Look, Suspect, Verdict},
};
use crate::sinks::memcached::is_too_large;

/// How long an item lasts that the mirror has not confirmed.
const UNCONFIRMED: Ttl = Ttl::secs(60);

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
            let looks = self.judge(&suspects)?;
            let mut operations = Vec::new();
            for ((index, suspect), look) in left.into_iter().zip(&suspects).zip(looks) {
                match (look.verdict, done.get_mut(index)) {
                    (Verdict::Right | Verdict::Refused, Some(done)) => *done = true,
                    // The sink is about to write it; the next round will see.
                    (Verdict::OnItsWay, _) | (_, None) => {}
                    (Verdict::Differs(_), _) => operations.extend(operation(suspect, look)),
                }
            }
            self.send(&operations)?;
        }
        Ok(done)
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
fn operation(suspect: &Suspect, look: Look) -> Option<(usize, Op)> {
    let name = &suspect.address.name;
    let operation = match (look.found.cas, look.wanted) {
        (None, None) => return None,
        (None, Some(value)) => Set::new(name, value).add().ttl(UNCONFIRMED).into(),
        (Some(_), Some(value)) if look.found.says(Some(&value)) => {
            Get::new(name).without_value().touch(Ttl::NEVER).into()
        }
        (Some(cas), Some(value)) => Set::new(name, value).compare_cas(cas).into(),
        (Some(cas), None) => Delete::new(name).compare_cas(cas).into(),
    };
    Some((suspect.address.server, operation))
}
