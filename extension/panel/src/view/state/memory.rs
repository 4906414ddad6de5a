//! What the Stores view remembers, and what was found of the record that is looked at.

use protocol::inspect::{Address, Record, Remark};

use super::super::lasting::Lasting;
use crate::{counts::Counts, drift::Drift, side::Found};

/// See the [module](self).
#[derive(Clone, Copy)]
pub struct Memory {
    /// How often the view was opened.
    opened: Lasting<u64>,
    pub drift: Lasting<Drift>,
    pub counts: Lasting<Counts>,
    /// With which revision of the mirror's stores all pages were asked to count.
    pub counted: Lasting<u64>,
    /// The record that is looked at, and the store's row in the table. An empty key: the store alone, until somebody writes one.
    pub chosen: Lasting<Option<(Address, usize)>>,
    /// The key that is written to look a record up, and why it is none.
    pub written: Lasting<String>,
    pub mistake: Lasting<String>,
    /// How many records were looked at; what the page and the host found of the last one.
    look: Lasting<u64>,
    pub page: Lasting<Option<Found>>,
    pub host: Lasting<Option<Result<Record, Remark>>>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            opened: Lasting::new(0),
            drift: Lasting::new(Drift::default()),
            counts: Lasting::new(Counts::default()),
            counted: Lasting::new(0),
            chosen: Lasting::new(None),
            written: Lasting::new(String::new()),
            mistake: Lasting::new(String::new()),
            look: Lasting::new(0),
            page: Lasting::new(None),
            host: Lasting::new(None),
        }
    }

    /// The view is opened: what was compared before counts no more.
    pub fn open(self) {
        self.opened.update_untracked(|opened| *opened += 1);
        self.drift.set(Drift::default());
        self.chosen.set(None);
    }

    /// Which of its openings this is.
    pub fn opening(self) -> u64 {
        self.opened.get_untracked()
    }

    /// Another record is looked at, of which nothing is known; the number of this look.
    pub fn look_anew(self) -> u64 {
        self.page.set(None);
        self.host.set(None);
        self.look.update_untracked(|look| {
            *look += 1;
            *look
        })
    }

    /// Whether nobody has looked at another record since.
    pub fn still_looks(self, look: u64) -> bool {
        self.look.get_untracked() == look
    }
}
