//! Transactions of which only the beginning has arrived: worth waiting for, but not for long.

use std::{collections::HashMap, time::Instant};

use super::change::Change;
use crate::timing::apply::REST;

/// By profile: when the last event of its open transaction arrived. What other profiles write does
/// not prolong the wait for a host that has ended in the middle of one.
#[derive(Default)]
pub(super) struct OpenTransactions(HashMap<String, Instant>);

impl OpenTransactions {
    /// An event has arrived.
    pub fn note(&mut self, change: &Change) {
        if change.goes_on {
            self.0.insert(change.profile.clone(), Instant::now());
        } else {
            self.0.remove(&change.profile);
        }
    }

    /// Whether the rest of one may still come.
    pub fn are_worth_waiting_for(&self) -> bool {
        self.0.values().any(|last| last.elapsed() < REST)
    }
}
