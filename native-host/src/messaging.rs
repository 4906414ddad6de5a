//! The conversation with the extension: frames in on stdin, frames out on stdout.
//!
//! - [`frame`]: the bytes of one message.
//! - `queue`: what has been read and not journaled yet, bounded in bytes.
//! - `reader`: the thread that reads stdin.
//! - `writer`: the thread that owns stdout.
//! - `parts`: deliveries that came in slices.
//! - `origin`: which pages have one.
//! - `intake`: from frames to deliveries, and to questions.

pub mod frame;
pub(crate) mod intake;
pub(crate) mod origin;
mod parts;
pub(crate) mod queue;
pub(crate) mod reader;
pub(crate) mod writer;
