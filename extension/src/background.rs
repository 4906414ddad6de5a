//! The background of the extension: between the bridges in the pages and the host.
//!
//! It says who a delivery is from (the browser's word, never the page's), whether that origin is
//! enabled at all, and passes it on in order. Deliveries stay here until the host has them on disk,
//! so that neither a restarted host nor a closed page loses one; the bridges keep theirs too, so
//! that a killed background doesn't either.
//!
//! # Layout
//!
//! - [`relay`]: the whole behaviour, as a state machine without a browser: events in,
//!   [`relay::Action`]s out.
//! - [`outbox`]: the deliveries that are not on disk yet.
//! - [`identity`]: whose databases a document has.
//! - [`bridges`]: the documents that are connected.
//! - [`inspectors`]: the inspector's pages and their questions.
//! - [`bundle`]: which of them travel to the host together.
//! - [`capture`]: which origins are enabled.
//! - [`backoff`]: how long to wait before the next attempt.
//! - [`status`]: what is wrong and what to do about it.
//! - `service`, `native_port`, `scripts`, `storage`, `chrome` (WASM only): the browser's side of
//!   the actions.

pub mod backoff;
pub mod bridges;
pub mod bundle;
pub mod capture;
pub mod identity;
pub mod inspectors;
pub mod outbox;
pub mod problems;
pub mod relay;

#[cfg(target_arch = "wasm32")]
pub(crate) mod chrome;
#[cfg(target_arch = "wasm32")]
mod native_port;
#[cfg(target_arch = "wasm32")]
mod scripts;
#[cfg(target_arch = "wasm32")]
mod service;
#[cfg(target_arch = "wasm32")]
mod storage;
