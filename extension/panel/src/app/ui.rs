//! Tabs, dialogs and messages.

use super::state::{App, Overlay, Tab};
use crate::{
    dom::page,
    timers::{run_later, run_with_next_frame},
    timing,
};

impl App {
    /// Opens a dialog or closes it. The screen behind it cannot be reached meanwhile.
    pub fn show_overlay(self, overlay: Option<Overlay>) {
        self.ui.overlay.set(overlay);
        page::set_inert("screen", overlay.is_some());
        if overlay.is_none() {
            page::focus("feed");
        } else {
            run_with_next_frame(page::focus_overlay);
        }
    }

    /// Shows a tab, and moves the focus there, since the focused element may be gone.
    pub fn show_tab(self, tab: Tab) {
        self.ui.tab.set_if_changed(tab);
        run_with_next_frame(|| {
            page::focus("feed");
        });
    }

    pub fn show_toast(self, text: &str) {
        let shown = text.to_owned();
        self.ui.toast.set(shown.clone());
        run_later(timing::TOAST_MS, move || {
            if self.ui.toast.get_untracked() == shown {
                self.ui.toast.set(String::new());
            }
        });
    }

    pub fn copy(self, what: &str, text: &str) {
        self.show_toast(&if page::copy(text) {
            format!("{what} copied")
        } else {
            format!("{what} could not be copied")
        });
    }
}
