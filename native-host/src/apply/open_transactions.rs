//! Transactions of which only the beginning has arrived: worth waiting for, but not for long.

use std::{collections::HashMap, time::Instant};

use super::change::Change;
use crate::timing::apply::{REST, REST_IN_ALL};

/// What is waited for, of what is applied together.
#[derive(Default)]
pub(super) struct OpenTransactions {
    /// By profile: when the last event of its open transaction arrived. What other profiles write
    /// does not prolong the wait for a host that has ended in the middle of one.
    last: HashMap<String, Instant>,
    /// Since when one or another is open: who writes one event after the other of a transaction
    /// without an end must not have all others wait without end.
    since: Option<Instant>,
}

impl OpenTransactions {
    /// An event has arrived.
    pub fn note(&mut self, change: &Change) {
        if change.goes_on {
            let now = Instant::now();
            self.since.get_or_insert(now);
            self.last.insert(change.profile.clone(), now);
        } else {
            self.last.remove(&change.profile);
            if self.last.is_empty() {
                self.since = None;
            }
        }
    }

    /// Whether the rest of one may still come.
    pub fn are_worth_waiting_for(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() < REST_IN_ALL)
            && self.last.values().any(|last| last.elapsed() < REST)
    }
}
