//! Where a test may have this process end as if it had been killed, and what time it is there.
//!
//! All of it exists in debug builds only, and only where an environment variable is set. In a
//! release build the calls are nothing and nothing reads the variables. (The crate `fail` does the
//! first part too, but by a feature: what is tested would have to be built apart from what is
//! used.)
//!
//! - `IDB_RELAY_FAIL_POINT=journal.committed:3`: the third time that point is passed, the process
//!   ends immediately, without flushing, closing or reporting anything, as with `kill -9`.
//! - `IDB_RELAY_CLOCK=/a/file`: the time is what that file says, eight bytes, little-endian, in
//!   milliseconds. So a test that plays the browser can let time pass for pages and host alike.
//!
//! How fast a test lets the process wait is said in [`timing`](crate::timing).

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

/// The time that a test has set, in milliseconds since the epoch.
#[cfg(debug_assertions)]
pub(crate) fn clock() -> Option<i64> {
    use std::{fs::File, io::Read as _, path::PathBuf, sync::OnceLock};
    static CLOCK: OnceLock<Option<PathBuf>> = OnceLock::new();
    let path = CLOCK.get_or_init(|| std::env::var_os("IDB_RELAY_CLOCK").map(PathBuf::from));
    let mut bytes = [0; 8];
    File::open(path.as_ref()?).ok()?.read_exact(&mut bytes).ok()?;
    Some(i64::from_le_bytes(bytes))
}

/// See the debug build's: no test sets it.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn clock() -> Option<i64> {
    None
}
