//! The events that are shown: the newest [`BOUND`], in order, with the stages that each has passed.

use std::collections::VecDeque;

use protocol::{
    event::{Event, Op},
    inspect::Feed,
};

/// How many events are kept; older ones go, and it is said how many.
pub const BOUND: usize = 100_000;

/// The stages behind the page, in their order.
pub const STAGES: [&str; 3] = ["journal", "redis", "memcached"];

/// An event, as far as lists and filters look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in its profile.
    pub number: u64,
    /// What happened.
    pub op: Op,
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The store's name.
    pub store: String,
    /// The key's text; for a range deletion the range; empty where the whole store is meant.
    pub key: String,
    /// Whether `key` is a record's.
    pub has_key: bool,
    /// The length of the value's text in bytes.
    pub size: usize,
    /// When the page saw the commit, in milliseconds since the epoch.
    pub at: i64,
    /// The document's id.
    pub context: String,
    /// Whether it was read rather than observed.
    pub snapshot: bool,
    /// Its transaction, if it has one: id, its place in it (from 1), how many events that has.
    pub transaction: Option<(String, u64, u64)>,
    /// When it passed each of [`STAGES`], in milliseconds since the epoch.
    pub passed: [Option<i64>; STAGES.len()],
    /// What stages have to say about it: (stage, text).
    pub notices: Vec<(String, String)>,
    /// The event as it was published.
    pub text: Box<str>,
}

impl Row {
    /// Reads an event.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let event: Event<'_> = serde_json::from_str(text)?;
        let source = event.source;
        Ok(Self {
            number: source.sequence,
            op: event.op,
            origin: source.origin.into_owned(),
            bucket: source.bucket.into_owned(),
            database: source.database.into_owned(),
            store: source.store.into_owned(),
            key: event
                .key
                .or(event.range)
                .map_or_else(String::new, |key| key.get().to_owned()),
            has_key: event.key.is_some(),
            size: event.after.get().len(),
            at: event.ts_ms,
            context: source.context.into_owned(),
            snapshot: source.snapshot,
            transaction: event.transaction.map(|transaction| {
                (
                    transaction.id.into_owned(),
                    transaction.total_order,
                    transaction.event_count,
                )
            }),
            passed: [None; STAGES.len()],
            notices: Vec::new(),
            text: text.into(),
        })
    }

    /// How many milliseconds after the commit it passed a stage. A page's clock may be coarser than the host's.
    pub fn lag(&self, stage: usize) -> Option<i64> {
        self.passed
            .get(stage)
            .copied()
            .flatten()
            .map(|at| (at - self.at).max(0))
    }

    /// Whether the event is of the same transaction as another.
    pub fn is_beside(&self, other: &Self) -> bool {
        match (&self.transaction, &other.transaction) {
            (Some((id, ..)), Some((other, ..))) => id == other,
            _ => false,
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Model {
    rows: VecDeque<Row>,
    /// How many events have gone, from the front. A row keeps its place: the number of rows that ever came before it.
    gone: usize,
}

impl Model {
    /// The places that are there.
    pub fn places(&self) -> std::ops::Range<usize> {
        self.gone..self.gone + self.rows.len()
    }

    /// How many events have gone because of the bound.
    pub fn gone(&self) -> usize {
        self.gone
    }

    /// The row at a place.
    pub fn row(&self, place: usize) -> Option<&Row> {
        self.rows.get(place.checked_sub(self.gone)?)
    }

    /// All rows with their places.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (usize, &Row)> {
        self.places().zip(&self.rows)
    }

    /// Adds an event.
    pub fn push(&mut self, row: Row) {
        if self.rows.len() == BOUND {
            self.rows.pop_front();
            self.gone += 1;
        }
        self.rows.push_back(row);
    }

    /// Takes in a stretch of the host's feed; returns how many of its events could not be read.
    pub fn take(&mut self, feed: &Feed) -> usize {
        let mut unread = 0;
        for event in &feed.events {
            match Row::parse(event.get()) {
                Ok(row) => self.push(row),
                Err(_) => unread += 1,
            }
        }
        for passage in &feed.passages {
            if let Some(stage) = STAGES.iter().position(|stage| *stage == passage.stage) {
                self.pass(stage, passage.last, passage.at);
            }
        }
        for notice in &feed.notices {
            if let Some(row) = self.numbered(notice.number) {
                row.notices.push((notice.stage.clone(), notice.text.clone()));
            }
        }
        unread
    }

    /// All up to this number that had not passed the stage yet have now.
    fn pass(&mut self, stage: usize, last: u64, at: i64) {
        for row in self.rows.iter_mut().rev().skip_while(|row| row.number > last) {
            if row.passed[stage].is_some() {
                return;
            }
            row.passed[stage] = Some(at);
        }
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Row> {
        let index = self.rows.partition_point(|row| row.number < number);
        self.rows.get_mut(index).filter(|row| row.number == number)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
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

    fn feed(events: &[String], passages: &[(&str, u64, i64)]) -> Feed {
        Feed {
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
    fn events_pass_stages_once() {
        let mut model = Model::default();
        let events: Vec<_> = (1..=3).map(|number| event(number, "c", "1", "{}")).collect();
        assert_eq!(
            model.take(&feed(&events, &[("journal", 3, 1002), ("redis", 2, 1005)])),
            0
        );
        model.take(&feed(&[], &[("redis", 3, 1009), ("elsewhere", 3, 1)]));
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
        assert_eq!(model.row(1).expect("there").notices.len(), 1);
        assert!(model.row(0).expect("there").notices.is_empty());
    }

    #[test]
    fn the_oldest_go_and_places_stay() {
        let mut model = Model::default();
        let row = Row::parse(&event(1, "c", "1", "{}")).expect("an event");
        for number in 0..u64::try_from(BOUND).expect("fits") + 5 {
            model.push(Row {
                number,
                ..row.clone()
            });
        }
        assert_eq!(model.gone(), 5);
        assert_eq!(model.row(4), None);
        assert_eq!(model.row(5).expect("there").number, 5);
        assert_eq!(model.places().len(), BOUND);
    }

    #[test]
    fn what_is_no_event_is_counted() {
        let mut model = Model::default();
        assert_eq!(
            model.take(&feed(&["{}".to_owned(), event(1, "c", "1", "1")], &[])),
            1
        );
        assert_eq!(model.places().len(), 1);
    }
}
