//! What arrived where: the other side of every assertion.

pub mod checks;
mod event;
mod feed;
mod truth;

pub use event::Event;
pub use feed::{Subscriber, stream};
pub use truth::{Record, compare, contents, converged};
