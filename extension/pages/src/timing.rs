//! Every duration that the popup and the options page wait for, in milliseconds as the browser
//! counts them.
//!
//! A lint refuses others in this crate (`xtask/src/lint/timers.rs`).

/// Until a broken port is opened again: a background that was ended is started by it.
pub const RETRY_MS: f64 = 200.0;

/// Between two questions for the host's health: as fast as a person reads.
pub const HEALTH_INTERVAL_MS: f64 = 1000.0;
