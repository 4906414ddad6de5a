//! The logic of the browser extension, compiled to WASM.
//!
//! # Layout
//!
//! - [`background`]: what runs in Chromium's service worker and Firefox's event page, the same in both.
//! - [`pages`]: what the popup and the options page share.
//! - `popup`, `options` (WASM only): the popup at the extension's button, and the options page.
//!
//! Beside this crate, `page/` holds the JavaScript that must run in pages, `background.js` the few lines that must run before
//! any WASM is loaded, and `ui/` what a person sees. `cargo xtask build` puts it all together.

pub mod background;
#[cfg(target_arch = "wasm32")]
mod options;
pub mod pages;
#[cfg(target_arch = "wasm32")]
mod popup;
