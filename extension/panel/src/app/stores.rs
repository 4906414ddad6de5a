//! The Stores view, and the record that is compared.

use protocol::wire::inspector::{Question, Reply};

use super::state::App;
use crate::records::drift::DriftResults;

impl App {
    /// Loads the view. Results of earlier comparisons are dropped.
    pub fn open_stores(self) {
        self.load_stores();
        self.stores.opening.update_untracked(|opening| *opening += 1);
        self.stores.drift.set(DriftResults::default());
        self.stores.chosen.set(None);
    }

    pub fn load_stores(self) {
        self.ask(Question::Stores {}, move |reply| {
            self.stores.mirrored.set(Some(match reply {
                Reply::Stores(stores) => Ok(stores),
                Reply::Failed(error) => Err(format!("{} {}", error.message, error.fix)),
                _ => Err("The host gave an unexpected answer.".to_owned()),
            }));
        });
    }

    /// Begins to compare another record; the number of this comparison.
    pub fn start_record_comparison(self) -> u64 {
        self.stores.record_in_page.set(None);
        self.stores.record_in_host.set(None);
        self.stores.comparison.update_untracked(|comparison| {
            *comparison += 1;
            *comparison
        })
    }

    /// Whether a comparison is still the latest one.
    pub fn is_latest_comparison(self, comparison: u64) -> bool {
        self.stores.comparison.get_untracked() == comparison
    }
}
