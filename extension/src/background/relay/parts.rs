//! The bytes that are held: parts of deliveries until the last one has come, and whole deliveries
//! until the host has them.
//!
//! Invariants: one bound holds for all bytes together, of all documents, open or closed; a delivery
//! of which no part comes holds no room that another one needs; what gives way is named in a gap.

use protocol::message::{MAX_SEQUENCE, Part, ToBridge};

use super::{
    Action, Alarm, Content, LONGEST, LONGEST_MESSAGE, MAX_HELD, NOTE, RESERVE, Relay, Standing, part_size,
    to_bridge,
};
use crate::timing;

/// How many alarms in a row may find no new part.
const STILL_ALARMS: u8 = 2;

impl Relay {
    /// A part of a long delivery has come.
    pub(super) fn part_came(&mut self, port: u32, slice: Part<'_>) {
        let (sequence, index, count) = (slice.sequence, slice.index, slice.count);
        let Some(bridge) = self.bridges.heard(port) else {
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
        bridge.still_alarms = 0;
        // A part of another delivery, or one that does not follow: together they are no text.
        if !is_next || is_too_long || !self.make_room(size) {
            return self.refuse_delivery(port, sequence);
        }
        let Some(bridge) = self.bridges.heard(port) else {
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

    /// There is no room for a delivery: its document is told, and drops it for a gap.
    pub(super) fn refuse_delivery(&mut self, port: u32, sequence: u64) {
        if let Some(bridge) = self.bridges.get_mut(port) {
            bridge.drop_parts();
            bridge.turned_away = Some(sequence);
            self.actions
                .extend(to_bridge(port, &ToBridge::TooMuch { sequence }));
        }
    }

    /// Whether there is room for so many bytes more, once all has given way that can.
    pub(super) fn make_room(&mut self, size: usize) -> bool {
        if self.held() + size <= MAX_HELD {
            return true;
        }
        for (port, sequence) in self.bridges.still(STILL_ALARMS) {
            self.refuse_delivery(port, sequence);
        }
        if self.held() + size > MAX_HELD {
            // More than is needed, so that the next delivery finds room.
            let limit = (MAX_HELD - RESERVE).saturating_sub(self.bridges.part_bytes() + size);
            let open = self.bridges.contexts();
            self.outbox.shrink(limit, |context| open.contains(context));
        }
        let reserve = if size <= NOTE { RESERVE } else { 0 };
        self.held() + size <= MAX_HELD + reserve
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
