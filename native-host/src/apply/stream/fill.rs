//! Filling a Memcached server that holds nothing of ours: it was restarted, flushed, exchanged, or
//! is new.
//!
//! The stream is read backwards from its end, so the first event of a record that is met is its
//! newest one, and no older value is ever written. Not from where the group is: after Redis has
//! lost data the group goes through old events with new ids, and may be far behind what the server
//! held before. For the same reason a host that is just giving the stream again what it lost is
//! waited for. What the stream no longer has can't be had from it.

use std::{
    collections::{HashMap, HashSet},
    io::Write,
    thread,
    time::Instant,
};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Change, FIX_GAP, Interruption, Stream, Target, pending::HELD};
use crate::timing;

/// Enough of a digest of a name to know it again; a stream may name many.
type Mark = [u8; 16];

impl<W: Write> Stream<'_, '_, W> {
    /// Fills the servers that need it, if any do.
    pub(super) fn fill_what_is_empty(&mut self) -> Result<(), Interruption> {
        loop {
            self.session.look_after_owners()?;
            let empty: Vec<usize> = self
                .standings(&[])?
                .iter()
                .enumerate()
                .filter(|(_, standing)| !standing.filled)
                .map(|(index, _)| index)
                .collect();
            if empty.is_empty() {
                return Ok(());
            }
            self.session.go_on()?;
            self.fill(&empty)?;
        }
    }

    fn fill(&mut self, empty: &[usize]) -> Result<(), Interruption> {
        let names: Vec<String> = empty
            .iter()
            .filter_map(|index| self.session.cache.addresses().get(*index).cloned())
            .collect();
        let names = names.join(", ");
        self.await_what_comes_again()?;
        let extent = self.group.extent(&mut self.session.redis);
        let extent = self.asked(extent)?.unwrap_or_default();
        self.session.report.state(
            "filling",
            format_args!("filling {names} from the stream: {} events", extent.length),
        )?;
        let mut marks = Vec::new();
        for index in empty {
            let fence = self.session.fence(*index)?;
            marks.push((*index, self.session.cache.mark_filling(*index, fence)?));
        }
        let (reached, records) = self.fill_from_stream(empty, extent.length)?;
        for (index, filling) in marks {
            let Some(filling) = filling else { continue };
            let profiles: Vec<&str> = reached.keys().map(String::as_str).collect();
            let standing = self.session.cache.standing(index, profiles.into_iter())?;
            let fence = self.session.fence(index)?;
            let offsets = reached
                .iter()
                .map(|(profile, last)| (profile.as_str(), *last))
                .collect();
            // Both or nothing: if it does not succeed, the server is filled once more.
            if self.session.cache.note(index, &standing, &offsets, fence)? {
                self.session.cache.mark_filled(index, &filling, fence)?;
            }
        }
        self.session.report.print(
            "filled",
            format_args!("filled {names}: {records} records"),
            json!({"servers": names, "records": records}),
        )?;
        let gone = extent
            .added
            .unwrap_or(extent.length)
            .saturating_sub(extent.length);
        if gone > 0 {
            self.session.report.print(
                "trimmed",
                format_args!(
                    "the stream no longer has its first {gone} events: records that have not changed since are missing in {names}"
                ),
                json!({"events": gone, "servers": names, "fix": FIX_GAP}),
            )?;
        }
        Ok(())
    }

    /// Waits for hosts that are giving the stream again what it lost, for it ends in the past until
    /// then; not for those that do not go on.
    fn await_what_comes_again(&mut self) -> Result<(), Interruption> {
        let mut before = HashMap::new();
        let mut moved = Instant::now();
        loop {
            let mut cursors = self.cursors()?;
            cursors.retain(|_, cursor| cursor.again.is_some_and(|again| cursor.number < again));
            if cursors.is_empty() {
                return Ok(());
            }
            if cursors != before {
                before = cursors;
                moved = Instant::now();
            } else if moved.elapsed() > timing::apply::REFILL {
                return Ok(());
            }
            self.session.report.state(
                "waiting",
                "waiting for what Redis has lost: a host is giving it to the stream again",
            )?;
            self.session.go_on()?;
            self.session.keep()?;
            thread::sleep(timing::apply::REFILL_POLL);
        }
    }

    /// Writes the newest of each record; returns the last event of each profile, and how many
    /// records there are.
    fn fill_from_stream(
        &mut self,
        empty: &[usize],
        all: usize,
    ) -> Result<(HashMap<String, u64>, usize), Interruption> {
        let mut reached: HashMap<String, u64> = HashMap::new();
        let mut met: HashSet<Mark> = HashSet::new();
        let mut others: HashMap<Mark, Target> = HashMap::new();
        let (mut records, mut done) = (0, 0);
        let mut from = "+".to_owned();
        loop {
            self.session.go_on()?;
            // Long stretches may have nothing to write.
            self.session.keep()?;
            let entries = self
                .group
                .backwards(self.session.lease, &mut self.session.redis, &from);
            let entries = self.asked(entries)?;
            let Some(oldest) = entries.last() else {
                let left = others.into_iter().filter(|(name, target)| {
                    !met.contains(name) && empty.contains(&self.session.cache.server_of(&target.name))
                });
                let left: Vec<Target> = left.map(|(_, target)| target).collect();
                self.session.put_newest(left.iter())?;
                return Ok((reached, records));
            };
            from = format!("({}", oldest.id);
            done += entries.len();
            let mut changes: Vec<Change> = Vec::new();
            let mut held = 0;
            let most = self.session.cache.most_bytes();
            for entry in entries {
                // What is no event was said when it was read forwards, or never concerned us.
                let Some(event) = entry.event else { continue };
                let Ok(change) = Change::read(&event, &self.session.config.memcached, most) else {
                    continue;
                };
                if self.number_fault(&change)?.is_some() {
                    continue;
                }
                let last = reached.entry(change.profile.clone()).or_default();
                *last = change.sequence.max(*last);
                held += change.value_bytes();
                changes.push(change);
                if held >= HELD {
                    let changes = std::mem::take(&mut changes);
                    records += self.fill_with(empty, changes, &mut met, &mut others)?;
                    held = 0;
                }
            }
            records += self.fill_with(empty, changes, &mut met, &mut others)?;
            self.session.report.progress("filling", done, Some(all))?;
        }
    }

    /// Writes those records of these changes, newest first, that were not met before; how many have
    /// a value.
    fn fill_with(
        &mut self,
        empty: &[usize],
        changes: Vec<Change>,
        met: &mut HashSet<Mark>,
        others: &mut HashMap<Mark, Target>,
    ) -> Result<usize, Interruption> {
        // What changes hands meanwhile has the servers filled once more.
        let owned = match self.session.owned(&changes)? {
            Some(owned) => owned,
            None => self.session.owned(&changes)?.unwrap_or_default(),
        };
        let mut targets: Vec<Target> = Vec::new();
        for (change, is_owned) in changes.into_iter().zip(owned) {
            let Some(target) = change.target else { continue };
            if !is_owned {
                // A server that is filled because an origin has changed hands holds what the
                // former owner had.
                others.entry(mark(&target.name)).or_insert(Target {
                    value: None,
                    refused: None,
                    ..target
                });
            } else if empty.contains(&self.session.cache.server_of(&target.name))
                && met.insert(mark(&target.name))
            {
                targets.push(target);
            }
        }
        self.session.put_newest(targets.iter())?;
        Ok(targets.iter().filter(|target| target.value.is_some()).count())
    }
}

fn mark(name: &str) -> Mark {
    let digest = Sha256::digest(name.as_bytes());
    let mut mark = Mark::default();
    mark.iter_mut()
        .zip(digest.iter())
        .for_each(|(to, from)| *to = *from);
    mark
}
