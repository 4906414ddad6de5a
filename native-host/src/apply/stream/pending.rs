//! What is applied together: what consumers were given and have not finished, or the events of
//! whole transactions.
//!
//! What consumers have not finished is applied as one batch, of each record only the newest: in
//! smaller steps a record that the process before us had brought up to date already could go back.
//! There is no more of it than a process reads at once, unless another kind of consumer was given
//! it; so values are held only up to a bound, and those beyond are read again when they are
//! written. The record's name and the event's number are held of each.

use std::{collections::HashMap, io::Write};

use serde_json::json;

use super::{
    super::open_transactions::OpenTransactions, Change, Entry, FIX_GAP, Interruption, Stream, Target,
};

/// How many bytes of values are held.
pub(super) const HELD: usize = 4 * 1024 * 1024;

/// How many events are held until their transactions are whole: more than any that is not of a
/// test.
const TRANSACTION: usize = 256 * 1024;

/// What is applied together.
#[derive(Default)]
pub(super) struct PendingChanges {
    /// The entries, oldest first.
    pub ids: Vec<String>,
    pub changes: Vec<Change>,
    open: OpenTransactions,
    /// Which of the changes is a record's newest.
    newest: HashMap<(String, String), usize>,
    /// How many bytes of values these have.
    held: usize,
}

impl PendingChanges {
    /// Whether something of a transaction is missing, and it is worth waiting for.
    pub(super) fn goes_on(&self) -> bool {
        self.open.are_worth_waiting_for() && self.ids.len() < TRANSACTION
    }

    fn push(&mut self, mut change: Change, id: &str) {
        self.open.note(&change);
        if let Some(target) = &mut change.target {
            // Of each profile: which of them may be written is not known yet.
            let of = (change.profile.clone(), target.name.clone());
            let older = self.newest.insert(of, self.changes.len());
            let older = older.and_then(|index| self.changes.get_mut(index)?.target.as_mut()?.value.take());
            self.held -= older.map_or(0, |value| value.len());
            let length = target.value.as_ref().map_or(0, String::len);
            if self.held > 0 && self.held + length > HELD {
                target.value = None;
                target.lies_in = Some(id.to_owned());
            } else {
                self.held += length;
            }
        }
        self.changes.push(change);
    }
}

impl<W: Write> Stream<'_, '_, W> {
    /// Takes entries in hand.
    pub(super) fn add_entries(
        &mut self,
        pending: &mut PendingChanges,
        entries: Vec<Entry>,
    ) -> Result<(), Interruption> {
        for entry in entries {
            if let Some(change) = self.read(&entry)? {
                pending.push(change, &entry.id);
            }
            pending.ids.push(entry.id);
        }
        Ok(())
    }

    /// Claims all that consumers were given and have not finished.
    pub(super) fn claim_pending(&mut self) -> Result<PendingChanges, Interruption> {
        let mut pending = PendingChanges::default();
        let (mut gone, mut next) = (0, Some("0-0".to_owned()));
        while let Some(from) = next {
            self.session.go_on()?;
            let claimed = self
                .group
                .claim(self.session.lease, &mut self.session.redis, &from);
            let claimed = self.leased(claimed)?;
            self.add_entries(&mut pending, claimed.entries)?;
            gone += claimed.gone;
            next = claimed.next;
        }
        if gone > 0 {
            self.report_trimmed(gone)?;
        }
        Ok(pending)
    }

    fn report_trimmed(&mut self, events: usize) -> Result<(), Interruption> {
        Ok(self.session.report.print(
            "trimmed",
            format_args!(
                "{events} events that were under way are no longer in the stream; what they changed may be stale in \
                 Memcached"
            ),
            json!({"events": events, "fix": FIX_GAP}),
        )?)
    }

    /// Brings records to hold what the last of their targets says, wherever its value is.
    pub(super) fn put_newest(&mut self, targets: &[&Target]) -> Result<(), Interruption> {
        let mut newest: HashMap<&str, &Target> = HashMap::new();
        for target in targets {
            newest.insert(&target.name, target);
        }
        let mut elsewhere: Vec<&str> = newest
            .values()
            .filter_map(|target| target.lies_in.as_deref())
            .collect();
        elsewhere.sort_unstable();
        let here = newest.into_values().filter(|target| target.lies_in.is_none());
        self.session.put_newest(here)?;
        let mut rest = &*elsewhere;
        while !rest.is_empty() {
            self.session.go_on()?;
            // Large ones may need a while each.
            self.session.keep()?;
            let found = self
                .group
                .again(self.session.lease, &mut self.session.redis, rest);
            let (looked, entries) = self.asked(found)?;
            let gone = looked.saturating_sub(entries.len());
            if gone > 0 {
                self.report_trimmed(gone)?;
            }
            let most = self.session.cache.most_bytes();
            let (mut again, mut held) = (Vec::new(), 0);
            for entry in entries {
                let Some(event) = entry.event else { continue };
                let Ok(change) = Change::read(&event, &self.session.config.memcached, most) else {
                    continue;
                };
                held += change.value_bytes();
                again.extend(change.target);
                if held >= HELD {
                    self.session.put_newest(again.iter())?;
                    (again, held) = (Vec::new(), 0);
                }
            }
            self.session.put_newest(again.iter())?;
            rest = rest.get(looked..).unwrap_or_default();
        }
        Ok(())
    }
}
