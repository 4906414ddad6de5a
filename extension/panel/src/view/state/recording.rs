//! Events as files: saved, opened, and back to what happens.

use leptos::prelude::*;

use super::{super::page, State, Tab};
use crate::{recording, words};

impl State {
    /// Saves the events shown. What a filter lets through is known only once it has looked at everything.
    pub fn export(self) {
        self.intake.exported.replace(true);
        self.refresh();
    }

    pub(super) fn offer_file(self) {
        let (text, cut) = self.model.with_untracked(|model| {
            self.shown.with_untracked(|shown| {
                let rows = || shown.places().iter().filter_map(|place| model.row(*place));
                (
                    recording::write(rows()),
                    rows().filter(|row| row.is_cut()).count(),
                )
            })
        });
        if cut > 0 {
            let events = words::counted(cut, "event");
            self.say(&format!(
                "{events} with values too large for the list: the file says so in their place"
            ));
        }
        page::download(&format!("idb-relay-{}.ndjson", page::stamp()), &text);
    }

    /// Shows a recording instead of what happens.
    pub fn import(self, name: &str, text: &str) {
        match recording::read(text) {
            Ok(recorded) => {
                self.clear();
                self.frozen.set(false);
                self.tab.put(Tab::Events);
                self.recording.set(Some(name.to_owned()));
                self.model.set(recorded);
                self.refresh();
            }
            Err((line, error)) => self.say(&format!("{name}, line {line}, is no event: {error}")),
        }
    }

    /// Back from a recording to what happens.
    pub fn live(self) {
        self.clear();
        self.recording.set(None);
        self.link.with_value(|link| link.restart());
    }
}
