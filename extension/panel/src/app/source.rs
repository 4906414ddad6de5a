//! The source of the events: the host's feed, or a recording. Export, import, call stacks.

use leptos::prelude::*;
use protocol::wire::inspector::Tracing;

use super::state::{App, Tab};
use crate::{dom::page, events::recording, format};

impl App {
    /// Saves the matching events, once the filter has examined all events.
    pub fn export(self) {
        self.pipeline.is_export_pending.replace_untracked(true);
        self.refresh();
    }

    pub fn export_matches(self) {
        let (text, incomplete) = self.feed.log.with_untracked(|log| {
            self.feed.matches.with_untracked(|matches| {
                let rows = || matches.places().iter().filter_map(|place| log.row(*place));
                let incomplete = rows().filter(|row| row.has_left_out_value()).count();
                (recording::to_ndjson(rows()), incomplete)
            })
        });
        if incomplete > 0 {
            let events = format::count_noun(incomplete as u64, "event");
            self.show_toast(&format!(
                "{events} with values too large for the list: the file has markers in their place"
            ));
        }
        page::download(&format!("idb-relay-{}.ndjson", page::file_timestamp()), &text);
    }

    /// Shows a recording instead of the host's feed.
    pub fn import(self, name: &str, text: &str) {
        match recording::from_ndjson(text) {
            Ok(recorded) => {
                self.clear_events();
                self.feed.is_paused.set(false);
                self.ui.tab.set_if_changed(Tab::Events);
                self.source.recording.set(Some(name.to_owned()));
                self.feed.log.set(recorded);
                self.refresh();
            }
            Err((line, error)) => self.show_toast(&format!("{name}, line {line} is not an event: {error}")),
        }
    }

    /// Leaves the recording.
    pub fn return_to_live(self) {
        self.clear_events();
        self.source.recording.set(None);
        self.link.with_value(|link| link.restart_feed());
    }

    pub fn toggle_tracing(self) {
        self.source
            .is_tracing
            .update(|is_tracing| *is_tracing = !*is_tracing);
        let tracing = match (self.source.is_tracing.get_untracked(), self.site.inspected_tab) {
            (false, _) => Tracing::Off,
            (true, Some(tab)) => Tracing::Tab(tab),
            (true, None) => Tracing::All,
        };
        self.link.with_value(|link| link.set_tracing(tracing));
    }
}
