//! Taking in what has come, once a frame and whatever its rate: one look at the filter, and one change of the screen if it is time
//! for one ([`Pace`]).

use leptos::prelude::*;
use protocol::inspect::Feed;

use super::{
    super::{lasting::Lasting, page},
    ROW, State,
};
use crate::{link, pace::Pace, query::Query, shown::Shown};

/// How often numbers change at most while events stream in, in milliseconds: nobody reads faster.
const COUNTING: i32 = 200;

/// What is on its way to the screen.
#[derive(Clone, Copy)]
pub(super) struct Intake {
    /// What has come and is not taken in yet.
    coming: Lasting<Vec<Feed>>,
    /// Whether a frame is waited for.
    awaited: Lasting<bool>,
    /// How often it is drawn, and whether the end of a rest is waited for.
    pace: Lasting<Pace>,
    resting: Lasting<bool>,
    /// How many of the events shown have gone from above since it was drawn.
    lost: Lasting<usize>,
    /// Whether the counts are not to change for a moment.
    counted: Lasting<bool>,
    /// Whether a file of the events is wanted as soon as it is known which.
    pub exported: Lasting<bool>,
}

impl Intake {
    pub fn new() -> Self {
        Self {
            coming: Lasting::new(Vec::new()),
            awaited: Lasting::new(false),
            pace: Lasting::new(Pace::default()),
            resting: Lasting::new(false),
            lost: Lasting::new(0),
            counted: Lasting::new(false),
            exported: Lasting::new(false),
        }
    }

    /// A stretch of the feed has come.
    pub fn push(self, feed: Feed) {
        self.coming.update_untracked(|coming| coming.push(feed));
    }
}

/// How many events there are, as it is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub shown: usize,
    pub there: usize,
    pub gone: usize,
    pub unread: usize,
}

impl State {
    /// The filter with the site that it is confined to.
    pub(super) fn effective(self) -> Query {
        let site = self.only_site.get() && self.recording.with(Option::is_none);
        let origin = self.origin.get().filter(|_| site);
        self.standing.get().within(origin)
    }

    /// Shows at once what a person has changed, with what has come.
    pub fn refresh(self) {
        self.intake.pace.update_untracked(|pace| pace.hurry(page::now()));
        self.pulse();
    }

    /// Takes in, with the next frame, what has come.
    pub(super) fn pulse(self) {
        if !self.intake.awaited.replace(true) {
            page::soon(move || {
                self.intake.awaited.replace(false);
                self.take_in();
            });
        }
    }

    fn take_in(self) {
        let began = page::now();
        let coming = self.intake.coming.update_untracked(std::mem::take);
        // While a recording is shown, what happens is not kept; the feed starts again behind it.
        if !coming.is_empty() && self.recording.with_untracked(Option::is_none) {
            self.model
                .update_untracked(|model| coming.iter().for_each(|feed| model.take(feed)));
            self.link.with_value(|link| link.pull());
        }
        let frozen = self.frozen.get_untracked();
        let query = untrack(|| self.effective());
        let (mut more, mut gone) = (false, 0);
        self.shown.update_untracked(|shown| {
            self.model
                .update_untracked(|model| (more, gone) = shown.follow(model, &query, frozen));
        });
        self.intake.lost.update_untracked(|lost| *lost += gone);
        let first = self.model.with_untracked(|model| model.places().start);
        if self.selected.get_untracked().is_some_and(|place| place < first) {
            self.choose(None);
        }
        if self.looking.get_untracked() != more {
            self.looking.set(more);
        }
        self.draw(began);
        if more {
            self.pulse();
        } else if self.intake.exported.replace(false) {
            self.offer_file();
        }
    }

    /// Has the screen show what was taken in, now or when it has rested.
    fn draw(self, began: f64) {
        let rest = self.intake.pace.with_untracked(|pace| pace.rest(began));
        if rest > 0.0 {
            if !self.intake.resting.replace(true) {
                #[allow(clippy::cast_possible_truncation, reason = "a rest is less than a second")]
                link::later(rest.ceil() as i32, move || {
                    self.intake.resting.replace(false);
                    self.pulse();
                });
            }
            return;
        }
        self.model.notify();
        self.look_at_selected();
        self.shown.notify();
        self.settle();
        if self.follow.get_untracked() {
            let content = self.shown.with_untracked(Shown::len) * ROW;
            self.scroll_to(content.saturating_sub(self.height.get_untracked()));
        }
        self.count();
        let nothing = self.shown.with_untracked(Shown::is_empty);
        self.nothing.put(nothing);
        // What an empty list takes is the page's own beginning.
        if nothing {
            return;
        }
        // Behind the frame.
        link::later(0, move || {
            self.intake
                .pace
                .update_untracked(|pace| pace.drawn(began, page::now()));
        });
    }

    /// Keeps what is looked at where it is though events above it are gone.
    pub fn settle(self) {
        let lost = self.intake.lost.replace(0);
        if lost > 0 && !self.follow.get_untracked() {
            self.scroll_to(self.top.get_untracked().saturating_sub(lost * ROW));
        }
    }

    /// Says how many events there are, now and then.
    pub(super) fn count(self) {
        if self.intake.counted.get_untracked() {
            return;
        }
        let (there, gone, unread) = self
            .model
            .with_untracked(|model| (model.places().len(), model.gone(), model.unread()));
        let counts = Counts {
            shown: self.shown.with_untracked(Shown::len),
            there,
            gone,
            unread,
        };
        if self.counts.get_untracked() != counts {
            self.counts.set(counts);
            self.intake.counted.replace(true);
            link::later(COUNTING, move || {
                self.intake.counted.replace(false);
                // What ends a rest counts, too.
                if !self.intake.resting.get_untracked() {
                    self.count();
                }
            });
        }
    }

    /// Says how far the list is to be scrolled.
    pub fn scroll_to(self, top: usize) {
        if self.top.get_untracked() != top {
            self.top.set(top);
        }
    }
}
