//! The last events that were committed, at hand for the sinks, so that they need not read again
//! what was just written.
//!
//! **Invariants:**
//! - An event is here only after the transaction that made it is on disk, and says what its row
//!   said then.
//! - What is here has no holes: after an event comes the next one.
//! - It is bounded in bytes. Who is further behind reads the journal's file, as does everybody
//!   after a start.

use std::{
    collections::VecDeque,
    fmt,
    ops::{Deref, Range},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many bytes of events are kept at hand.
const BYTES: usize = 8 * 1024 * 1024;

/// What an event takes beside its text, roughly.
const OVERHEAD: usize = 160;

/// What the journal's thread and the sinks share.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    batches: VecDeque<Arc<Written>>,
    bytes: usize,
}

/// The events of one transaction: all of them, or none if there is no room for so many.
#[derive(Debug, Default)]
pub(super) struct Written {
    events: Vec<Event>,
    bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Event {
    pub number: u64,
    pub store: i64,
    pub text: String,
    /// Where in the text the record's key is, and what it holds from then on; `None`: it is gone.
    pub record: Option<(Range<usize>, Option<Range<usize>>)>,
    /// Whether more events of its transaction follow.
    pub goes_on: bool,
}

/// A text of its own, or a part of an event that is at hand.
#[derive(Clone)]
pub struct Text(Kind);

#[derive(Clone)]
enum Kind {
    Own(String),
    Part {
        written: Arc<Written>,
        index: usize,
        range: Range<usize>,
    },
}

/// An event at hand.
pub(super) struct Handed {
    written: Arc<Written>,
    index: usize,
}

impl Written {
    pub(super) fn push(&mut self, event: Event) {
        self.bytes += event.text.len() + OVERHEAD;
        if self.bytes > BYTES {
            self.events = Vec::new();
        } else {
            self.events.push(event);
        }
    }

    fn last(&self) -> u64 {
        self.events.last().map_or(0, |event| event.number)
    }
}

impl Recent {
    /// Keeps what was committed.
    pub(super) fn put(&self, written: Written) {
        let mut kept = self.lock();
        let Some(first) = written.events.first().map(|event| event.number) else {
            if written.bytes > 0 {
                kept.clear();
            }
            return;
        };
        if kept.batches.back().is_some_and(|back| back.last() + 1 != first) {
            kept.clear();
        }
        kept.bytes += written.bytes;
        kept.batches.push_back(Arc::new(written));
        while kept.bytes > BYTES
            && let Some(oldest) = kept.batches.pop_front()
        {
            kept.bytes -= oldest.bytes;
        }
    }

    /// Drops all events: rows have changed, or no sink needs the events.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// The events after this one, at most so many; `None`: they are not at hand.
    pub(super) fn after(&self, number: u64, count: usize) -> Option<Vec<Handed>> {
        self.take_after(number, |taken, _| taken < count)
    }

    /// The same, but the last transaction of them is whole: for a reader that keeps only what
    /// records hold at its end.
    pub(super) fn transactions_after(&self, number: u64, count: usize) -> Option<Vec<Handed>> {
        self.take_after(number, |taken, goes_on| taken < count || goes_on)
    }

    /// The events after this one, as long as the caller wants another. The caller is given how many
    /// there are already, and whether the transaction of the last one has more events.
    fn take_after(&self, number: u64, mut wants: impl FnMut(usize, bool) -> bool) -> Option<Vec<Handed>> {
        let kept = self.lock();
        let begin = kept.batches.partition_point(|written| written.last() <= number);
        let first = kept.batches.get(begin)?.events.first()?.number;
        let skipped = usize::try_from((number + 1).checked_sub(first)?).ok()?;
        let mut goes_on = false;
        Some(
            kept.batches
                .range(begin..)
                .flat_map(|written| {
                    (0..written.events.len()).map(|index| Handed {
                        written: Arc::clone(written),
                        index,
                    })
                })
                .skip(skipped)
                .enumerate()
                .take_while(|(taken, handed)| {
                    let taken = wants(*taken, goes_on);
                    goes_on = handed.event().is_some_and(|event| event.goes_on);
                    taken
                })
                .map(|(_, handed)| handed)
                .collect(),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // No code that holds the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }
}

impl Handed {
    /// The event.
    pub(super) fn event(&self) -> Option<&Event> {
        // There is one: nothing is ever taken out.
        self.written.events.get(self.index)
    }

    /// A part of the event's text.
    pub(super) fn part(&self, range: Range<usize>) -> Text {
        Text(Kind::Part {
            written: Arc::clone(&self.written),
            index: self.index,
            range,
        })
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Kind::Own(text) => text,
            Kind::Part {
                written,
                index,
                range,
            } => written
                .events
                .get(*index)
                .and_then(|event| event.text.get(range.clone()))
                .unwrap_or_default(),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text.0 {
            Kind::Own(text) => text,
            Kind::Part { .. } => text.to_string(),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Kind::Own(text))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}
