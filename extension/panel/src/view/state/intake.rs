//! Taking in what has come, once a frame and whatever its rate: one look at the filter, one change of the screen.

use leptos::prelude::*;

use super::{super::page, ROW, State};
use crate::{link, query::Query, shown::Shown};

/// How often numbers change at most while events stream in, in milliseconds: nobody reads faster.
const COUNTING: i32 = 200;

/// How many events there are, as it is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub shown: usize,
    pub there: usize,
    pub gone: usize,
    pub unread: usize,
}

impl State {
    /// The filter with the site that it is confined to; `None` while what is written makes no sense, which changes nothing.
    pub(super) fn effective(self) -> Option<Query> {
        let site = self.only_site.get() && self.recording.with(Option::is_none);
        let origin = self.origin.get().filter(|_| site);
        self.query.with(|query| {
            let query = query.as_ref().ok()?;
            Some(query.clone().within(origin))
        })
    }

    /// Takes in, with the next frame, what has come.
    pub fn pulse(self) {
        if !self
            .awaited
            .try_update_value(|awaited| std::mem::replace(awaited, true))
            .unwrap_or(true)
        {
            page::soon(move || {
                self.awaited.set_value(false);
                self.take_in();
            });
        }
    }

    fn take_in(self) {
        let coming = self.coming.try_update_value(std::mem::take).unwrap_or_default();
        // While a recording is shown, what happens is not kept; the feed starts again behind it.
        if !coming.is_empty() && self.recording.with_untracked(Option::is_none) {
            self.model
                .update(|model| coming.iter().for_each(|feed| model.take(feed)));
            self.link.with_value(|link| link.pull());
        }
        let frozen = self.frozen.get_untracked();
        let query = untrack(|| self.effective());
        let mut changed = None;
        self.model.try_update_untracked(|model| changed = model.changed());
        let (mut more, mut gone) = (false, 0);
        self.shown.update(|shown| {
            self.model.with_untracked(|model| match &query {
                Some(query) if !frozen || shown.is_looking() => {
                    if let Some(place) = changed {
                        shown.changed(place, query);
                    }
                    (more, gone) = shown.advance(model, query);
                }
                // What is shown stays; a filter that makes sense again looks at everything.
                _ => gone = shown.forget(model.places().start),
            });
        });
        if self.looking.get_untracked() != more {
            self.looking.set(more);
        }
        self.count();
        if self.follow.get_untracked() {
            let content = self.shown.with_untracked(Shown::len) * ROW;
            self.scroll_to(content.saturating_sub(self.height.get_untracked()));
        } else if gone > 0 {
            // What is looked at stays where it is.
            self.scroll_to(self.top.get_untracked().saturating_sub(gone * ROW));
        }
        if more {
            self.pulse();
        } else if self.exported.get_value() {
            self.exported.set_value(false);
            self.offer_file();
        }
    }

    /// Says how many events there are, now and then.
    pub(super) fn count(self) {
        if self.counted.get_value() {
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
            self.counted.set_value(true);
            link::later(COUNTING, move || {
                self.counted.set_value(false);
                self.count();
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
