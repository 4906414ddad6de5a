//! Support for the view tests of the extension's pages (WASM only).
//!
//! View tests run in the document of a real browser, without the extension. The pages are those
//! that are shipped; in place of the extension API there is a background that the test plays. So
//! these tests show what the document makes of a message, and what a click sends. That the
//! extension works is proved by the tests in `tests/`, which run all of it.
//!
//! - `background`: the background that the test plays.
//! - `document`: reads the document, and acts in it as a user does.

#![allow(
    clippy::missing_panics_doc,
    reason = "a test fails where something is missing"
)]

#[cfg(target_arch = "wasm32")]
pub mod background;
#[cfg(target_arch = "wasm32")]
pub mod document;
