//! The events that are shown: the newest ones within two bounds, in order, with the stages that each has passed.

use std::{collections::VecDeque, sync::Arc};

use protocol::{
    event::Event,
    inspect::Feed,
    json::{self, ReadError},
};

mod row;

pub use self::row::{Row, Source, Transaction};

/// How many events are kept; older ones go, and it is said how many.
pub const BOUND: usize = 100_000;

/// How many bytes their texts may take together.
pub const BOUND_BYTES: usize = 256 * 1024 * 1024;

/// The stages behind the page, in their order.
pub const STAGES: [&str; 3] = ["journal", "redis", "memcached"];

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Model {
    rows: VecDeque<Row>,
    bytes: usize,
    /// How many events have gone, from the front. A row keeps its place: the number of rows that ever came before it.
    gone: usize,
    /// Events that could not be read.
    unread: usize,
    /// Rows from this place on have changed since [`Model::changed`] was last asked.
    changed: Option<usize>,
    /// Grows with every change.
    revision: u64,
    sources: Vec<Arc<Source>>,
}

impl Model {
    /// The places that are there.
    pub fn places(&self) -> std::ops::Range<usize> {
        self.gone..self.gone + self.rows.len()
    }

    /// How many events have gone because of the bounds.
    pub fn gone(&self) -> usize {
        self.gone
    }

    /// How many events could not be read.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// How many bytes the events' texts take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A number that grows with every change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The row at a place.
    pub fn row(&self, place: usize) -> Option<&Row> {
        self.rows.get(place.checked_sub(self.gone)?)
    }

    /// All rows with their places.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (usize, &Row)> {
        self.places().zip(&self.rows)
    }

    /// The places of a row's transaction that are there: its events come one after the other. Without a transaction its own.
    pub fn transaction(&self, place: usize) -> std::ops::Range<usize> {
        let Some(row) = self.row(place) else {
            return place..place;
        };
        let beside = |other: &usize| self.row(*other).is_some_and(|other| other.is_beside(row));
        let first = (self.gone..place).rev().take_while(beside).last();
        let last = (place + 1..self.places().end).take_while(beside).last();
        first.unwrap_or(place)..last.unwrap_or(place) + 1
    }

    /// The first place whose row is new or another since this was asked last.
    pub fn changed(&mut self) -> Option<usize> {
        self.changed.take()
    }

    /// Adds an event; one that cannot be read is counted.
    pub fn read(&mut self, text: &str) -> Result<(), ReadError> {
        let event: Event<'_> = match json::read(text) {
            Ok(event) => event,
            Err(error) => {
                self.unread += 1;
                return Err(error);
            }
        };
        let source = self.source(&event);
        let transaction = event.transaction.as_ref().map(|transaction| {
            match self.rows.back().and_then(|row| row.transaction.as_ref()) {
                // Events of one transaction come one after the other: they share its name.
                Some(last) if *last.id == *transaction.id => Transaction {
                    id: Arc::clone(&last.id),
                    order: transaction.total_order,
                    count: transaction.event_count,
                },
                _ => Transaction {
                    id: transaction.id.as_ref().into(),
                    order: transaction.total_order,
                    count: transaction.event_count,
                },
            }
        });
        self.push(Row::new(text, &event, source, transaction));
        Ok(())
    }

    /// Events of one document and store share what they say of it.
    fn source(&mut self, event: &Event<'_>) -> Arc<Source> {
        const REMEMBERED: usize = 64;
        let source = &event.source;
        if let Some(index) = self.sources.iter().position(|known| known.is(source)) {
            if index > 0 {
                self.sources.swap(index, index - 1);
            }
            return Arc::clone(&self.sources[index.saturating_sub(1)]);
        }
        let new = Arc::new(Source::of(source));
        self.sources.truncate(REMEMBERED - 1);
        self.sources.push(Arc::clone(&new));
        new
    }

    fn push(&mut self, row: Row) {
        self.bytes += row.text.len();
        self.rows.push_back(row);
        while self.rows.len() > BOUND || self.bytes > BOUND_BYTES && self.rows.len() > 1 {
            if let Some(row) = self.rows.pop_front() {
                self.bytes -= row.text.len();
                self.gone += 1;
            }
        }
        self.touch(self.places().end - 1);
    }

    /// Rows from this place on are another.
    fn touch(&mut self, place: usize) {
        self.changed = Some(self.changed.map_or(place, |known| known.min(place)));
        self.revision += 1;
    }

    /// Takes in a stretch of the host's feed.
    pub fn take(&mut self, feed: &Feed) {
        if self.rows.back().is_some_and(|last| last.number > feed.head) {
            // Another journal: the one that these are of was removed.
            self.gone = self.places().end;
            self.rows.clear();
            self.bytes = 0;
        }
        for event in &feed.events {
            // It is counted.
            let _unread = self.read(event.get());
        }
        for passage in &feed.passages {
            if let Some(stage) = STAGES.iter().position(|stage| *stage == passage.stage) {
                self.pass(stage, passage.last, passage.at);
            }
        }
        for notice in &feed.notices {
            let index = self.rows.partition_point(|row| row.number < notice.number);
            if let Some(row) = self.rows.get_mut(index).filter(|row| row.number == notice.number) {
                row.notices.push((notice.stage.clone(), notice.text.clone()));
                self.touch(self.gone + index);
            }
        }
    }

    /// All up to this number that had not passed the stage yet have now.
    fn pass(&mut self, stage: usize, last: u64, at: i64) {
        let end = self.rows.partition_point(|row| row.number <= last);
        let mut first = end;
        while first > 0 && self.rows[first - 1].pass(stage, at) {
            first -= 1;
        }
        if first < end {
            self.touch(self.gone + first);
        }
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        *self = Self {
            revision: self.revision + 1,
            ..Self::default()
        };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use protocol::inspect::{Notice, Passage};
    use serde_json::value::RawValue;

    /// An event of a store `orders`.
    pub fn event(number: u64, op: &str, key: &str, after: &str) -> String {
        format!(
            r#"{{"op":"{op}","key":{key},"before":null,"after":{after},"ts_ms":1000,"source":{{"version":"0","browser":"b","profile":"p","origin":"http://localhost:1","bucket":"","database":"shop","database_version":1,"store":"orders","context":"c","sequence":{number},"snapshot":false}},"transaction":{{"id":"c:1","total_order":{number},"event_count":9}}}}"#
        )
    }

    /// The row of an event.
    pub fn row(op: &str, key: &str, after: &str) -> Row {
        let mut model = Model::default();
        model.read(&event(1, op, key, after)).expect("an event");
        model.rows.pop_front().expect("a row")
    }

    fn feed(events: &[String], passages: &[(&str, u64, i64)]) -> Feed {
        Feed {
            head: u64::MAX,
            events: events
                .iter()
                .map(|text| RawValue::from_string(text.clone()).expect("JSON"))
                .collect(),
            passages: passages
                .iter()
                .map(|(stage, last, at)| Passage {
                    stage: (*stage).to_owned(),
                    last: *last,
                    at: *at,
                })
                .collect(),
            ..Feed::default()
        }
    }

    #[test]
    fn the_events_of_another_journal_begin_anew() {
        let mut model = Model::default();
        let events: Vec<_> = (1..=3).map(|number| event(number, "c", "1", "{}")).collect();
        model.take(&feed(&events, &[("redis", 3, 1002)]));
        let mut other = feed(&events[..1], &[("redis", 1, 1002)]);
        other.head = 1;
        model.take(&other);
        assert_eq!((model.places(), model.bytes()), (3..4, events[0].len()));
        assert_eq!(model.row(3).expect("a row").lag(1), Some(2));
    }

    #[test]
    fn a_transactions_events_are_found_from_any_of_them() {
        let mut model = Model::default();
        for (number, transaction) in [(1, "a"), (2, "b"), (3, "b"), (4, "b"), (5, "c")] {
            let text = event(number, "c", "1", "1").replace("\"c:1\"", &format!("\"{transaction}\""));
            model.read(&text).expect("an event");
        }
        for place in 1..4 {
            assert_eq!(model.transaction(place), 1..4);
        }
        assert_eq!((model.transaction(0), model.transaction(4)), (0..1, 4..5));
        assert!(model.transaction(5).is_empty());
    }

    #[test]
    fn events_pass_stages_once() {
        let mut model = Model::default();
        let events: Vec<_> = (1..=3).map(|number| event(number, "c", "1", "{}")).collect();
        model.take(&feed(&events, &[("journal", 3, 1002), ("redis", 2, 1005)]));
        assert_eq!(model.changed(), Some(0));
        model.take(&feed(&[], &[("redis", 3, 1009), ("elsewhere", 3, 1)]));
        assert_eq!((model.changed(), model.changed()), (Some(2), None));
        let lags: Vec<_> = model
            .rows()
            .map(|(_, row)| (row.lag(0), row.lag(1), row.lag(2)))
            .collect();
        assert_eq!(
            lags,
            [
                (Some(2), Some(5), None),
                (Some(2), Some(5), None),
                (Some(2), Some(9), None)
            ]
        );
        let mut noticed = feed(&[], &[]);
        noticed.notices.push(Notice {
            stage: "memcached".to_owned(),
            number: 2,
            text: "too large".to_owned(),
        });
        model.take(&noticed);
        assert_eq!(model.changed(), Some(1));
        assert_eq!(model.row(1).expect("there").notices.len(), 1);
        assert!(model.row(0).expect("there").notices.is_empty());
    }

    #[test]
    fn the_oldest_go_and_places_stay() {
        let mut model = Model::default();
        let row = row("c", "1", "{}");
        let bytes = row.text.len();
        for number in 0..u64::try_from(BOUND).expect("fits") + 5 {
            let mut row = row.clone();
            row.number = number;
            model.push(row);
        }
        assert_eq!(model.gone(), 5);
        assert_eq!(model.row(4), None);
        assert_eq!(model.row(5).expect("there").number, 5);
        assert_eq!(model.places().len(), BOUND);
        assert_eq!(model.bytes(), BOUND * bytes);
    }

    #[test]
    fn large_events_are_bounded_by_their_bytes() {
        let mut model = Model::default();
        let value = format!("\"{}\"", "x".repeat(1024 * 1024));
        for number in 1..=300 {
            model.read(&event(number, "c", "1", &value)).expect("an event");
        }
        assert!(model.bytes() <= BOUND_BYTES);
        assert!(model.gone() > 40 && model.places().len() > 200);
    }

    #[test]
    fn what_is_no_event_is_counted() {
        let mut model = Model::default();
        model.take(&feed(&["{}".to_owned(), event(1, "c", "1", "1")], &[]));
        assert_eq!((model.unread(), model.places().len()), (1, 1));
    }

    #[test]
    fn sources_are_shared() {
        let mut model = Model::default();
        let (a, b) = (event(1, "c", "1", "1"), event(2, "c", "1", "1"));
        let other = b.replace("orders", "others");
        for text in [&a, &other, &b, &other] {
            model.read(text).expect("an event");
        }
        let stores: Vec<_> = model.rows().map(|(_, row)| &*row.source.store).collect();
        assert_eq!(stores, ["orders", "others", "orders", "others"]);
        assert_eq!(model.sources.len(), 2);
    }
}
