//! What the popup and the options page share.
//!
//! - [`site`]: how it stands with a site, in words.
//! - [`rules`]: redaction rules as a person writes them, and what they make of a sample.
//! - [`way`]: where it goes from there.
//! - `dom`, `link` (WASM only): making elements, and the port to the background.

pub mod rules;
pub mod site;
pub mod way;

#[cfg(target_arch = "wasm32")]
pub(crate) mod chrome;
#[cfg(target_arch = "wasm32")]
pub(crate) mod dom;
#[cfg(target_arch = "wasm32")]
pub(crate) mod link;
