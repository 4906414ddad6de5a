//! The popup at the extension's button, and the options page.
//!
//! # Layout
//!
//! - [`site`]: how it stands with a site, in words.
//! - [`rules`]: redaction rules as a person writes them, and what they make of a sample.
//! - [`way`]: where it goes from there.
//! - `popup`, `options` (WASM only): the pages.
//! - `dom`, `link`, `chrome` (WASM only): making elements, the port to the background, and the rest of the extension API.
//!
//! They are a module of their own: the background, which starts far more often, does without them.

pub mod rules;
pub mod site;
pub mod way;

#[cfg(target_arch = "wasm32")]
mod chrome;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod options;
#[cfg(target_arch = "wasm32")]
mod popup;

#[cfg(target_arch = "wasm32")]
pub use self::{options::open_options, popup::open_popup};
