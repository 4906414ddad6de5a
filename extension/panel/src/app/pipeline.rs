//! Events on their way to the screen: ingest → filter → schedule → draw.
//!
//! Everything received between two frames is processed together, with the next frame:
//!
//! 1. **Ingest:** the feed's answers go into the log, and the next part of the feed is requested.
//! 2. **Filter:** the filter examines the next events ([`Matches::update`]). What remains is for
//!    later frames.
//! 3. **Schedule:** after an expensive draw the list pauses for a while ([`DrawSchedule`]).
//! 4. **Draw:** the components are notified. They read the log, the matches and the scroll
//!    position.
//!
//! [`DrawSchedule`]: crate::draw_schedule::DrawSchedule

use leptos::prelude::*;
use protocol::wire::inspector::Feed as FeedAnswer;

use super::state::{App, FeedCounts};
use crate::{
    dom::{page, row::ROW_HEIGHT},
    events::{filter::Filter, matches::Matches},
    timers::{run_later, run_with_next_frame},
    timing,
};

impl App {
    pub fn receive_feed(self, feed: FeedAnswer) {
        self.pipeline
            .received
            .update_untracked(|received| received.push(feed));
    }

    /// Draws at once what the user changed, together with what was received.
    pub fn refresh(self) {
        self.pipeline
            .draw_schedule
            .update_untracked(|schedule| schedule.request_draw(page::now_ms()));
        self.request_frame();
    }

    pub fn request_frame(self) {
        if !self.pipeline.is_frame_requested.replace_untracked(true) {
            run_with_next_frame(move || {
                self.pipeline.is_frame_requested.replace_untracked(false);
                self.run_pipeline();
            });
        }
    }

    fn run_pipeline(self) {
        let began = page::now_ms();
        self.ingest();
        let has_more = self.apply_filter();
        if self.is_draw_due(began) {
            self.draw(began);
        }
        if has_more {
            self.request_frame();
        } else if self.pipeline.is_export_pending.replace_untracked(false) {
            self.export_matches();
        }
    }

    fn ingest(self) {
        let received = self.pipeline.received.update_untracked(std::mem::take);
        // The feed is paused while a recording is shown. It restarts when the user leaves it.
        if received.is_empty() || self.source.recording.with_untracked(Option::is_some) {
            return;
        }
        self.feed
            .log
            .update_untracked(|log| received.iter().for_each(|feed| log.apply_feed(feed)));
        self.link.with_value(|link| link.request_feed());
    }

    /// Examines the next events. True: there are more.
    fn apply_filter(self) -> bool {
        let is_paused = self.feed.is_paused.get_untracked();
        let filter = untrack(|| self.effective_filter());
        let progress = self.feed.matches.update_untracked(|matches| {
            self.feed
                .log
                .update_untracked(|log| matches.update(log, &filter, is_paused))
        });
        self.pipeline
            .evicted_matches
            .update_untracked(|evicted| *evicted += progress.evicted);
        let first = self.feed.log.with_untracked(|log| log.places().start);
        if self
            .selection
            .place
            .get_untracked()
            .is_some_and(|place| place < first)
        {
            self.set_selection(None);
        }
        self.feed.is_filtering.set_if_changed(progress.has_more);
        progress.has_more
    }

    /// The active filter, restricted to the inspected site if that is wanted.
    pub fn effective_filter(self) -> Filter {
        let is_restricted = self.site.is_exclusive.get() && self.source.recording.with(Option::is_none);
        let origin = self.site.origin.get().filter(|_| is_restricted);
        self.filter.active.get().restricted_to(origin)
    }

    /// False during a pause. Its end requests another frame.
    fn is_draw_due(self, now: f64) -> bool {
        let pause = self
            .pipeline
            .draw_schedule
            .with_untracked(|schedule| schedule.remaining_pause(now));
        if pause > 0.0 && !self.pipeline.is_draw_pending.replace_untracked(true) {
            #[allow(clippy::cast_possible_truncation, reason = "a pause is less than a second")]
            run_later(pause.ceil() as i32, move || {
                self.pipeline.is_draw_pending.replace_untracked(false);
                self.request_frame();
            });
        }
        pause <= 0.0
    }

    fn draw(self, began: f64) {
        self.feed.log.notify();
        self.update_selected_row();
        self.feed.matches.notify();
        self.compensate_evictions();
        if self.list.is_following.get_untracked() {
            let content = self.feed.matches.with_untracked(Matches::len) * ROW_HEIGHT;
            self.scroll_to(content.saturating_sub(self.list.height.get_untracked()));
        }
        self.update_counts();
        let is_empty = self.feed.matches.with_untracked(Matches::is_empty);
        self.feed.is_empty.set_if_changed(is_empty);
        // An empty list costs nothing. What its first frame takes is the start of the page.
        if is_empty {
            return;
        }
        // The timer fires after the browser has painted.
        run_later(0, move || {
            self.pipeline
                .draw_schedule
                .update_untracked(|schedule| schedule.record_draw(began, page::now_ms()));
        });
    }

    /// Keeps the visible events where they are after events above them were evicted.
    pub fn compensate_evictions(self) {
        let evicted = self.pipeline.evicted_matches.replace_untracked(0);
        if evicted > 0 && !self.list.is_following.get_untracked() {
            let top = self.list.scroll_top.get_untracked();
            self.scroll_to(top.saturating_sub(evicted * ROW_HEIGHT));
        }
    }

    /// Shows the counts, at most once in [`timing::COUNTS_INTERVAL_MS`].
    pub fn update_counts(self) {
        if self.pipeline.are_counts_fresh.get_untracked() {
            return;
        }
        let matching = self.feed.matches.with_untracked(Matches::len);
        let counts = self.feed.log.with_untracked(|log| FeedCounts {
            matching,
            kept: log.places().len(),
            evicted: log.evicted(),
            unreadable: log.unreadable(),
        });
        if self.feed.counts.get_untracked() != counts {
            self.feed.counts.set(counts);
            self.pipeline.are_counts_fresh.replace_untracked(true);
            run_later(timing::COUNTS_INTERVAL_MS, move || {
                self.pipeline.are_counts_fresh.replace_untracked(false);
                // During a pause the next draw updates them.
                if !self.pipeline.is_draw_pending.get_untracked() {
                    self.update_counts();
                }
            });
        }
    }

    pub fn scroll_to(self, top: usize) {
        self.list.scroll_top.set_if_changed(top);
    }
}
