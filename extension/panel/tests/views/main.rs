//! View tests of the panel: what it shows of messages, and what keys and clicks do.
//!
//! They run in the documents of real browsers, with the panel as it is shipped. The test plays the
//! background. `tests/tests/browsers/views.rs` starts them. Code that needs no document is tested
//! beside it (`cargo test -p idb-relay-panel`), the whole system in
//! `tests/tests/browsers/panel.rs`.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used, reason = "a test fails where something is missing")]

mod details;
mod feed;
mod header;
mod overlays;
mod panel;
mod stability;
mod stores;
mod toolbar;
