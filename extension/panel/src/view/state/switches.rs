//! What is on or off, and starting afresh.

use leptos::prelude::*;
use protocol::inspect::{FromInspector, Tracing};

use super::{super::page, Over, State, Tab};
use crate::{model::Model, query::Query, shown::Shown, stack::Stacks};

impl State {
    /// Filters by what is written. What makes no sense yet changes nothing.
    pub fn set_filter(self, written: String) {
        let query = Query::parse(&written).map_err(|error| error.0);
        if let Ok(query) = &query {
            self.texts.put(query.texts().map(str::to_owned).collect());
            self.standing.put(query.clone());
        }
        self.query.set(query);
        self.filter.set(written);
    }

    /// Lays something over the screen, which can't be reached meanwhile, or takes it away.
    pub fn show(self, over: Option<Over>) {
        self.over.set(over);
        page::set_inert("screen", over.is_some());
        if over.is_none() {
            page::focus("feed");
        } else {
            page::soon(page::focus_over);
        }
    }

    /// Shows a view, and takes the focus along: what had it may be gone.
    pub fn go(self, tab: Tab) {
        self.tab.put(tab);
        page::soon(|| {
            page::focus("feed");
        });
    }

    pub fn toggle_display(self) {
        self.frozen.update(|frozen| *frozen = !*frozen);
        self.refresh();
    }

    pub fn toggle_follow(self) {
        self.follow.update(|follow| *follow = !*follow);
        self.refresh();
    }

    pub fn toggle_tracing(self) {
        self.tracing.update(|tracing| *tracing = !*tracing);
        let wanted = match (self.tracing.get_untracked(), self.inspected) {
            (false, _) => Tracing::Off,
            (true, Some(tab)) => Tracing::Tab(tab),
            (true, None) => Tracing::All,
        };
        self.link.with_value(|link| link.trace(wanted));
    }

    pub fn toggle_capture(self) {
        let paused = self
            .background
            .with_untracked(|background| background.as_ref().is_some_and(|told| told.paused));
        self.tell(&FromInspector::Pause { paused: !paused });
    }

    pub fn clear(self) {
        self.choose(None);
        self.model.update(Model::clear);
        self.stacks.update(Stacks::clear);
        self.shown.update(Shown::clear);
        self.nothing.put(true);
        self.count();
        self.follow.set(true);
        self.scroll_to(0);
    }
}
