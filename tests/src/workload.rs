//! Generated work of several tabs and workers, faults in its midst, and what comes of it: whether
//! Memcached and the stream end up with what IndexedDB holds, without anything being loaded again,
//! and how long each commit took to arrive.
//!
//! A program is JSON from a seed ([`generate`]), which the page `tests/sites/workload/` runs;
//! [`round`] plays it in a real browser, [`probe`] watches Memcached meanwhile, and [`report`] adds
//! up.

mod generate;
mod probe;
mod report;
mod round;

pub use generate::{Class, program};
pub use report::Report;
pub use round::{Round, play};
