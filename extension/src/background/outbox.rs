//! The deliveries that the host does not have on disk yet, in the order in which they came.
//!
//! Invariants: an entry leaves by an acknowledgement, because its origin is not enabled, or for
//! want of memory, and then a gap takes its place; what is on its way to the host is bounded for
//! each origin, a single larger one travels alone, so no origin waits for another one's
//! acknowledgement; the entries of a context stay in order.

use std::collections::{BTreeMap, HashMap, VecDeque};

use protocol::{body::is_reading, json, wire::host::Page};
use serde_json::value::RawValue;

mod lost;

use lost::Lost;

/// How many bytes of an origin may be on their way to the host unacknowledged.
pub const HOST_WINDOW: usize = 16 * 1024 * 1024;

/// What a delivery counts for in it at least, however short: the host applies all origins'
/// deliveries in one order, and a short one may cost it much. So few of an origin stand before
/// what another one sends.
const SMALLEST_SHARE: usize = HOST_WINDOW / 256;

/// What an entry takes beside its content.
const OVERHEAD: usize = 512;

/// How often the host may name a delivery in an error until a gap takes its place.
const CHANCES: u8 = 2;

/// The body of a delivery, as its document sent it.
#[derive(Debug)]
pub enum Content {
    /// In one piece.
    Whole(Box<RawValue>),
    /// All its parts.
    Parts(Vec<String>),
}

/// Why the background leaves a delivery out.
#[derive(Debug, Clone, Copy)]
pub enum Reason {
    /// The background has failed on it, or the host has refused it.
    FailedTwice,
    /// It nests too deep.
    TooDeep,
    /// It is no JSON: the page made it itself.
    NoJson,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::FailedTwice => "the extension failed on it, twice",
            Self::TooDeep => "it nests too deep",
            Self::NoJson => "it is no JSON",
        }
    }
}

/// What a part takes beside its text.
const PART_OVERHEAD: usize = 64;

impl Content {
    /// A body as it came; the gap in its place if it is no JSON.
    pub fn of(body: String) -> Self {
        if let Ok(raw) = json::read::<&RawValue>(&body) {
            return Self::Whole(raw.to_owned());
        }
        let instead = Self::Parts(vec![body]).instead(Reason::NoJson);
        // Whole: it has to find room, as any body.
        json::read::<&RawValue>(&instead).map_or_else(
            |_| Self::Parts(vec![instead.clone()]),
            |gap| Self::Whole(gap.to_owned()),
        )
    }

    /// What is sent in its place. It is not looked into but for its first letters.
    #[must_use]
    pub fn left_out(&self, reason: Reason) -> Self {
        Self::Parts(vec![self.instead(reason)])
    }

    /// The body that is sent in its place. For a commit the host has the origin's stores read
    /// again; of what was read nothing is missing, and another reading would fare no better.
    pub fn instead(&self, reason: Reason) -> String {
        let reason = reason.text();
        if self.is_reading() {
            format!(r#"{{"skipped":{{"reason":"{reason}"}}}}"#)
        } else {
            format!(r#"{{"gap":{{"reason":"a delivery was left out: {reason}","stores":[]}}}}"#)
        }
    }

    /// Whether it says what was read, by its first letters.
    pub fn is_reading(&self) -> bool {
        is_reading(match self {
            Self::Whole(body) => body.get(),
            Self::Parts(parts) => parts.first().map_or("", String::as_str),
        })
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Whole(body) => body.get().len(),
            Self::Parts(parts) => parts.iter().map(|part| part_size(part)).sum(),
        }
    }
}

/// How many bytes a part takes. Empty ones take some, too.
pub fn part_size(part: &str) -> usize {
    part.len() + PART_OVERHEAD
}

/// A delivery for the host.
#[derive(Debug)]
pub struct Entry {
    /// The document's id.
    pub context: String,
    /// The document, as the browser reported it.
    pub page: Page<'static>,
    /// When it came, another document of the origin may have committed and not have sent that yet.
    pub may_overtake: bool,
    /// The delivery's number.
    pub sequence: u64,
    /// The body. It is redacted when it leaves, by the rules of that moment.
    pub content: Content,
}

/// An entry and what has become of it.
#[derive(Debug)]
struct Held {
    entry: Entry,
    is_sent: bool,
    /// How often the host has named it in an error.
    errors: u8,
}

impl Held {
    fn size(&self) -> usize {
        self.entry.content.size()
    }

    /// What it counts for on its way.
    fn share(&self) -> usize {
        self.size().max(SMALLEST_SHARE)
    }
}

/// What waits of one origin.
#[derive(Debug, Default)]
struct Lane {
    /// The arrivals of the entries that are not sent. Some of them may be gone.
    unsent: VecDeque<u64>,
    /// How many bytes are on their way.
    in_flight: usize,
    /// How many bytes all entries of the origin take, with what is kept beside them.
    bytes: usize,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Outbox {
    /// By their order of arrival.
    entries: BTreeMap<u64, Held>,
    /// Each context's entries: (sequence, arrival).
    contexts: HashMap<String, VecDeque<(u64, u64)>>,
    /// By origin.
    lanes: BTreeMap<String, Lane>,
    arrivals: u64,
    /// How many bytes all entries take.
    bytes: usize,
    /// By origin: the entry that stands for others, which were dropped, and what they were about.
    lost: BTreeMap<String, (u64, Lost)>,
}

impl Outbox {
    /// Takes a delivery; one that is here already is left out.
    pub fn push(&mut self, entry: Entry) {
        let context = self.contexts.entry(entry.context.clone()).or_default();
        if let Some(&(sequence, _)) = context.back()
            && entry.sequence <= sequence
        {
            return;
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        context.push_back((entry.sequence, arrival));
        self.bytes += entry.content.size() + OVERHEAD;
        let lane = match self.lanes.get_mut(&*entry.page.origin) {
            Some(lane) => lane,
            None => self.lanes.entry(entry.page.origin.to_string()).or_default(),
        };
        lane.unsent.push_back(arrival);
        lane.bytes += entry.content.size() + OVERHEAD;
        let held = Held {
            entry,
            is_sent: false,
            errors: 0,
        };
        self.entries.insert(arrival, held);
    }

    /// Whether deliveries of this context wait.
    pub fn holds_of(&self, context: &str) -> bool {
        self.contexts.get(context).is_some_and(|held| !held.is_empty())
    }

    /// Whether deliveries of another origin wait under the name of this context.
    pub fn holds_of_another(&self, context: &str, origin: &str) -> bool {
        let held = self.contexts.get(context).and_then(VecDeque::front);
        held.and_then(|(_, arrival)| self.entries.get(arrival))
            .is_some_and(|held| held.entry.page.origin != origin)
    }

    /// How many deliveries are not on disk yet.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many bytes they take, with what is kept beside them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes the deliveries of each origin take.
    pub fn bytes_by_origin(&self) -> impl Iterator<Item = (&str, usize)> {
        self.lanes
            .iter()
            .map(|(origin, lane)| (origin.as_str(), lane.bytes))
    }

    /// Whether all are.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The next delivery, if one may be sent now: the oldest one of the origins that may have more
    /// on their way.
    pub fn next_to_send(&mut self) -> Option<&Entry> {
        let mut next: Option<(u64, &mut Lane)> = None;
        for lane in self.lanes.values_mut() {
            while let Some(arrival) = lane.unsent.front()
                && !self.entries.contains_key(arrival)
            {
                lane.unsent.pop_front();
            }
            if let Some(&arrival) = lane.unsent.front()
                && let Some(held) = self.entries.get(&arrival)
                && (lane.in_flight == 0 || lane.in_flight + held.share() <= HOST_WINDOW)
                && next.as_ref().is_none_or(|(oldest, _)| arrival < *oldest)
            {
                next = Some((arrival, lane));
            }
        }
        let (arrival, lane) = next?;
        let held = self.entries.get_mut(&arrival)?;
        lane.unsent.pop_front();
        lane.in_flight += held.share();
        held.is_sent = true;
        Some(&held.entry)
    }

    /// The host has all deliveries of the context up to this one.
    pub fn acknowledge(&mut self, context: &str, up_to: u64) {
        let Some(held) = self.contexts.get_mut(context) else {
            return;
        };
        let mut arrivals = Vec::new();
        while let Some(&(sequence, arrival)) = held.front()
            && sequence <= up_to
        {
            held.pop_front();
            arrivals.push(arrival);
        }
        if held.is_empty() {
            self.contexts.remove(context);
        }
        for arrival in arrivals {
            self.remove(arrival);
        }
    }

    /// A new host: all that was in transit is sent again.
    pub fn rewind(&mut self) {
        self.lanes.clear();
        for (arrival, held) in &mut self.entries {
            held.is_sent = false;
            let lane = self.lanes.entry(held.entry.page.origin.to_string()).or_default();
            lane.unsent.push_back(*arrival);
            lane.bytes += held.size() + OVERHEAD;
        }
    }

    /// The host has named a delivery in an error. One that it does not acknowledge either would
    /// stand in front of all others of its origin: the second time a gap takes its place.
    pub fn note_error(&mut self, context: &str, sequence: u64) {
        let held = self.contexts.get(context).into_iter().flatten();
        let Some(&(_, arrival)) = held.into_iter().find(|(number, _)| *number == sequence) else {
            return;
        };
        let Some(held) = self.entries.get_mut(&arrival) else {
            return;
        };
        held.errors = held.errors.saturating_add(1);
        if held.errors == CHANCES {
            let instead = held.entry.content.left_out(Reason::FailedTwice);
            self.replace(arrival, instead);
            // The host has what was sent behind it, and misses only this number.
            if let Some(held) = self.entries.get_mut(&arrival)
                && let Some(lane) = self.lanes.get_mut(&*held.entry.page.origin)
                && std::mem::take(&mut held.is_sent)
            {
                lane.in_flight -= held.share();
                lane.unsent.push_front(arrival);
            }
        }
    }

    /// Drops what comes from origins that are not allowed.
    pub fn retain(&mut self, allowed: impl Fn(&str) -> bool) {
        let unwanted: Vec<String> = self
            .entries
            .values()
            .filter(|held| !allowed(&held.entry.page.origin))
            .map(|held| held.entry.context.clone())
            .collect();
        for context in unwanted {
            self.forget(&context);
        }
    }

    /// Drops everything of a context.
    pub fn forget(&mut self, context: &str) {
        for (_, arrival) in self.contexts.remove(context).unwrap_or_default() {
            self.remove(arrival);
        }
    }

    /// Drops what closed documents of an origin have left, oldest first, until no more than this is
    /// held. One gap stands in its place, which names the stores.
    pub fn shrink(&mut self, origin: &str, limit: usize, is_open: impl Fn(&str) -> bool) {
        let mut closed: Vec<(u64, String)> = self
            .contexts_of(origin)
            .filter(|(context, _)| !is_open(context))
            .filter_map(|(context, held)| Some((held.front()?.1, context.to_owned())))
            .collect();
        closed.sort_unstable();
        for (_, context) in closed {
            if self.bytes <= limit {
                break;
            }
            self.drop_unsent(&context);
        }
        self.forget_gone(origin);
    }

    /// Drops what is not sent of a document that is open, and has it still: of all of the origin
    /// the one with most. Its context, and the number of the first delivery that was dropped.
    pub fn drop_largest(&mut self, origin: &str, is_open: impl Fn(&str) -> bool) -> Option<(String, u64)> {
        let unsent = |held: &VecDeque<(u64, u64)>| -> Vec<(u64, u64)> {
            let is_unsent = |arrival| self.entries.get(arrival).is_some_and(|held| !held.is_sent);
            held.iter()
                .filter(|(_, arrival)| is_unsent(arrival))
                .copied()
                .collect()
        };
        let size = |(_, arrival): &(u64, u64)| self.entries.get(arrival).map_or(0, Held::size);
        let (_, context, dropped) = self
            .contexts_of(origin)
            .filter(|(context, _)| is_open(context))
            .map(|(context, held)| (context, unsent(held)))
            .map(|(context, unsent)| (unsent.iter().map(size).sum::<usize>(), context.to_owned(), unsent))
            .filter(|(bytes, ..)| *bytes > 0)
            .max()?;
        let &(first, _) = dropped.first()?;
        for (_, arrival) in dropped {
            self.remove(arrival);
        }
        if let Some(held) = self.contexts.get_mut(&context) {
            held.retain(|(_, arrival)| self.entries.contains_key(arrival));
            if held.is_empty() {
                self.contexts.remove(&context);
            }
        }
        self.forget_gone(origin);
        Some((context, first))
    }

    /// The contexts of an origin that something is held of.
    fn contexts_of(&self, origin: &str) -> impl Iterator<Item = (&str, &VecDeque<(u64, u64)>)> {
        self.contexts.iter().filter_map(move |(context, held)| {
            let (_, arrival) = held.front()?;
            (self.entries.get(arrival)?.entry.page.origin == origin).then_some((context.as_str(), held))
        })
    }

    /// Forgets the arrivals of an origin's entries that are gone.
    fn forget_gone(&mut self, origin: &str) {
        if let Some(lane) = self.lanes.get_mut(origin) {
            lane.unsent.retain(|arrival| self.entries.contains_key(arrival));
            if lane.unsent.is_empty() && lane.in_flight == 0 {
                self.lanes.remove(origin);
            }
        }
    }

    /// Drops what is not sent of a context.
    fn drop_unsent(&mut self, context: &str) {
        let Some(held) = self.contexts.get(context) else {
            return;
        };
        let unsent: Vec<u64> = held
            .iter()
            .map(|(_, arrival)| *arrival)
            .filter(|arrival| self.entries.get(arrival).is_some_and(|held| !held.is_sent))
            .collect();
        let Some(&first) = unsent.first() else { return };
        let Some(origin) = self
            .entries
            .get(&first)
            .map(|held| held.entry.page.origin.to_string())
        else {
            return;
        };
        let earlier = self.lost.remove(&origin);
        let earlier =
            earlier.filter(|(arrival, _)| self.entries.get(arrival).is_some_and(|held| !held.is_sent));
        let (stand_in, mut lost) = earlier.unwrap_or((first, Lost::default()));
        for arrival in unsent {
            if arrival == stand_in && !lost.is_empty() {
                continue;
            }
            if let Some(held) = self.entries.get(&arrival) {
                lost.add(&held.entry.content);
            }
            if arrival != stand_in {
                self.remove(arrival);
            }
        }
        if let Some(held) = self.contexts.get_mut(context) {
            held.retain(|(_, arrival)| self.entries.contains_key(arrival));
            if held.is_empty() {
                self.contexts.remove(context);
            }
        }
        self.replace(stand_in, lost.gap());
        self.lost.insert(origin, (stand_in, lost));
    }

    /// Puts another content into an entry.
    fn replace(&mut self, arrival: u64, content: Content) {
        if let Some(held) = self.entries.get_mut(&arrival) {
            let (before, share_before) = (held.size(), held.share());
            held.entry.content = content;
            let (now, share) = (held.size(), held.share());
            self.bytes = self.bytes - before + now;
            if let Some(lane) = self.lanes.get_mut(&*held.entry.page.origin) {
                lane.bytes = lane.bytes - before + now;
                if held.is_sent {
                    lane.in_flight = lane.in_flight - share_before + share;
                }
            }
        }
    }

    fn remove(&mut self, arrival: u64) {
        let Some(held) = self.entries.remove(&arrival) else {
            return;
        };
        self.bytes -= held.size() + OVERHEAD;
        let origin = &*held.entry.page.origin;
        if let Some(lane) = self.lanes.get_mut(origin) {
            lane.bytes -= held.size() + OVERHEAD;
            if held.is_sent {
                lane.in_flight -= held.share();
            }
            if lane.in_flight == 0 && lane.unsent.is_empty() {
                self.lanes.remove(origin);
            }
        }
        if self
            .lost
            .get(origin)
            .is_some_and(|(stand_in, _)| *stand_in == arrival)
        {
            self.lost.remove(origin);
        }
    }
}

#[cfg(test)]
mod tests;
