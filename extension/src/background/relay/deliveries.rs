//! Deliveries on their way through the background: from a document's port into the outbox, and from
//! there to the host.

use protocol::{
    body::is_reading,
    wire::bridge::{MAX_SEQUENCE, Part},
};

use super::{
    Action, Link, Relay,
    parts::{LONGEST_MESSAGE, NOTE},
    stamp,
};
use crate::background::{
    bridges::Standing,
    bundle::Bundle,
    outbox::{Content, Entry, Reason},
};

impl Relay {
    /// Bodies came over a port, of deliveries whose numbers follow each other.
    pub fn receive_bodies(&mut self, port: u32, first: u64, bodies: Vec<String>) {
        if self.bridges.note_message(port).is_none() {
            return;
        }
        let has_read = bodies.iter().any(|body| is_reading(body));
        // No page counts further, and the host acknowledges none.
        let numbered = (first..=MAX_SEQUENCE).zip(bodies.into_iter().map(Content::of));
        self.take(port, numbered.collect());
        self.note_activity(port, has_read);
    }

    /// A part of a long body came over a port.
    pub fn receive_part(&mut self, port: u32, slice: Part<'_>) {
        if self.bridges.note_message(port).is_none() {
            return;
        }
        self.take_part(port, slice);
        // Of a part only its delivery knows.
        self.note_activity(port, true);
    }

    /// Whether there is room for a whole delivery of an origin.
    pub(super) fn has_room_for(&mut self, origin: &str, content: &Content) -> bool {
        // Parts were counted when they came.
        matches!(content, Content::Parts(_))
            || (content.size() <= LONGEST_MESSAGE && self.make_room(origin, content.size()))
    }

    /// Whole deliveries have come, each with its number.
    pub(super) fn take(&mut self, port: u32, mut deliveries: Vec<(u64, Content)>) {
        if let Some(bridge) = self.bridges.note_message(port)
            && !self.left_out.is_empty()
        {
            for (sequence, content) in &mut deliveries {
                if self.left_out.contains(&(bridge.context.clone(), *sequence)) {
                    *content = content.left_out(Reason::FailedTwice);
                }
            }
        }
        for (sequence, content) in &deliveries {
            self.tell_trace(port, *sequence, content);
        }
        if let Some(bridge) = self.bridges.note_message(port)
            && !bridge.context.is_empty()
            && bridge.standing != Standing::Refused
        {
            let (context, page) = (bridge.context.clone(), bridge.page().clone());
            let may_overtake = self.bridges.is_another_writing(port, &page.origin)
                || self.has_ended_without_a_word(&context, &page.origin);
            for (sequence, content) in deliveries {
                let Some(bridge) = self.bridges.note_message(port) else {
                    return;
                };
                if bridge.waits_for_earlier(sequence) {
                    continue;
                }
                bridge.turned_away = None;
                if !self.has_room_for(&page.origin, &content) {
                    // Documents that keep to their windows always have room for a note.
                    if content.size() > NOTE {
                        // What comes behind it comes again, too.
                        self.refuse_delivery(port, sequence);
                    }
                    break;
                }
                if !content.is_reading() {
                    self.note_commit(port, &page.origin);
                }
                self.outbox.push(Entry {
                    context: context.clone(),
                    page: page.clone(),
                    may_overtake,
                    sequence,
                    content,
                });
            }
            // With a host the answers to inspectors' questions bring the news.
            self.changed |= self.link != Link::Up || self.paused;
            self.send();
        }
    }

    pub(super) fn send(&mut self) {
        let mut bundle = Bundle::default();
        // With a rule that cannot be applied nothing may leave.
        while let Ok(redaction) = &self.redaction
            && self.link == Link::Up
            && !self.paused
            && let Some(entry) = self.outbox.next_to_send()
        {
            // Of one that is left out only what stands in its place is looked into.
            let is_left_out =
                !self.left_out.is_empty() && self.left_out.contains(&(entry.context.clone(), entry.sequence));
            if !is_left_out {
                (self.in_hand)(Some((&entry.context, entry.sequence)));
            }
            for message in stamp::messages(entry, redaction) {
                self.actions.extend(bundle.add(&message).map(Action::ToHost));
            }
            (self.in_hand)(None);
        }
        self.actions.extend(bundle.take().map(Action::ToHost));
    }
}
