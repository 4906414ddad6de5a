//! The feed: questions that are answered when there is news.
//!
//! The journal tells its readers nothing by itself, but looking whether it has changed costs next
//! to nothing. So it is looked at every [`FEED_POLL`](timing::inspect::FEED_POLL) while a question
//! waits, and never else; what happens in between travels together.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Instant,
};

use protocol::wire::inspector::{Answer, FEED_EVENTS, Feed, MAX_QUESTIONS, Notice, Passage, Reply, Since};

use super::{cut, fail, too_many};
use crate::{
    failure::Failure as _,
    journal::{JournalError, read::Reader},
    messaging::writer::Outbox,
    timing,
};

/// How much of the journal is read for one answer: little enough that an acknowledgement behind it
/// does not wait long.
const FEED_BYTES: usize = 256 * 1024;

/// How many events the passages of one answer take a stage further, about, and how many bytes of
/// notices come with them.
const PASSAGE_EVENTS: u64 = 4096;
const NOTICE_BYTES: usize = 128 * 1024;

/// The thread's own.
pub(super) struct Feeds {
    journal: PathBuf,
    questions: Receiver<(u64, Since)>,
    outbox: Outbox,
    reader: Option<Reader>,
    pending: Vec<Pending>,
    /// What the journal's generation was when it was last looked at.
    seen: Option<i64>,
}

/// A question that waits for news.
struct Pending {
    id: u64,
    since: Since,
    until: Instant,
}

impl Feeds {
    pub(super) fn new(journal: &Path, questions: Receiver<(u64, Since)>, outbox: Outbox) -> Self {
        Self {
            journal: journal.to_owned(),
            questions,
            outbox,
            reader: None,
            pending: Vec::new(),
            seen: None,
        }
    }

    /// Runs until the sender of its questions is dropped.
    pub(super) fn run(mut self) {
        loop {
            let asked = if self.pending.is_empty() {
                self.questions.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.questions.recv_timeout(timing::inspect::FEED_POLL)
            };
            match asked {
                Ok((id, since)) => self.take(id, since),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok((id, since)) = self.questions.try_recv() {
                self.take(id, since);
            }
            if let Err(error) = self.look() {
                self.reader = None;
                for Pending { id, .. } in self.pending.drain(..) {
                    fail(&self.outbox, id, error.to_message());
                }
            }
        }
    }

    fn take(&mut self, id: u64, since: Since) {
        if self.pending.len() == MAX_QUESTIONS {
            return fail(&self.outbox, id, too_many());
        }
        let until = Instant::now() + timing::inspect::FEED;
        self.pending.push(Pending { id, since, until });
        // It may have come for what was there before.
        self.seen = None;
    }

    /// Answers those for whom there is news, or who have waited long enough.
    fn look(&mut self) -> Result<(), JournalError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.journal)?,
        };
        let generation = reader.generation()?;
        let changed = self.seen.replace(generation) != Some(generation);
        let now = Instant::now();
        let mut index = 0;
        while let Some(Pending { since, until, .. }) = self.pending.get_mut(index) {
            if changed || now >= *until {
                let feed = read(&reader, since)?;
                // An inspector that asked for future events only keeps this position, even without
                // an answer yet.
                since.clone_from(&feed.next);
                let news = !feed.events.is_empty() || !feed.passages.is_empty();
                if news || now >= *until {
                    let Pending { id, .. } = self.pending.swap_remove(index);
                    let reply = Reply::Feed(feed);
                    self.outbox.answer(Answer { id, reply });
                    continue;
                }
            }
            index += 1;
        }
        self.reader = Some(reader);
        Ok(())
    }
}

/// What there is beyond what the asker has.
fn read(reader: &Reader, since: &Since) -> Result<Feed, JournalError> {
    let (tail, head) = (reader.tail()?, reader.head()?);
    let begin = since
        .event
        .unwrap_or(head.saturating_sub(since.past))
        .clamp(tail.min(head), head);
    let entries = reader.events(begin, FEED_EVENTS, FEED_BYTES)?;
    let last = entries.last().map_or(begin, |entry| entry.number);
    let mut feed = Feed {
        tail,
        head: head.max(last),
        events: entries.into_iter().filter_map(cut::event).collect(),
        next: Since {
            event: Some(last),
            ..Since::default()
        },
        ..Feed::default()
    };
    let sinks = reader.sinks()?;
    let enabled = sinks.iter().filter(|sink| sink.enabled).map(|sink| &*sink.name);
    for stage in ["journal"].into_iter().chain(enabled) {
        let known = since.passed.get(stage).copied().unwrap_or(begin);
        let reached = routes(reader, stage, known, last, &mut feed)?;
        feed.next.passed.insert(stage.to_owned(), reached);
    }
    Ok(feed)
}

/// Takes a stage further, up to the last event that the asker has, as far as there is room; the
/// last event that has passed it.
fn routes(reader: &Reader, stage: &str, known: u64, last: u64, feed: &mut Feed) -> Result<u64, JournalError> {
    if known >= last {
        return Ok(known);
    }
    let limit = last.min(known.saturating_add(PASSAGE_EVENTS));
    let mut passed = reader.passages(stage, known, limit)?;
    let Some(&(reached, _)) = passed.last() else {
        return Ok(known);
    };
    let mut reached = reached.min(last);
    let mut bytes = 0;
    for (number, text) in reader.notices_between(stage, known, reached)? {
        bytes += text.len();
        // One fits in any case.
        if bytes > NOTICE_BYTES && bytes > text.len() {
            reached = number - 1;
            break;
        }
        feed.notices.push(Notice {
            stage: stage.to_owned(),
            number,
            text,
        });
    }
    // A passage covers the events behind the one before it.
    let whole = passed.iter().position(|(to, _)| *to >= reached);
    passed.truncate(whole.map_or(passed.len(), |index| index + 1));
    feed.passages.extend(passed.into_iter().map(|(to, at)| Passage {
        stage: stage.to_owned(),
        last: to.min(reached),
        at,
    }));
    Ok(reached)
}
