//! The one clock of the host.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, comparable with a page's `Date.now()`; 0 for a clock before 1970.
pub(crate) fn now_ms() -> i64 {
    let now = crate::failpoint::clock().unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    });
    #[cfg(test)]
    let now = now + PASSED.get();
    now
}

#[cfg(test)]
thread_local! {
    /// How far the clock of a unit test is ahead.
    static PASSED: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// So many milliseconds pass for a unit test, or its clock is set back.
#[cfg(test)]
pub(crate) fn pass(milliseconds: i64) {
    PASSED.set(PASSED.get() + milliseconds);
}
