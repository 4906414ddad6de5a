//! Every duration that the background waits for.
//!
//! A lint refuses others in this crate (`xtask/src/lint/timers.rs`). The relay starts no timers
//! itself: its actions say how long to wait, and unit tests wait for none of them.

use std::time::Duration;

/// Before the host is started again for the first time: one that was killed works at once.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The longest such pause, however many attempts have failed. Each starts a process.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The pause where only a person can help (another version, a configuration error).
pub const SLOW_BACKOFF: Duration = Duration::from_secs(60);

/// How long the browser may take to report the policy before the user is notified. Chromium takes 3
/// to 5 seconds after its start.
pub const POLICY_PATIENCE: Duration = Duration::from_secs(30);

/// How long no part may come of a delivery until it gives way: up to twice as long, since an alarm
/// looks after it.
pub const STILL: Duration = Duration::from_secs(60);

/// How long a reader may say nothing until another document takes over. It says something with each
/// stretch and while it lists the stores, and waits 8 s at most for a store.
pub const SILENCE: Duration = Duration::from_secs(15);

/// Before the end of a document that did not announce it is named: one whose port only broke is
/// back by then, and a browser that ends has ended the background.
pub const END_DOUBT: Duration = Duration::from_secs(1);
