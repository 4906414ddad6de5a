//! The newest events in order, each with the stages that it has passed.
//!
//! The log is bounded by count and by bytes. Every event has a *place*: the number of events that
//! were appended before it. A place stays the same when older events are evicted.

use std::{collections::VecDeque, sync::Arc};

use protocol::{
    event::Event,
    json::{self, ReadError},
    wire::inspector::Feed,
};

use super::row::{EventRow, RowSource, RowTransaction, STAGES};

/// The most events that are kept. Older ones are evicted and counted.
pub const MAX_EVENTS: usize = 100_000;

/// The most bytes that the texts of these events take.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct EventLog {
    rows: VecDeque<EventRow>,
    bytes: usize,
    /// The number of evicted events, which is the place of the first row.
    evicted: usize,
    /// The number of events that could not be read.
    unreadable: usize,
    /// Rows from this place on changed since [`EventLog::take_first_changed`].
    first_changed: Option<usize>,
    sources: Vec<Arc<RowSource>>,
}

impl EventLog {
    /// The places of the events that are kept.
    pub fn places(&self) -> std::ops::Range<usize> {
        self.evicted..self.evicted + self.rows.len()
    }

    pub fn evicted(&self) -> usize {
        self.evicted
    }

    pub fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// The bytes that the texts of the events take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn row(&self, place: usize) -> Option<&EventRow> {
        self.rows.get(place.checked_sub(self.evicted)?)
    }

    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (usize, &EventRow)> {
        self.places().zip(&self.rows)
    }

    /// The places of the events of a row's transaction, which are adjacent. Without one: its own
    /// place.
    pub fn transaction_places(&self, place: usize) -> std::ops::Range<usize> {
        let Some(row) = self.row(place) else {
            return place..place;
        };
        let is_sibling = |other: &usize| {
            self.row(*other)
                .is_some_and(|other| other.is_in_same_transaction(row))
        };
        let first = (self.evicted..place).rev().take_while(is_sibling).last();
        let last = (place + 1..self.places().end).take_while(is_sibling).last();
        first.unwrap_or(place)..last.unwrap_or(place) + 1
    }

    /// The first place whose row is new or changed since the last call.
    pub fn take_first_changed(&mut self) -> Option<usize> {
        self.first_changed.take()
    }

    /// Appends an event; an unreadable one is counted.
    pub fn append(&mut self, text: &str) -> Result<(), ReadError> {
        let event: Event<'_> = match json::read(text) {
            Ok(event) => event,
            Err(error) => {
                self.unreadable += 1;
                return Err(error);
            }
        };
        let source = self.shared_source(&event);
        let transaction = event.transaction.as_ref().map(|transaction| {
            match self.rows.back().and_then(|row| row.transaction.as_ref()) {
                // The events of a transaction are adjacent: they share its id.
                Some(last) if *last.id == *transaction.id => RowTransaction {
                    id: Arc::clone(&last.id),
                    order: transaction.total_order,
                    count: transaction.event_count,
                },
                _ => RowTransaction {
                    id: transaction.id.as_ref().into(),
                    order: transaction.total_order,
                    count: transaction.event_count,
                },
            }
        });
        self.push(EventRow::new(text, &event, source, transaction));
        Ok(())
    }

    /// The source of an event, shared with earlier events of the same document and store.
    ///
    /// A source that is used moves forward by one, so that frequent ones are found first.
    fn shared_source(&mut self, event: &Event<'_>) -> Arc<RowSource> {
        const MAX_SOURCES: usize = 64;
        let source = &event.source;
        if let Some(index) = self.sources.iter().position(|known| known.matches(source)) {
            if index > 0 {
                self.sources.swap(index, index - 1);
            }
            return Arc::clone(&self.sources[index.saturating_sub(1)]);
        }
        let new = Arc::new(RowSource::from_event(source));
        self.sources.truncate(MAX_SOURCES - 1);
        self.sources.push(Arc::clone(&new));
        new
    }

    fn push(&mut self, row: EventRow) {
        self.bytes += row.text.len();
        self.rows.push_back(row);
        while self.rows.len() > MAX_EVENTS || self.bytes > MAX_BYTES && self.rows.len() > 1 {
            if let Some(row) = self.rows.pop_front() {
                self.bytes -= row.text.len();
                self.evicted += 1;
            }
        }
        self.mark_changed(self.places().end - 1);
    }

    /// Rows from this place on have changed.
    fn mark_changed(&mut self, place: usize) {
        self.first_changed = Some(self.first_changed.map_or(place, |first| first.min(place)));
    }

    /// Applies an answer of the host's feed.
    pub fn apply_feed(&mut self, feed: &Feed) {
        if self.rows.back().is_some_and(|last| last.number > feed.head) {
            // The numbers begin again: the host has a new journal, and these events are of the old
            // one.
            self.evicted = self.places().end;
            self.rows.clear();
            self.bytes = 0;
        }
        for event in &feed.events {
            // An unreadable event is counted.
            let _unreadable = self.append(event.get());
        }
        for passage in &feed.passages {
            if let Some(stage) = STAGES.iter().position(|stage| *stage == passage.stage) {
                self.record_stage(stage, passage.last, passage.at);
            }
        }
        for notice in &feed.notices {
            let index = self.rows.partition_point(|row| row.number < notice.number);
            if let Some(row) = self.rows.get_mut(index).filter(|row| row.number == notice.number) {
                row.notices.push((notice.stage.clone(), notice.text.clone()));
                self.mark_changed(self.evicted + index);
            }
        }
    }

    /// Records that all events up to the number `last` have passed a stage.
    fn record_stage(&mut self, stage: usize, last: u64, at: i64) {
        let end = self.rows.partition_point(|row| row.number <= last);
        let mut first = end;
        while first > 0 && self.rows[first - 1].record_stage(stage, at) {
            first -= 1;
        }
        if first < end {
            self.mark_changed(self.evicted + first);
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use protocol::wire::inspector::{Notice, Passage};
    use serde_json::value::RawValue;

    /// An event of a store `orders`.
    pub fn event(number: u64, op: &str, key: &str, after: &str) -> String {
        format!(
            r#"{{"op":"{op}","key":{key},"before":null,"after":{after},"ts_ms":1000,"source":{{"version":"0","browser":"b","profile":"p","origin":"http://localhost:1","bucket":"","database":"shop","database_version":1,"store":"orders","context":"c","sequence":{number},"snapshot":false}},"transaction":{{"id":"c:1","total_order":{number},"event_count":9}}}}"#
        )
    }

    /// The row of an event.
    pub fn row(op: &str, key: &str, after: &str) -> EventRow {
        let mut log = EventLog::default();
        log.append(&event(1, op, key, after)).expect("an event");
        log.rows.pop_front().expect("a row")
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
    fn events_of_a_new_journal_replace_the_old_ones() {
        let mut log = EventLog::default();
        let events: Vec<_> = (1..=3).map(|number| event(number, "c", "1", "{}")).collect();
        log.apply_feed(&feed(&events, &[("redis", 3, 1002)]));
        let mut other = feed(&events[..1], &[("redis", 1, 1002)]);
        other.head = 1;
        log.apply_feed(&other);
        assert_eq!((log.places(), log.bytes()), (3..4, events[0].len()));
        assert_eq!(log.row(3).expect("a row").lag(1), Some(2));
    }

    #[test]
    fn any_event_finds_the_others_of_its_transaction() {
        let mut log = EventLog::default();
        for (number, transaction) in [(1, "a"), (2, "b"), (3, "b"), (4, "b"), (5, "c")] {
            let text = event(number, "c", "1", "1").replace("\"c:1\"", &format!("\"{transaction}\""));
            log.append(&text).expect("an event");
        }
        for place in 1..4 {
            assert_eq!(log.transaction_places(place), 1..4);
        }
        assert_eq!(
            (log.transaction_places(0), log.transaction_places(4)),
            (0..1, 4..5)
        );
        assert!(log.transaction_places(5).is_empty());
    }

    #[test]
    fn events_pass_stages_once() {
        let mut log = EventLog::default();
        let events: Vec<_> = (1..=3).map(|number| event(number, "c", "1", "{}")).collect();
        log.apply_feed(&feed(&events, &[("journal", 3, 1002), ("redis", 2, 1005)]));
        assert_eq!(log.take_first_changed(), Some(0));
        log.apply_feed(&feed(&[], &[("redis", 3, 1009), ("elsewhere", 3, 1)]));
        assert_eq!(
            (log.take_first_changed(), log.take_first_changed()),
            (Some(2), None)
        );
        let lags: Vec<_> = log
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
        log.apply_feed(&noticed);
        assert_eq!(log.take_first_changed(), Some(1));
        assert_eq!(log.row(1).expect("a row").notices.len(), 1);
        assert!(log.row(0).expect("a row").notices.is_empty());
    }

    #[test]
    fn oldest_events_are_evicted_and_places_stay() {
        let mut log = EventLog::default();
        let row = row("c", "1", "{}");
        let bytes = row.text.len();
        for number in 0..u64::try_from(MAX_EVENTS).expect("fits") + 5 {
            let mut row = row.clone();
            row.number = number;
            log.push(row);
        }
        assert_eq!(log.evicted(), 5);
        assert_eq!(log.row(4), None);
        assert_eq!(log.row(5).expect("a row").number, 5);
        assert_eq!(log.places().len(), MAX_EVENTS);
        assert_eq!(log.bytes(), MAX_EVENTS * bytes);
    }

    #[test]
    fn large_events_are_bounded_by_their_bytes() {
        let mut log = EventLog::default();
        let value = format!("\"{}\"", "x".repeat(1024 * 1024));
        for number in 1..=300 {
            log.append(&event(number, "c", "1", &value)).expect("an event");
        }
        assert!(log.bytes() <= MAX_BYTES);
        assert!(log.evicted() > 40 && log.places().len() > 200);
    }

    #[test]
    fn unreadable_events_are_counted() {
        let mut log = EventLog::default();
        log.apply_feed(&feed(&["{}".to_owned(), event(1, "c", "1", "1")], &[]));
        assert_eq!((log.unreadable(), log.places().len()), (1, 1));
    }

    #[test]
    fn sources_are_shared() {
        let mut log = EventLog::default();
        let (a, b) = (event(1, "c", "1", "1"), event(2, "c", "1", "1"));
        let other = b.replace("orders", "others");
        for text in [&a, &other, &b, &other] {
            log.append(text).expect("an event");
        }
        let stores: Vec<_> = log.rows().map(|(_, row)| &*row.source.store).collect();
        assert_eq!(stores, ["orders", "others", "orders", "others"]);
        assert_eq!(log.sources.len(), 2);
    }
}
