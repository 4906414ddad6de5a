//! Which of two statements about a record is the younger one.
//!
//! What is known of a record comes from commits and from reads of several documents. Those of one
//! document come in order, those of two in any. Each carries a span of time that encloses the
//! instant at which it was true. So everything that is known has a *stamp*: the document it came
//! from, and when at the latest it was true. What arrives is certainly younger than that, or it is
//! *in conflict* with it: then the record is read again ([`requery`](super::requery)).
//!
//! A conflict has a *most likely* outcome all the same. Transactions that write the same store do
//! not overlap, so the younger of two commits begins later. A commit that does not
//! ([`CommitSpan::is_late`]) is reported, but it does not change the record: otherwise the caches
//! would step back until the record is read again. That reading is what decides.
//!
//! No stamp is from a time that is yet to come ([`clock`](super::super::clock)).
//!
//! **Invariant:** a stamp in conflict belongs to no document. If it belonged to the latest writer,
//! that document's next commit would be accepted unchecked although another document's write may be
//! younger.

/// How far two documents' clocks and the granularity of `Date.now()` may mislead.
pub(in crate::journal) const SLACK_MS: i64 = 250;

/// How far two clocks of one machine are apart that show the same instant: `Date.now()` has
/// milliseconds.
const TICK_MS: i64 = 1;

/// The source of what is known, and when it was true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::journal) struct Stamp {
    /// The context that wrote it; the negative of the one that read it; [`NO_CONTEXT`].
    pub by: i64,
    /// When the span begins that encloses the instant at which it was true.
    pub began: i64,
    /// When it was true, at the latest.
    pub at: i64,
}

/// Several documents at about the same time, or an unknown one.
pub(in crate::journal) const NO_CONTEXT: i64 = 0;

/// A commit: it took place between these two times.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct CommitSpan {
    pub context: i64,
    pub began_at: i64,
    pub committed_at: i64,
}

impl CommitSpan {
    /// Whether it may be older than this stamp.
    pub(in crate::journal) fn conflicts_with(self, last: Stamp) -> bool {
        if last.by == self.context {
            // Its own commits come in order.
            return false;
        }
        self.began_at <= last.at.saturating_add(self.clock_slack(last.by))
    }

    /// How far the clock of a stamp by this context may differ from the commit's. A read by the
    /// same document goes by the same clock.
    pub(in crate::journal) fn clock_slack(self, by: i64) -> i64 {
        if by == -self.context { 0 } else { SLACK_MS }
    }

    /// Whether it conflicts with this stamp and is most likely older.
    ///
    /// The beginnings decide. Where they are close, so do the ends: a transaction that was begun
    /// first may have waited with its first write. Where the clock cannot tell the beginnings apart
    /// the record stays as it is. Neither matters if the stamp is `own`: the same document was the
    /// last to write the record.
    pub(in crate::journal) fn is_late(self, last: Stamp, own: impl FnOnce() -> bool) -> bool {
        if !self.conflicts_with(last) {
            return false;
        }
        let began_with_it = self.began_at <= last.began.saturating_add(TICK_MS);
        let close = self.began_at < last.began.saturating_add(SLACK_MS);
        let ends_first = close && self.committed_at < last.at;
        self.began_at < last.began || (began_with_it || ends_first) && !own()
    }

    /// The last stamp after this commit.
    pub(in crate::journal) fn combine_with(self, last: Stamp) -> Stamp {
        Stamp {
            by: if self.conflicts_with(last) {
                NO_CONTEXT
            } else {
                self.context
            },
            began: self.began_at.max(last.began),
            at: self.committed_at.max(last.at),
        }
    }
}

/// A read transaction: it took place between these two times.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct ReadSpan {
    pub context: i64,
    pub began_at: i64,
    pub read_at: i64,
    /// It answers a question about single records.
    pub is_answer: bool,
}

impl ReadSpan {
    /// What it saw was true.
    pub(in crate::journal) fn stamp(self) -> Stamp {
        Stamp {
            by: -self.context,
            began: self.began_at,
            at: self.read_at,
        }
    }

    /// Whether it may be older than something that was true at this time.
    pub(in crate::journal) fn may_precede(self, at: i64) -> bool {
        at >= self.began_at.saturating_sub(SLACK_MS)
    }

    /// The last stamp after this read, of something that it found unchanged.
    pub(in crate::journal) fn combine_with(self, last: Stamp) -> Stamp {
        let contested = last.by != -self.context && self.may_precede(last.at);
        Stamp {
            by: if contested { NO_CONTEXT } else { -self.context },
            began: self.began_at.max(last.began),
            at: self.read_at.max(last.at),
        }
    }
}
