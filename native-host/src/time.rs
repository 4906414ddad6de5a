//! The one clock of the host.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, comparable with a page's `Date.now()`; 0 for a clock before 1970.
pub(crate) fn now_ms() -> i64 {
    crate::failpoint::clock().unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
