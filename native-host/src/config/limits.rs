//! How much of the events a journal keeps.

use std::time::Duration;

use crate::time::now_ms;

/// How much of the events stays in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes of events stay after they were passed on.
    pub keep_bytes: u64,
    /// How long they stay.
    pub keep: Duration,
    /// How many bytes of events there may be at all; `None`: as many as the disk holds.
    pub max_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            keep_bytes: 64 * 1024 * 1024,
            keep: Duration::from_secs(7 * 24 * 60 * 60),
            max_bytes: Some(1024 * 1024 * 1024),
        }
    }
}

impl Limits {
    /// Events up to this time are old.
    pub fn old_at(&self) -> i64 {
        let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        now_ms().saturating_sub(keep)
    }
}
