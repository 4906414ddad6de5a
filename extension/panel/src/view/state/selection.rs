//! The event that is selected, and keeping it in sight.

use super::{super::page, ROW, State, Tab};
/// Where to go in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many lines further down; from nowhere into the list at that end from which they lead.
    Lines(isize),
    First,
    Last,
}

impl State {
    /// Selects the event that lies there from the selected one.
    pub fn step(self, step: Step) -> bool {
        if self.tab.get_untracked() != Tab::Events {
            return false;
        }
        let place = self.shown.with_untracked(|shown| {
            let last = shown.len().checked_sub(1)?;
            let now = self.selected.get_untracked().map(|place| shown.index_of(place));
            let index = match (step, now) {
                (Step::Lines(lines), Some(index)) => index.saturating_add_signed(lines).min(last),
                (Step::Lines(..0), None) | (Step::Last, _) => last,
                (Step::Lines(_), None) | (Step::First, _) => 0,
            };
            shown.places().get(index).copied()
        });
        if let Some(place) = place {
            self.select(place);
        }
        place.is_some()
    }

    /// Shows an event's details, and brings it into sight.
    pub fn select(self, place: usize) {
        self.settle();
        self.choose(Some(place));
        let at = self.shown.with_untracked(|shown| shown.index_of(place)) * ROW;
        let (top, height) = (self.top.get_untracked(), self.height.get_untracked());
        if at < top || at + ROW > top + height {
            self.follow.set(false);
            let wanted = if at < top {
                at
            } else {
                (at + ROW).saturating_sub(height)
            };
            self.scroll_to(wanted);
        }
    }

    /// This event is the selected one, or none.
    pub fn choose(self, place: Option<usize>) {
        // It may have gone since it was drawn.
        let place = place.filter(|place| self.model.with_untracked(|model| model.places().contains(place)));
        if place.is_none() && page::is_within(".details") {
            page::focus("feed");
        }
        self.selected.set(place);
        self.detailed.put(place.is_some());
        self.look_at_selected();
    }

    /// What is shown of the selected event is what the model has of it.
    pub(super) fn look_at_selected(self) {
        let row = self.selected.get_untracked().and_then(|place| {
            self.model
                .with_untracked(|model| Some((place, model.row(place)?.clone())))
        });
        if self.row.with_untracked(|known| *known != row) {
            self.row.set(row);
        }
    }
}
