//! What the panel shows of what it is told, and what keys and presses do: in the documents of real browsers, with the panel as it is
//! shipped and the test in the background's place. `tests/tests/browsers/views.rs` runs them.
//!
//! What needs no document is tested beside the code (`cargo test -p idb-relay-panel`), the whole way in `tests/tests/browsers/panel.rs`.

#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::expect_used,
    reason = "a test that finds something missing ends there"
)]

mod details;
mod feed;
mod header;
mod over;
mod panel;
mod steady;
mod stores;
mod toolbar;
