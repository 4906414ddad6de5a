//! What arrived where: the other side of every assertion.

pub mod checks;
mod event;
mod feed;
mod truth;

pub use event::Event;
pub use feed::{Subscriber, stream, texts};
pub use truth::{Record, compare, contents, converged};
