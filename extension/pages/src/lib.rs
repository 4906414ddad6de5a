//! The popup at the extension's button, and the options page.
//!
//! # Layout
//!
//! - `popup`, `options` (WASM only): the two pages.
//! - [`site_status`]: the status of a site, in words. [`destinations`]: where its writes go.
//! - [`rule_draft`]: redaction rules as the user writes them. [`redaction_preview`]: their effect.
//! - [`plural`]: numbers with their nouns. [`timing`]: how long the pages wait for what.
//! - `background_link`, `dom`, `browser_api` (WASM only): the port to the background, elements, and
//!   the extension API.
//!
//! They are a WASM module of their own: the background starts far more often, and does without
//! them.

pub mod destinations;
pub mod plural;
pub mod redaction_preview;
pub mod rule_draft;
pub mod site_status;
pub mod timing;

#[cfg(target_arch = "wasm32")]
mod background_link;
#[cfg(target_arch = "wasm32")]
mod browser_api;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod options;
#[cfg(target_arch = "wasm32")]
mod popup;

#[cfg(target_arch = "wasm32")]
pub use self::{options::open_options, popup::open_popup};
