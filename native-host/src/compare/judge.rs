//! What is right, on its way, or different.

use std::{
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use protocol::{
    name::is_shortened,
    wire::inspector::{self, Difference, DifferenceKind},
};

use super::{
    CompareError, Comparison, Observer,
    cache::{Address, Found, Refused},
    feed::Reach,
    names::Names,
};
use crate::{
    journal::{
        JournalError,
        read::{Now, Place, Reader},
    },
    sinks::MEMCACHED,
    timing,
};

/// No event is after this one: SQLite's integers end there.
pub(super) const NOTHING_PENDING: u64 = i64::MAX as u64;

/// The row of a store that a journal does not know.
pub(super) const NO_STORE: i64 = -1;

/// Something that did not look right.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    pub address: Address,
    /// The server is not the key's: no client looks there.
    pub misplaced: bool,
    /// `None`: the name was shortened, and no record has it.
    pub record: Option<Record>,
}

/// The record that an item is for.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Whose.
    pub journal: usize,
    /// The store's row there.
    pub store: i64,
    pub place: Rc<Place>,
    pub key: Vec<u8>,
    /// The key's canonical text.
    pub text: String,
}

/// What a suspect turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// Right, and without an item because Memcached takes no such value.
    Refused,
    /// It has changed, and the sink has not come so far.
    OnItsWay,
    Differs(DifferenceKind),
}

/// What came of putting a suspect right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It differs still.
    Left,
    Repaired,
    /// Another profile owns its origin by now.
    Held,
}

/// A suspect that was looked at.
#[derive(Debug)]
pub(super) struct Judgement {
    pub found: Found,
    pub wanted: Option<String>,
    pub verdict: Verdict,
}

impl<O: Observer> Comparison<'_, O> {
    /// Checks suspects until each is correct or its time is up. The rest is repaired if asked for,
    /// and reported.
    pub(super) fn resolve(&mut self, mut suspects: Vec<Suspect>) -> Result<(), CompareError> {
        let begin = Instant::now();
        let mut improved = begin;
        let mut pause = timing::compare::FIRST_LOOK;
        while !suspects.is_empty() {
            let looks = self.judge(&suspects, Reach::OfWhoRuns)?;
            let before = suspects.len();
            let (mut left, mut held) = (Vec::new(), Vec::new());
            for (suspect, look) in suspects.into_iter().zip(looks) {
                match look.verdict {
                    Verdict::Right => {}
                    Verdict::Refused => self.so_far.refused += 1,
                    // No time makes that right.
                    Verdict::Differs(DifferenceKind::Held) => held.push((suspect, look.verdict)),
                    Verdict::OnItsWay | Verdict::Differs(_) => left.push((suspect, look.verdict)),
                }
            }
            self.conclude(held)?;
            if left.len() < before {
                improved = Instant::now();
            }
            let on_its_way = left.iter().any(|(_, verdict)| *verdict == Verdict::OnItsWay);
            let wait = if on_its_way {
                timing::compare::ON_ITS_WAY.max(self.patience)
            } else {
                self.patience
            };
            if left.is_empty() {
                return Ok(());
            }
            if !self.feed.runs(self.journals.all())?
                || improved.elapsed() >= wait
                || begin.elapsed() >= timing::compare::FILLING
            {
                if !on_its_way {
                    self.patience = Duration::ZERO;
                }
                return self.conclude(left);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(timing::compare::LONGEST_LOOK);
            suspects = left.into_iter().map(|(suspect, _)| suspect).collect();
        }
        Ok(())
    }

    fn conclude(&mut self, left: Vec<(Suspect, Verdict)>) -> Result<(), CompareError> {
        let mut differing = Vec::new();
        for (suspect, verdict) in left {
            match verdict {
                Verdict::Differs(kind) => differing.push((suspect, kind)),
                _ => self.so_far.pending += 1,
            }
        }
        let outcomes = if self.repair && differing.iter().any(|(_, kind)| *kind != DifferenceKind::Held) {
            self.put_right(&differing)?
        } else {
            vec![Outcome::Left; differing.len()]
        };
        for ((suspect, kind), outcome) in differing.into_iter().zip(outcomes) {
            let repaired = outcome == Outcome::Repaired;
            let kind = if outcome == Outcome::Held {
                DifferenceKind::Held
            } else {
                kind
            };
            let count = match kind {
                DifferenceKind::Missing => &mut self.so_far.missing,
                DifferenceKind::Stale => &mut self.so_far.stale,
                DifferenceKind::Orphaned => &mut self.so_far.orphaned,
                DifferenceKind::Held => &mut self.so_far.held,
            };
            *count += 1;
            if kind == DifferenceKind::Orphaned && !repaired {
                self.orphaned.insert(&suspect.address);
            }
            self.so_far.repaired += u64::from(repaired);
            let address = suspect.record.map_or_else(nowhere, |record| inspector::Address {
                origin: record.place.origin.clone(),
                bucket: record.place.bucket.clone(),
                database: record.place.database.clone(),
                store: record.place.store.clone(),
                key: record.text,
            });
            self.observer.differs(Difference {
                address,
                memcached_key: suspect.address.name,
                kind,
                repaired,
            })?;
        }
        Ok(())
    }

    /// What the suspects are now. Offsets first, then the items, then their owners and the mirror:
    /// see the invariants.
    pub(super) fn judge(
        &mut self,
        suspects: &[Suspect],
        reach: Reach,
    ) -> Result<Vec<Judgement>, CompareError> {
        let mut passed = Vec::new();
        for reader in self.journals.all() {
            passed.push(self.feed.reached(&self.cache, reader, reach)?);
        }
        let addresses: Vec<&Address> = suspects.iter().map(|suspect| &suspect.address).collect();
        let found = self.cache.look(&addresses)?;
        if self.owners.ask_of(&self.cache, suspects)? {
            // They are the owners' names.
            self.shortened.take();
        }
        let now = self.mirrored(suspects, &passed)?;
        let shortened = if suspects.iter().any(|suspect| suspect.record.is_none()) {
            Some((self.shortened()?, self.is_behind(&passed)?))
        } else {
            None
        };
        let mut looks = Vec::with_capacity(suspects.len());
        for ((suspect, found), now) in suspects.iter().zip(found).zip(now) {
            let look = match (&suspect.record, &shortened) {
                (Some(record), _) => self.judge_record(suspect, record, found, now)?,
                (None, Some((names, _)))
                    if self.owners.may_be_elsewhere(&suspect.address.name)
                        || (!suspect.misplaced && names.has(suspect.address.name.as_str())) =>
                {
                    right(found)
                }
                (None, shortened) => {
                    let behind = shortened.as_ref().is_some_and(|(_, behind)| *behind);
                    let verdict = verdict(&found, None, behind);
                    Judgement {
                        found,
                        wanted: None,
                        verdict,
                    }
                }
            };
            looks.push(look);
        }
        Ok(looks)
    }

    fn judge_record(
        &self,
        suspect: &Suspect,
        record: &Record,
        found: Found,
        now: Now,
    ) -> Result<Judgement, CompareError> {
        let typed = now.value.filter(|_| !suspect.misplaced);
        let wanted = typed.map(|typed| self.cache.wanted(&suspect.address, &typed));
        let refused = matches!(wanted, Some(Err(Refused)));
        let wanted = wanted.and_then(Result::ok);
        let mut verdict = verdict(&found, wanted.as_deref(), now.pending);
        let shared = self.owners.is_shared(&record.place.origin);
        if verdict != Verdict::Right
            && !suspect.misplaced
            && self.owners.other(record.journal, &record.place.origin).is_some()
        {
            // What the owner has there is right for a record that this profile has not.
            verdict = match wanted {
                Some(_) => Verdict::Differs(DifferenceKind::Held),
                None => Verdict::Right,
            };
        } else if matches!(verdict, Verdict::Differs(_)) && !suspect.misplaced {
            // Where no owner is known another profile of this machine may have the same record; the
            // last writer has won.
            let others = if shared {
                self.journals
                    .elsewhere(record.journal, &record.place, &record.key)?
            } else {
                Vec::new()
            };
            let theirs = |typed: &String| {
                self.cache
                    .wanted(&suspect.address, typed)
                    .is_ok_and(|wanted| found.is(Some(&wanted)))
            };
            if others.iter().any(theirs) || (wanted.is_none() && !others.is_empty()) {
                verdict = Verdict::Right;
            } else if verdict == Verdict::Differs(DifferenceKind::Missing) && self.was_refused(record)? {
                verdict = Verdict::Refused;
            }
        }
        if refused && verdict == Verdict::Differs(DifferenceKind::Orphaned) {
            verdict = Verdict::Differs(DifferenceKind::Stale);
        }
        if verdict == Verdict::Right && refused {
            verdict = Verdict::Refused;
        }
        Ok(Judgement {
            found,
            wanted,
            verdict,
        })
    }

    /// What the mirrors hold of the suspects' records.
    fn mirrored(&self, suspects: &[Suspect], fed: &[Option<u64>]) -> Result<Vec<Now>, JournalError> {
        let mut now = vec![Now::default(); suspects.len()];
        for (journal, reader) in self.journals.all().iter().enumerate() {
            let (mut indexes, mut records) = (Vec::new(), Vec::new());
            for (index, suspect) in suspects.iter().enumerate() {
                if let Some(record) = suspect.record.as_ref().filter(|record| record.journal == journal) {
                    indexes.push(index);
                    records.push((record.store, &*record.key));
                }
            }
            if records.is_empty() {
                continue;
            }
            let passed = fed.get(journal).copied().flatten().unwrap_or(NOTHING_PENDING);
            for (index, found) in indexes.into_iter().zip(reader.now(&records, passed)?) {
                if let Some(now) = now.get_mut(index) {
                    *now = found;
                }
            }
        }
        Ok(now)
    }

    /// Whether the sink has said of the record's newest value that a server refused it.
    fn was_refused(&self, record: &Record) -> Result<bool, JournalError> {
        match self.journals.all().get(record.journal) {
            Some(reader) => reader.was_deleted(MEMCACHED, record.store, &record.key),
            None => Ok(false),
        }
    }

    fn is_behind(&self, fed: &[Option<u64>]) -> Result<bool, JournalError> {
        for (reader, fed) in self.journals.all().iter().zip(fed) {
            if let Some(number) = fed
                && *number < reader.head()?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The names that records have and that had to be shortened: such a name does not reveal its
    /// record. They are sought among all keys only if a journal has changed since the last time.
    pub(super) fn shortened(&self) -> Result<Rc<Names>, JournalError> {
        let readers = self.journals.all();
        let generations: Vec<i64> = readers.iter().map(Reader::generation).collect::<Result<_, _>>()?;
        let known = self.shortened.borrow().clone();
        if let Some((_, names)) = known.filter(|(of, _)| *of == generations) {
            return Ok(names);
        }
        let mut shortened = Names::default();
        for (journal, reader) in readers.iter().enumerate() {
            let Some(template) = self.owners.key(journal) else {
                continue;
            };
            for store in reader.stores()? {
                if self.owners.other(journal, &store.place.origin).is_some() {
                    continue;
                }
                reader.each_key(store.id, |key| {
                    let name = template.record_name(store.place.names(), key);
                    if is_shortened(&name) {
                        shortened.insert(name.as_str());
                    }
                })?;
            }
        }
        let shortened = Rc::new(shortened);
        self.shortened.replace(Some((generations, Rc::clone(&shortened))));
        Ok(shortened)
    }
}

fn verdict(found: &Found, wanted: Option<&str>, pending: bool) -> Verdict {
    if found.is(wanted) {
        return Verdict::Right;
    }
    if pending {
        return Verdict::OnItsWay;
    }
    Verdict::Differs(match (found.cas, wanted) {
        (None, _) => DifferenceKind::Missing,
        (Some(_), None) => DifferenceKind::Orphaned,
        (Some(_), Some(_)) => DifferenceKind::Stale,
    })
}

fn right(found: Found) -> Judgement {
    Judgement {
        found,
        wanted: None,
        verdict: Verdict::Right,
    }
}

/// The address of an item whose name does not reveal its record.
fn nowhere() -> inspector::Address {
    inspector::Address {
        origin: String::new(),
        bucket: String::new(),
        database: String::new(),
        store: String::new(),
        key: String::new(),
    }
}
