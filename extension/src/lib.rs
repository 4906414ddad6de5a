//! The logic of the browser extension, compiled to WASM.
//!
//! # Layout
//!
//! - [`background`]: what runs in Chromium's service worker and Firefox's event page, the same in
//!   both.
//! - [`timing`]: how long it waits for what.
//!
//! Beside this crate, `panel/` is the inspector and `pages/` the popup and the options page, each a
//! module of its own; `content/` holds the JavaScript that must run in pages, `background.js` the
//! few lines that must run before any WASM is loaded, and `ui/` what a person sees. `cargo xtask
//! build` puts it all together.

pub mod background;
pub mod timing;
