//! Events that were gone from the stream before they were read: cut off (`redis.max_stream_length`, `XTRIM`), or forgotten by a Redis whose
//! host no longer has them either.
//!
//! Each profile numbers its events without a hole. Those that are missing between what its first server in Memcached has and what comes
//! next are told when that comes, unless the host itself says that it has left them out. But nothing may come: the profile's last events are gone, and its browser is closed. So when all that
//! there is has been read, the number of entries that there have been says whether any was missed, and then what each host
//! says to have put into the stream (its cursor) says which.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
};

use serde_json::json;

use super::{CURE_GAP, Change, End, Standing, Stop, Stream, is_profile};
use crate::sinks;

/// How many keys of Redis are looked through at once for cursors.
const SCAN: &str = "1000";

/// What is known to be missing, or suspected.
#[derive(Default)]
pub(super) struct Lost {
    /// The group has been at the stream's end since it was joined.
    arrived: bool,
    /// Up to which event the stream has had everything of each profile, as it was before all was read once more.
    had: Option<HashMap<String, Cursor>>,
    /// The last event of each profile that was said to be missing.
    told: HashMap<String, u64>,
}

/// What a host says of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The last event that it has put into it.
    pub number: u64,
    /// Up to which event it is giving it again what it lost, or was.
    pub again: Option<u64>,
}

/// The numbers that are missing in what comes of a profile.
#[derive(Default)]
struct Holes {
    /// The number before the next.
    last: Option<u64>,
    ranges: Vec<(u64, u64)>,
    missing: u64,
    /// How many of them the host has left out and said so.
    left_out: u64,
}

impl Holes {
    fn meet(&mut self, change: &Change) {
        let Change {
            sequence, left_out, ..
        } = *change;
        if let Some(last) = self.last
            && sequence <= last
        {
            return;
        }
        if let Some(last) = self.last
            && sequence > last + 1
        {
            self.ranges.push((last + 1, sequence - 1));
            self.missing += sequence - 1 - last;
        }
        self.last = Some(sequence);
        self.left_out += left_out.saturating_sub(1);
    }
}

impl<W: Write> Stream<'_, '_, W> {
    /// At the end of the stream, as it seems: makes sure of it, and says what was missed on the way. `false` if there is more to read.
    pub(super) fn arrive(&mut self) -> Result<bool, Stop> {
        let end = self
            .group
            .end(self.session.lease, &mut self.session.redis, &self.last);
        let End::Reached { last, unread } = self.leased(end)? else {
            return Ok(false);
        };
        self.last = last;
        if let Some(had) = self.lost.had.take() {
            self.tell_what_never_came(had)?;
        }
        // A server that does not count is asked once.
        let suspected = unread.map_or(!self.lost.arrived, |unread| unread > 0);
        self.lost.arrived = true;
        if suspected {
            let had = self.cursors();
            self.lost.had = Some(self.asked(had)?);
            // Whatever is in the stream of that is read first.
            return Ok(false);
        }
        Ok(true)
    }

    /// What the hosts of all profiles say of the stream.
    pub(super) fn cursors(&mut self) -> Result<HashMap<String, Cursor>, redis::RedisError> {
        let prefix = sinks::redis::cursor_key(Some(self.group.stream()), "");
        let mut names: Vec<String> = Vec::new();
        let mut from = "0".to_owned();
        loop {
            let (next, found): (String, Vec<String>) = redis::cmd("SCAN")
                .arg(&from)
                .arg("MATCH")
                .arg(format!("{}*", protocol::name::literally(&prefix)))
                .arg("COUNT")
                .arg(SCAN)
                .query(&mut self.session.redis)?;
            names.extend(found);
            if next == "0" {
                break;
            }
            from = next;
        }
        let mut cursors = HashMap::new();
        for name in names {
            let Some(profile) = name.strip_prefix(&prefix).filter(|profile| is_profile(profile)) else {
                continue;
            };
            let (number, again): (Option<u64>, Option<u64>) = redis::cmd("MGET")
                .arg(&name)
                .arg(format!("{name}:again"))
                .query(&mut self.session.redis)?;
            if let Some(number) = number {
                cursors.insert(profile.to_owned(), Cursor { number, again });
            }
        }
        Ok(cursors)
    }

    /// All that these hosts had put into the stream was read, or cannot be read any more.
    fn tell_what_never_came(&mut self, had: HashMap<String, Cursor>) -> Result<(), Stop> {
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
                self.tell_gap(&profile, offset + 1, cursor.number)?;
                // It is said once, and who compares does not take them for events that are on their way.
                let fence = self.session.fence(home)?;
                let reached = HashMap::from([(profile.as_str(), cursor.number)]);
                self.session.cache.note(home, &standing, &reached, fence)?;
            }
        }
        Ok(())
    }

    /// Says which numbers are missing between what a profile's first server knows and what comes now.
    pub(super) fn tell_gaps(&mut self, changes: &[Change], standings: &[Standing]) -> Result<(), Stop> {
        let mut profiles: BTreeMap<&str, Holes> = BTreeMap::new();
        for change in changes {
            let home = self.session.cache.home_of(&change.profile);
            let holes = profiles.entry(&change.profile).or_insert_with(|| Holes {
                last: standings
                    .get(home)
                    .and_then(|standing| standing.offset(&change.profile)),
                ..Holes::default()
            });
            holes.meet(change);
        }
        for (profile, holes) in profiles {
            if holes.missing <= holes.left_out {
                self.tell_left_out(profile, &holes)?;
                continue;
            }
            for (first, last) in holes.ranges {
                self.tell_gap(profile, first, last)?;
            }
        }
        Ok(())
    }

    /// Says that the host has left out events, if it has. The values of the records follow, so this is nothing to worry about.
    fn tell_left_out(&mut self, profile: &str, holes: &Holes) -> Result<(), Stop> {
        let Some((_, last)) = holes.ranges.last() else {
            return Ok(());
        };
        if self.lost.told.get(profile) >= Some(last) {
            return Ok(());
        }
        self.lost.told.insert(profile.to_owned(), *last);
        let events = holes.missing;
        Ok(self.session.report.tell(
            "left_out",
            format_args!(
                "{events} events of profile {profile} were left out by its host, whose journal was full; what their records hold follows"
            ),
            json!({"profile": profile, "events": events}),
        )?)
    }

    /// Says that these events never came, those of them that it has not been said of; often there are none.
    fn tell_gap(&mut self, profile: &str, first: u64, last: u64) -> Result<(), Stop> {
        let first = self
            .lost
            .told
            .get(profile)
            .map_or(first, |told| first.max(told + 1));
        if first > last {
            return Ok(());
        }
        self.lost.told.insert(profile.to_owned(), last);
        self.session.tell_gap(profile, first, last, CURE_GAP)
    }
}
