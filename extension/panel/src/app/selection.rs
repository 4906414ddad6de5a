//! Selecting an event, and keeping it in view.

use super::state::{App, Step, Tab};
use crate::dom::{page, row::ROW_HEIGHT};

impl App {
    /// Moves the selection. False: there is no event to select.
    pub fn move_selection(self, step: Step) -> bool {
        if self.ui.tab.get_untracked() != Tab::Events {
            return false;
        }
        let place = self.feed.matches.with_untracked(|matches| {
            let last = matches.len().checked_sub(1)?;
            let selected = self.selection.place.get_untracked();
            let current = selected.map(|place| matches.index_of(place));
            let index = match (step, current) {
                (Step::By(rows), Some(index)) => index.saturating_add_signed(rows).min(last),
                (Step::By(..0), None) | (Step::Last, _) => last,
                (Step::By(_), None) | (Step::First, _) => 0,
            };
            matches.places().get(index).copied()
        });
        if let Some(place) = place {
            self.select(place);
        }
        place.is_some()
    }

    /// Shows the details of an event, and scrolls it into view.
    pub fn select(self, place: usize) {
        self.compensate_evictions();
        self.set_selection(Some(place));
        let index = self
            .feed
            .matches
            .with_untracked(|matches| matches.index_of(place));
        let row_top = index * ROW_HEIGHT;
        let (top, height) = (
            self.list.scroll_top.get_untracked(),
            self.list.height.get_untracked(),
        );
        if row_top < top {
            self.list.is_following.set(false);
            self.scroll_to(row_top);
        } else if row_top + ROW_HEIGHT > top + height {
            self.list.is_following.set(false);
            self.scroll_to((row_top + ROW_HEIGHT).saturating_sub(height));
        }
    }

    pub fn set_selection(self, place: Option<usize>) {
        // The event may have been evicted since it was drawn.
        let place = place.filter(|place| self.feed.log.with_untracked(|log| log.places().contains(place)));
        if place.is_none() && page::is_focus_within(".details") {
            page::focus("feed");
        }
        self.selection.place.set(place);
        self.selection.is_some.set_if_changed(place.is_some());
        self.update_selected_row();
    }

    /// Updates the details from the log.
    pub fn update_selected_row(self) {
        let row = self.selection.place.get_untracked().and_then(|place| {
            self.feed
                .log
                .with_untracked(|log| Some((place, log.row(place)?.clone())))
        });
        self.selection.row.set_if_changed(row);
    }

    /// Closes the details, and moves the focus to the list.
    pub fn close_details(self) {
        self.set_selection(None);
        page::focus("feed");
    }
}
