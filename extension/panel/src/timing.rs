//! Every duration that the inspector waits for, in milliseconds as the browser counts them.
//!
//! A lint refuses others in this crate (`xtask/src/lint/timers.rs`).

/// Until a broken port is opened again, or a failed feed is requested again.
pub const RETRY_MS: i32 = 500;

/// Between two questions for the host's health: as fast as a person reads.
pub const HEALTH_INTERVAL_MS: i32 = 1000;

/// Until the servers are asked about a selected event: stepping through a list asks nothing.
pub const SELECTION_DELAY_MS: i32 = 150;

/// Between two changes of the counts: faster ones cannot be read.
pub const COUNTS_INTERVAL_MS: i32 = 200;

/// How long a message is shown: long enough to read a line.
pub const TOAST_MS: i32 = 2500;

/// How late what a frame would draw is drawn in a hidden page, which has no frames.
pub const HIDDEN_FRAME_MS: i32 = 100;

/// How long drawing the list may take without a pause: half a frame at 60 Hz.
pub const FREE_MS: f64 = 8.0;

/// The longest pause between two draws of the list, so that it still moves.
pub const MAX_PAUSE_MS: f64 = 600.0;

/// How long a file that is saved can be read by the browser, which may ask the user first.
pub const DOWNLOAD_MS: i32 = 10_000;
