//! What the tests of the extension's pages stand on (WASM only): they run in a real browser's document, without the extension around it.
//!
//! The pages are as they are shipped. What stands where the browser's extension API would is the far end of it, which a test plays:
//! it says what the background says, and hears what the background is told. So nothing here proves that the extension works; that
//! is for the tests in `tests/`, which have all of it. Here it is seen what the document shows of what a page is told, and what a
//! press does.
//!
//! - `background`: the far end of the port.
//! - `document`: what the document shows, and doing what a person does.

#![allow(
    clippy::missing_panics_doc,
    reason = "a test that finds something missing ends there"
)]

#[cfg(target_arch = "wasm32")]
pub mod background;
#[cfg(target_arch = "wasm32")]
pub mod document;
