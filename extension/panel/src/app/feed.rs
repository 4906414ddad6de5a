//! Actions on the feed and its filter.

use super::state::App;
use crate::events::{filter::Filter, log::EventLog, matches::Matches, stacks::Stacks};

impl App {
    /// Filters by a text. An invalid one leaves the active filter in place.
    pub fn set_filter(self, text: String) {
        let parsed = Filter::parse(&text).map_err(|error| error.0);
        if let Ok(filter) = &parsed {
            let texts = filter.search_texts().map(str::to_owned).collect();
            self.filter.search_texts.set_if_changed(texts);
            self.filter.active.set_if_changed(filter.clone());
        }
        self.filter.parsed.set(parsed);
        self.filter.text.set(text);
    }

    pub fn toggle_display_pause(self) {
        self.feed.is_paused.update(|is_paused| *is_paused = !*is_paused);
        self.refresh();
    }

    pub fn toggle_follow(self) {
        self.list
            .is_following
            .update(|is_following| *is_following = !*is_following);
        self.refresh();
    }

    pub fn clear_events(self) {
        self.set_selection(None);
        self.feed.log.update(EventLog::clear);
        self.feed.stacks.update(Stacks::clear);
        self.feed.matches.update(Matches::clear);
        self.feed.is_empty.set_if_changed(true);
        self.update_counts();
        self.list.is_following.set(true);
        self.scroll_to(0);
    }
}
