//! The events of the feed: kept, filtered and described. No browser is needed here.
//!
//! Each module uses only modules above it in this list:
//!
//! - [`row`]: one event. [`log`]: the newest events in order.
//! - [`filter`]: the filter language. [`matches`]: the events that match.
//! - [`stage`]: the status of an event at each stage.
//! - [`stacks`]: call stacks of writes.
//! - [`server_names`]: names and commands for the servers.
//! - [`preview`]: the part of a value that fits into the list.
//! - [`recording`]: events as a file.

pub mod filter;
pub mod log;
pub mod matches;
pub mod preview;
pub mod recording;
pub mod row;
pub mod server_names;
pub mod stacks;
pub mod stage;
