//! The panel's state, and what events and the user change in it.
//!
//! # Layout
//!
//! - [`state`]: the whole state on one page, in slices. [`start`]: creates and connects it.
//! - [`pipeline`]: events on their way to the screen: ingest → filter → schedule → draw.
//! - One file for the actions on each slice: [`feed`], [`selection`], [`source`], [`site`],
//!   [`host`], [`stores`], [`ui`].
//!
//! Each of them extends [`state::App`] and uses no other module of this folder but `state`.

mod feed;
mod host;
mod pipeline;
mod selection;
mod site;
mod source;
pub mod start;
pub mod state;
mod stores;
mod ui;
