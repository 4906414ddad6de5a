//! Every message that crosses a process border, in the order in which they travel.
//!
//! | from | to | type | carried by |
//! |---|---|---|---|
//! | bridge (content script) | background | [`FromBridge`](bridge::FromBridge), bodies, [`Part`](bridge::Part) | extension port |
//! | background | host | [`ToHost`](host::ToHost) | native messaging |
//! | host | background | [`FromHost`](host::FromHost) | native messaging |
//! | background | bridge | [`ToBridge`](bridge::ToBridge) | extension port, as JSON text |
//!
//! What a bridge sends is a string, a [`FromBridge`](bridge::FromBridge) as JSON; or an object:
//! `{sequence, bodies}`, bodies whose numbers follow each other from the first one's on, each in a
//! string of its own that holds the JSON of a [`Body`](crate::body::Body); or `{sequence, index,
//! count, text}`, a [`Part`](bridge::Part). Bodies travel as data, for a page that got hold of the
//! bridge's node may have made them: nothing in one reaches into what is around it. They are
//! written once, in the page, and not read there.
//!
//! All are externally tagged (`{"hello":{…}}`), which lets bodies pass through as raw text. A
//! *delivery* is numbered by its context (one document) from 1 without gaps; it is kept by the
//! bridge until the host says it is on disk, and sent again after any break, so the pair (context,
//! sequence) is how the host knows a duplicate.
//!
//! # Layout
//!
//! - [`bridge`]: between a document and the background.
//! - [`host`]: between background and host.
//! - [`inspector`]: the inspector's requests and the answers to them.

pub mod bridge;
pub mod host;
pub mod inspector;
