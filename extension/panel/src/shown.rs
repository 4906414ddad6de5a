//! The events that a filter lets through, by their places, kept in step with the model.
//!
//! Looking at 100,000 events takes longer than a frame may: it is done a stretch at a time ([`Shown::advance`]), and what was looked at
//! is not looked at again unless it changed.

use std::collections::VecDeque;

use crate::{model::Model, query::Query};

/// How many bytes of events are looked at in one go, about; it takes a few milliseconds.
const STRETCH: usize = 2 * 1024 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Shown {
    places: VecDeque<usize>,
    /// Places before this one have been looked at.
    looked: usize,
    /// Whether a filter is new and has not looked at everything yet.
    looking: bool,
}

impl Shown {
    /// The places, in order.
    pub fn places(&self) -> &VecDeque<usize> {
        &self.places
    }

    /// How many events are shown.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a place stands, or would.
    pub fn index_of(&self, place: usize) -> usize {
        self.places.partition_point(|other| *other < place)
    }

    /// Everything is to be looked at again: the filter is another.
    pub fn restart(&mut self) {
        *self = Self {
            looking: true,
            ..Self::default()
        };
    }

    /// The events are gone.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps in step with the events; a display that rests lets nothing come, and what has changed waits with it. Tells what
    /// [`Shown::advance`] does.
    pub fn follow(&mut self, model: &mut Model, query: &Query, rests: bool) -> (bool, usize) {
        if rests && !self.looking {
            return (false, self.forget(model.places().start));
        }
        if let Some(place) = model.changed() {
            self.changed(place, query);
        }
        self.advance(model, query)
    }

    /// Rows from this place on are new or have changed. What cannot have changed for the filter is kept.
    fn changed(&mut self, place: usize, query: &Query) {
        if query.changes_later() && place < self.looked {
            self.places.truncate(self.index_of(place));
            self.looked = place;
        }
    }

    /// Looks at what is new, a stretch of it; whether there is more, and how many of those shown before are gone.
    fn advance(&mut self, model: &Model, query: &Query) -> (bool, usize) {
        let places = model.places();
        if self.looked > places.end {
            self.clear();
        }
        let gone = self.forget(places.start);
        self.looked = self.looked.max(places.start);
        let mut bytes = 0;
        while self.looked < places.end && bytes < STRETCH {
            if let Some(row) = model.row(self.looked) {
                bytes += row.text.len();
                if query.holds(row) {
                    self.places.push_back(self.looked);
                }
            }
            self.looked += 1;
        }
        let more = self.looked < places.end;
        self.looking &= more;
        (more, gone)
    }

    /// Events before this place are gone; how many of those shown.
    pub fn forget(&mut self, start: usize) -> usize {
        let gone = self.index_of(start);
        self.places.drain(..gone);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::event;
    use protocol::inspect::{Feed, Passage};

    fn filled(numbers: std::ops::RangeInclusive<u64>) -> Model {
        let mut model = Model::default();
        for number in numbers {
            let op = if number % 2 == 0 { "c" } else { "d" };
            model.read(&event(number, op, "1", "1")).expect("an event");
        }
        model
    }

    fn query(text: &str) -> Query {
        Query::parse(text).expect(text)
    }

    #[test]
    fn what_fits_is_shown_and_what_comes_is_added() {
        let mut model = filled(1..=6);
        let mut shown = Shown::default();
        let query = query("op:create");
        assert_eq!(shown.advance(&model, &query), (false, 0));
        assert_eq!(*shown.places(), [1, 3, 5]);
        model.read(&event(8, "c", "1", "1")).expect("an event");
        shown.changed(6, &query);
        shown.advance(&model, &query);
        assert_eq!(*shown.places(), [1, 3, 5, 6]);
        assert_eq!(shown.index_of(4), 2);
        model.clear();
        shown.advance(&model, &query);
        assert!(shown.is_empty());
    }

    #[test]
    fn a_filter_for_stages_looks_again_where_something_changed() {
        let mut model = filled(1..=4);
        let mut shown = Shown::default();
        let query = query("-stage:redis");
        shown.advance(&model, &query);
        assert_eq!(shown.len(), 4);
        model.changed();
        let passage = |last, at| Passage {
            stage: "redis".to_owned(),
            last,
            at,
        };
        model.take(&Feed {
            head: 4,
            passages: vec![passage(3, 1001)],
            ..Feed::default()
        });
        let place = model.changed().expect("changed");
        shown.changed(place, &query);
        shown.advance(&model, &query);
        assert_eq!(*shown.places(), [3]);
    }

    #[test]
    fn what_changes_while_the_display_rests_is_looked_at_when_it_goes_on() {
        let mut model = filled(1..=4);
        let mut shown = Shown::default();
        let query = query("-stage:redis");
        shown.follow(&mut model, &query, false);
        model.take(&Feed {
            head: 4,
            passages: vec![Passage {
                stage: "redis".to_owned(),
                last: 3,
                at: 1001,
            }],
            ..Feed::default()
        });
        shown.follow(&mut model, &query, true);
        assert_eq!(shown.len(), 4, "it rests");
        shown.follow(&mut model, &query, false);
        assert_eq!(*shown.places(), [3]);
    }

    #[test]
    fn a_long_look_is_taken_in_stretches() {
        let mut model = Model::default();
        let value = format!("\"{}\"", "x".repeat(STRETCH / 4));
        for number in 1..=10 {
            model.read(&event(number, "c", "1", &value)).expect("an event");
        }
        let mut shown = Shown::default();
        let mut rounds = 1;
        while shown.advance(&model, &query("xxx")).0 {
            rounds += 1;
        }
        assert_eq!((shown.len(), rounds), (10, 3));
    }
}
