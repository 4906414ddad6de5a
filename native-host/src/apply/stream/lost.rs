//! Events that were gone from the stream before they were read: cut off (`redis.max_stream_length`,
//! `XTRIM`), or forgotten by a Redis whose host no longer has them either.
//!
//! Each profile numbers its events without a hole. Events missing between the cursor in the
//! profile's first Memcached server and the next event are reported with that event, unless the
//! host itself says that it has left them out. But none may follow: the profile's last events are
//! lost, and its browser is closed. So when the whole stream has been read, the number of entries
//! that there have been says whether any was missed, and then what each host says to have put into
//! the stream (its cursor) says which.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Change, End, FIX_GAP, Interruption, ServerStatus, Stream};
use crate::{
    apply::cursor::{Cursor, cursors},
    timing,
};

/// What is known to be missing, or suspected.
#[derive(Default)]
pub(super) struct Lost {
    /// The group has been at the stream's end since it was joined.
    arrived: bool,
    /// Up to which event the stream has had everything of each profile, as it was before all was
    /// read once more.
    had: Option<HashMap<String, Cursor>>,
    /// The last event of each profile that was looked at.
    looked_at: HashMap<String, u64>,
    /// What is missing of each profile, and was not said yet.
    holes: BTreeMap<String, Holes>,
}

/// The numbers that are missing in what came of a profile.
#[derive(Debug, Serialize, Deserialize)]
struct Holes {
    #[serde(skip, default = "Instant::now")]
    since: Instant,
    ranges: Vec<(u64, u64)>,
    /// How many these are.
    missing: u64,
    /// How many the host has left out and said so.
    left_out: u64,
}

impl<W: Write> Stream<'_, '_, W> {
    /// At the end of the stream, as it seems: makes sure of it, and says what was missed on the
    /// way. `false` if there is more to read.
    pub(super) fn arrive(&mut self) -> Result<bool, Interruption> {
        let end = self
            .group
            .end(self.session.lease, &mut self.session.redis, &self.last);
        let End::Reached { last, unread } = self.leased(end)? else {
            return Ok(false);
        };
        self.last = last;
        self.decide_what_is_old()?;
        if let Some(had) = self.lost.had.take() {
            self.tell_what_never_came(had)?;
        }
        // A server that does not count is asked once.
        let suspected = unread.map_or(!self.lost.arrived, |unread| unread > 0);
        self.lost.arrived = true;
        if suspected {
            self.lost.had = Some(self.cursors()?);
            // The events up to these cursors that the stream still has are read first.
            return Ok(false);
        }
        Ok(true)
    }

    /// What the hosts of all profiles say of the stream.
    pub(super) fn cursors(&mut self) -> Result<HashMap<String, Cursor>, Interruption> {
        let cursors = cursors(&mut self.session.redis, self.group.stream());
        self.asked(cursors)
    }

    /// All that these hosts had put into the stream was read, or cannot be read any more.
    fn tell_what_never_came(&mut self, had: HashMap<String, Cursor>) -> Result<(), Interruption> {
        for (profile, cursor) in had {
            let home = self.session.cache.home_of(&profile);
            let standing = self
                .session
                .cache
                .standing(home, std::iter::once(profile.as_str()))?;
            // What a server that was just filled lacks was said then.
            let Some(offset) = standing.offset(&profile) else {
                continue;
            };
            if standing.filled && offset < cursor.number {
                self.session
                    .report
                    .gap(&profile, offset + 1, cursor.number, FIX_GAP)?;
                // It is said once, and who compares does not take them for events that are on their
                // way.
                let fence = self.session.fence(home)?;
                let reached = HashMap::from([(profile.as_str(), cursor.number)]);
                self.session.cache.note(home, &standing, &reached, fence)?;
            }
        }
        Ok(())
    }

    /// Notes which numbers are missing between what a profile's first server knows and what comes
    /// now, and says so if the host has not left them out. It leaves out all events of records up
    /// to a point, and says so where each store's last one was; in between there can be events that
    /// are about a store. So what is missing is decided when the next event of a record comes.
    /// Until then it is noted in Redis, for who comes after us.
    pub(super) fn note_holes(
        &mut self,
        changes: &[Change],
        standings: &[ServerStatus],
    ) -> Result<(), Interruption> {
        let mut reached: HashMap<&str, Option<u64>> = HashMap::new();
        let mut is_new = false;
        for change in changes {
            let home = self.session.cache.home_of(&change.profile);
            let last = reached.entry(&change.profile).or_insert_with(|| {
                let known = standings
                    .get(home)
                    .and_then(|standing| standing.offset(&change.profile));
                // Not once more what is looked at again.
                let looked_at = self.lost.looked_at.get(&change.profile).copied();
                known.map(|known| known.max(looked_at.unwrap_or(0)))
            });
            let before = last.replace(last.unwrap_or(0).max(change.sequence));
            let Some(before) = before.filter(|before| change.sequence > *before) else {
                continue;
            };
            let missing = change.sequence - 1 - before;
            let left_out = change.left_out.saturating_sub(1);
            if missing > 0 || left_out > 0 {
                let holes = self
                    .lost
                    .holes
                    .entry(change.profile.clone())
                    .or_insert_with(|| Holes {
                        since: Instant::now(),
                        ranges: Vec::new(),
                        missing: 0,
                        left_out: 0,
                    });
                if missing > 0 {
                    holes.ranges.push((before + 1, change.sequence - 1));
                }
                // A writer to the stream can claim any number.
                holes.missing = holes.missing.saturating_add(missing);
                holes.left_out = holes.left_out.saturating_add(left_out);
                is_new = true;
            }
            if change.target.is_some()
                && let Some(holes) = self.lost.holes.remove(&change.profile)
            {
                self.decide(&change.profile, holes)?;
                is_new = true;
            }
        }
        for (profile, last) in reached {
            self.lost.looked_at.insert(profile.to_owned(), last.unwrap_or(0));
        }
        if is_new { self.keep_holes() } else { Ok(()) }
    }

    fn keep_holes(&mut self) -> Result<(), Interruption> {
        let key = self.session.lease.holes_key();
        let text = serde_json::to_string(&self.lost.holes).unwrap_or_default();
        let command: &[&str] = if self.lost.holes.is_empty() {
            &["DEL", &key]
        } else {
            &["SET", &key, &text]
        };
        let kept = self.session.lease.run(&mut self.session.redis, command);
        self.leased(kept).map(|_| ())
    }

    /// Takes over what the process before us has noted and not said.
    pub(super) fn recall_holes(&mut self) -> Result<(), Interruption> {
        let key = self.session.lease.holes_key();
        let holes = redis::cmd("GET").arg(&key).query(&mut self.session.redis);
        let holes: Option<String> = self.asked(holes)?;
        self.lost.holes = holes
            .and_then(|holes| serde_json::from_str(&holes).ok())
            .unwrap_or_default();
        Ok(())
    }

    /// At the stream's end: nothing comes any more that could say that the host has left out what
    /// is missing.
    fn decide_what_is_old(&mut self) -> Result<(), Interruption> {
        let (old, young): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.lost.holes)
            .into_iter()
            .partition(|(_, holes)| holes.since.elapsed() > timing::apply::UNDECIDED);
        self.lost.holes = young;
        if old.is_empty() {
            return Ok(());
        }
        for (profile, holes) in old {
            self.decide(&profile, holes)?;
        }
        self.keep_holes()
    }

    fn decide(&mut self, profile: &str, holes: Holes) -> Result<(), Interruption> {
        if holes.missing <= holes.left_out {
            return self.tell_left_out(profile, &holes);
        }
        for (first, last) in holes.ranges {
            self.session.report.gap(profile, first, last, FIX_GAP)?;
        }
        Ok(())
    }

    /// Says that the host has left out events, if it has. The values of the records follow, so this
    /// is nothing to worry about.
    fn tell_left_out(&mut self, profile: &str, holes: &Holes) -> Result<(), Interruption> {
        if holes.missing == 0 {
            return Ok(());
        }
        let events = holes.missing;
        Ok(self.session.report.print(
            "left_out",
            format_args!(
                "{events} events of profile {profile} were left out by its host, whose journal was full; what their records hold follows"
            ),
            json!({"profile": profile, "events": events}),
        )?)
    }
}
