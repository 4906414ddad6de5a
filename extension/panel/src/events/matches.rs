//! The places of the events that match the filter, kept in step with the log.
//!
//! To filter 100,000 events takes longer than a frame. So each call examines a part of them
//! ([`Matches::advance`]), and an examined event is examined again only if it changed.

use std::collections::VecDeque;

use super::{filter::Filter, log::EventLog};

/// About how many bytes of events one call examines, which takes a few milliseconds.
const BYTES_PER_CALL: usize = 2 * 1024 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Matches {
    places: VecDeque<usize>,
    /// Places before this one have been examined.
    examined: usize,
    /// The filter is new and has not examined all events yet.
    is_refiltering: bool,
}

/// What a call of [`Matches::update`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilterProgress {
    /// Some events have not been examined yet.
    pub has_more: bool,
    /// The number of former matches that were evicted from the log.
    pub evicted: usize,
}

impl Matches {
    /// The places in ascending order.
    pub fn places(&self) -> &VecDeque<usize> {
        &self.places
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The index of a place among the matches, or the index that it would have.
    pub fn index_of(&self, place: usize) -> usize {
        self.places.partition_point(|other| *other < place)
    }

    /// Examines all events again, because the filter changed.
    pub fn restart(&mut self) {
        *self = Self {
            is_refiltering: true,
            ..Self::default()
        };
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Follows the log. A paused display adds nothing, and changes wait until it resumes.
    pub fn update(&mut self, log: &mut EventLog, filter: &Filter, is_paused: bool) -> FilterProgress {
        if is_paused && !self.is_refiltering {
            return FilterProgress {
                has_more: false,
                evicted: self.drop_before(log.places().start),
            };
        }
        if let Some(place) = log.take_first_changed() {
            self.invalidate_from(place, filter);
        }
        self.advance(log, filter)
    }

    /// Rows from this place on changed. Their matches are kept if the filter cannot depend on the
    /// change.
    fn invalidate_from(&mut self, place: usize, filter: &Filter) {
        if filter.depends_on_progress() && place < self.examined {
            self.places.truncate(self.index_of(place));
            self.examined = place;
        }
    }

    /// Examines the next events.
    fn advance(&mut self, log: &EventLog, filter: &Filter) -> FilterProgress {
        let places = log.places();
        if self.examined > places.end {
            self.clear();
        }
        let evicted = self.drop_before(places.start);
        self.examined = self.examined.max(places.start);
        let mut bytes = 0;
        while self.examined < places.end && bytes < BYTES_PER_CALL {
            if let Some(row) = log.row(self.examined) {
                bytes += row.text.len();
                if filter.matches(row) {
                    self.places.push_back(self.examined);
                }
            }
            self.examined += 1;
        }
        let has_more = self.examined < places.end;
        self.is_refiltering &= has_more;
        FilterProgress { has_more, evicted }
    }

    /// Drops the matches before a place; their number.
    fn drop_before(&mut self, start: usize) -> usize {
        let evicted = self.index_of(start);
        self.places.drain(..evicted);
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::tests::event;
    use protocol::wire::inspector::{Feed, Passage};

    fn filled(numbers: std::ops::RangeInclusive<u64>) -> EventLog {
        let mut log = EventLog::default();
        for number in numbers {
            let op = if number % 2 == 0 { "c" } else { "d" };
            log.append(&event(number, op, "1", "1")).expect("an event");
        }
        log
    }

    fn filter(text: &str) -> Filter {
        Filter::parse(text).expect(text)
    }

    #[test]
    fn matches_are_kept_and_new_ones_added() {
        let mut log = filled(1..=6);
        let mut matches = Matches::default();
        let filter = filter("op:create");
        assert_eq!(matches.advance(&log, &filter), FilterProgress::default());
        assert_eq!(*matches.places(), [1, 3, 5]);
        log.append(&event(8, "c", "1", "1")).expect("an event");
        matches.invalidate_from(6, &filter);
        matches.advance(&log, &filter);
        assert_eq!(*matches.places(), [1, 3, 5, 6]);
        assert_eq!(matches.index_of(4), 2);
        log.clear();
        matches.advance(&log, &filter);
        assert!(matches.is_empty());
    }

    #[test]
    fn stage_filter_examines_changed_events_again() {
        let mut log = filled(1..=4);
        let mut matches = Matches::default();
        let filter = filter("-stage:redis");
        matches.advance(&log, &filter);
        assert_eq!(matches.len(), 4);
        log.take_first_changed();
        let passage = |last, at| Passage {
            stage: "redis".to_owned(),
            last,
            at,
        };
        log.apply_feed(&Feed {
            head: 4,
            passages: vec![passage(3, 1001)],
            ..Feed::default()
        });
        let place = log.take_first_changed().expect("changed");
        matches.invalidate_from(place, &filter);
        matches.advance(&log, &filter);
        assert_eq!(*matches.places(), [3]);
    }

    #[test]
    fn changes_during_a_pause_are_examined_on_resume() {
        let mut log = filled(1..=4);
        let mut matches = Matches::default();
        let filter = filter("-stage:redis");
        matches.update(&mut log, &filter, false);
        log.apply_feed(&Feed {
            head: 4,
            passages: vec![Passage {
                stage: "redis".to_owned(),
                last: 3,
                at: 1001,
            }],
            ..Feed::default()
        });
        matches.update(&mut log, &filter, true);
        assert_eq!(matches.len(), 4, "the display is paused");
        matches.update(&mut log, &filter, false);
        assert_eq!(*matches.places(), [3]);
    }

    #[test]
    fn long_log_is_examined_in_parts() {
        let mut log = EventLog::default();
        let value = format!("\"{}\"", "x".repeat(BYTES_PER_CALL / 4));
        for number in 1..=10 {
            log.append(&event(number, "c", "1", &value)).expect("an event");
        }
        let mut matches = Matches::default();
        let mut rounds = 1;
        while matches.advance(&log, &filter("xxx")).has_more {
            rounds += 1;
        }
        assert_eq!((matches.len(), rounds), (10, 3));
    }
}
