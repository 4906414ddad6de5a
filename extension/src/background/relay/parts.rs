//! The bytes that are held: parts of deliveries until the last one has come, and whole deliveries
//! until the host has them.
//!
//! Invariants: one bound holds for all bytes together, of all documents, open or closed; a delivery
//! of which no part comes holds no room that another one needs; an origin gives way to those that
//! hold less, never to those that hold more; what gives way is named in a gap.

use std::{cmp::Reverse, collections::BTreeMap};

use protocol::{
    body::MAX_BODY,
    wire::bridge::{MAX_PART_UNITS, MAX_SEQUENCE, Part, ToBridge},
};

use super::{Action, Alarm, Relay, to_bridge};
use crate::{
    background::{
        bridges::Standing,
        outbox::{Content, part_size},
    },
    timing,
};

/// How many bytes of deliveries the background holds at most, whole ones and parts, of open
/// documents and closed ones. The largest single one fits.
pub(super) const MAX_HELD: usize = if cfg!(test) { 32 } else { 384 } * 1024 * 1024;

/// How many bytes may be held beyond that of deliveries no longer than [`NOTE`]: a gap in the place
/// of another one has room.
const RESERVE: usize = MAX_HELD / 8;

/// See [`RESERVE`].
pub(super) const NOTE: usize = 4096;

/// The longest body that is taken.
const LONGEST: usize = if cfg!(test) { 24 * 1024 * 1024 } else { MAX_BODY };

/// The longest body or part in one message, in bytes. What bridges send has [`MAX_PART_UNITS`] at
/// most.
pub(super) const LONGEST_MESSAGE: usize = 3 * MAX_PART_UNITS;

/// How many alarms in a row may find no new part.
const STILL_ALARMS: u8 = 2;

impl Relay {
    /// A part of a long delivery has come.
    pub(super) fn take_part(&mut self, port: u32, slice: Part<'_>) {
        let (sequence, index, count) = (slice.sequence, slice.index, slice.count);
        let Some(bridge) = self.bridges.note_message(port) else {
            return;
        };
        if bridge.waits_for_earlier(sequence) {
            return;
        }
        if index == 0 {
            bridge.drop_parts();
            bridge.parts_of = sequence;
            bridge.turned_away = None;
        }
        if bridge.turned_away == Some(sequence)
            || bridge.standing == Standing::Refused
            || sequence > MAX_SEQUENCE
        {
            return;
        }
        let size = part_size(&slice.text);
        let is_next = bridge.parts_of == sequence && u32::try_from(bridge.parts.len()) == Ok(index);
        let is_too_long = bridge.part_bytes + size > LONGEST || slice.text.len() > LONGEST_MESSAGE;
        if !slice.text.is_empty() {
            bridge.still_alarms = 0;
        }
        let origin = bridge.page().origin.to_string();
        // A part of another delivery, or one that does not follow: together they are no text.
        if !is_next || is_too_long || !self.make_room(&origin, size) {
            return self.refuse_delivery(port, sequence);
        }
        let Some(bridge) = self.bridges.note_message(port) else {
            return;
        };
        bridge.part_bytes += size;
        bridge.parts.push(slice.text.into_owned());
        if index.checked_add(1) == Some(count) {
            bridge.part_bytes = 0;
            let parts = Content::Parts(std::mem::take(&mut bridge.parts));
            return self.take(port, vec![(sequence, parts)]);
        }
        if !std::mem::replace(&mut self.watches_parts, true) {
            self.watch_parts();
        }
    }

    /// There is no room for a delivery: its document is notified, and drops it for a gap.
    pub(super) fn refuse_delivery(&mut self, port: u32, sequence: u64) {
        if let Some(bridge) = self.bridges.get_mut(port) {
            bridge.drop_parts();
            bridge.turned_away = Some(sequence);
            // It says when the gap is sent.
            bridge.writing = true;
            self.actions
                .extend(to_bridge(port, &ToBridge::TooMuch { sequence }));
        }
    }

    /// Whether there is room for so many bytes more of an origin, once all has given way that can:
    /// the origin that holds most comes first.
    pub(super) fn make_room(&mut self, origin: &str, size: usize) -> bool {
        if self.held() + size <= MAX_HELD {
            return true;
        }
        for (port, sequence) in self.bridges.still(STILL_ALARMS) {
            self.refuse_delivery(port, sequence);
        }
        let mut by_size: Vec<(String, usize)> = self.held_with(origin, size).into_iter().collect();
        by_size.sort_by_key(|(_, bytes)| Reverse(*bytes));
        for (largest, _) in by_size {
            if self.held() + size <= MAX_HELD {
                break;
            }
            self.drop_of_closed(&largest, size);
            if largest == origin {
                break;
            }
            self.turn_away_open(&largest, size);
        }
        let reserve = if size <= NOTE { RESERVE } else { 0 };
        self.held() + size <= MAX_HELD + reserve
    }

    /// How many bytes are held of each origin, if that many more were of this one.
    fn held_with(&self, origin: &str, size: usize) -> BTreeMap<String, usize> {
        let mut held = BTreeMap::from([(origin.to_owned(), size)]);
        let parts = self.bridges.part_bytes_by_origin();
        for (of, bytes) in self.outbox.bytes_by_origin().chain(parts) {
            *held.entry(of.to_owned()).or_default() += bytes;
        }
        held
    }

    /// What closed documents of an origin have left gives way to so many bytes.
    fn drop_of_closed(&mut self, origin: &str, size: usize) {
        // More than is needed, so that the next delivery finds room.
        let limit = (MAX_HELD - RESERVE).saturating_sub(self.bridges.part_bytes() + size);
        let open = self.bridges.contexts();
        self.outbox
            .shrink(origin, limit, |context| open.contains(context));
    }

    /// What open documents of an origin have sent gives way to so many bytes: they are notified,
    /// and send a gap in its place.
    fn turn_away_open(&mut self, origin: &str, size: usize) {
        while self.held() + size > MAX_HELD
            && let Some((port, sequence)) = self.bridges.longest_part_of(origin)
        {
            self.refuse_delivery(port, sequence);
        }
        let open = self.bridges.contexts();
        while self.held() + size > MAX_HELD
            && let Some((context, sequence)) =
                self.outbox.drop_largest(origin, |context| open.contains(context))
        {
            let ports: Vec<u32> = self.bridges.ports_of(&context).collect();
            for port in ports {
                self.refuse_delivery(port, sequence);
            }
        }
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.outbox.bytes() + self.bridges.part_bytes()
    }

    fn watch_parts(&mut self) {
        self.actions.push(Action::Wake {
            alarm: Alarm::Parts,
            after: timing::STILL,
        });
    }

    /// An alarm after [`timing::STILL`]: counts for each delivery that is not whole that no part
    /// came.
    pub(super) fn count_still_parts(&mut self) {
        self.watches_parts = self.bridges.count_still();
        if self.watches_parts {
            self.watch_parts();
        }
    }
}
