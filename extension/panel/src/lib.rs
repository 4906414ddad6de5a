//! The inspector: each write on its way from the page to the caches.
//!
//! # Layout
//!
//! - [`model`]: the events that are shown, bounded, with the stages they have passed.
//! - [`query`]: which of them: the filter's language. [`shown`]: those that it lets through.
//! - [`stack`]: where writes were called from.
//! - [`stage`]: how far an event has come. [`ways`]: what it is called in the servers.
//! - [`tree`]: a typed value as lines with JavaScript's types.
//! - [`diff`]: what changed between two values.
//! - [`side`]: a record in IndexedDB, in the mirror and in Memcached.
//! - [`pace`]: how often the list is drawn.
//! - [`chart`]: the last minute as a picture.
//! - [`counts`]: how many records the pages' stores have.
//! - [`drift`]: what comparisons with Memcached have found.
//! - [`recording`]: events as a file, and back.
//! - [`words`]: numbers and times for people.
//! - [`install`]: the command that makes the host known.
//! - `link`, `browser` (WASM only): the port to the background, and the rest of the extension API.
//! - `view` (WASM only): the screen. It reads the rooms above and decides nothing that could be tested without a browser.
//!
//! Data flows one way: link → model → view; what a person does goes back by the link.

pub mod chart;
pub mod counts;
pub mod diff;
pub mod drift;
pub mod install;
pub mod model;
pub mod pace;
pub mod query;
pub mod recording;
pub mod shown;
pub mod side;
pub mod stack;
pub mod stage;
pub mod tree;
pub mod ways;
pub mod words;

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
#[allow(
    clippy::large_types_passed_by_value,
    reason = "the state is a set of handles, of which every closure takes a copy"
)]
mod view;

#[cfg(target_arch = "wasm32")]
pub use self::view::open_panel;
