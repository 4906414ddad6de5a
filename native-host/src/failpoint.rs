//! Where a test may have this process end as if it had been killed, and how fast a test lets it wait.
//!
//! Both exist in debug builds only, and only for whoever sets a variable of the environment; in a release build the calls are
//! nothing and nothing reads the variables. (The crate `fail` does the first part too, but by a feature: what is tested would have to be
//! built apart from what is used.)
//!
//! - `IDB_RELAY_FAIL_POINT=journal.committed:3`: the third time that point is passed, the process ends on the spot. Nothing is flushed,
//!   closed or told, as with `kill -9`.
//! - `IDB_RELAY_PACE=10`: pauses, and the patience with servers, take a tenth of their time. What follows them stays the same.

use std::time::Duration;

/// Passes a point at which the process may have to end.
#[cfg(debug_assertions)]
pub(crate) fn pass(name: &'static str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static ARMED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        let variable = std::env::var("IDB_RELAY_FAIL_POINT").ok()?;
        let (point, times) = variable.split_once(':').unwrap_or((&variable, "1"));
        Some((point.to_owned(), AtomicU64::new(times.parse().ok()?)))
    });
    if let Some((point, left)) = armed
        && point == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// See the debug build's: nothing at all.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn pass(_name: &'static str) {}

/// How long a pause of this length is at the pace of this process.
#[cfg(debug_assertions)]
pub(crate) fn paced(pause: Duration) -> Duration {
    static PACE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let pace = PACE.get_or_init(|| {
        let variable = std::env::var("IDB_RELAY_PACE").ok();
        variable.and_then(|pace| pace.parse().ok()).unwrap_or(1)
    });
    pause / (*pace).max(1)
}

/// See the debug build's: the pause itself.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn paced(pause: Duration) -> Duration {
    pause
}
