//! The lab: everything a test, the demo or a benchmark needs to put idb-relay between real things.
//!
//! **Invariants:** nothing here is a stand-in: browsers, Redis and Memcached are the installed
//! programs, each with a private directory and a free port. Every process is owned by a value and
//! dies with it. Nothing waits by sleeping for "long enough": [`wait::until`] polls a condition
//! against a deadline and says what it saw when the deadline passes.
//!
//! # Layout
//!
//! - [`browser`]: Chromium and Firefox behind one type, driven over their own WebSocket protocols.
//! - [`servers`]: private Redis and Memcached servers that can be stopped, killed and started
//!   again.
//! - [`site`]: an HTTP server for the pages under `tests/sites/`.
//! - [`relay`]: a configured and installed `idb-relay`.
//! - [`observe`]: what Redis subscribers, the stream, Memcached and the page's own IndexedDB say.
//! - [`pages`]: the extension's own pages.
//! - [`Rig`]: all of these put together.
//! - [`panel`]: the inspector, as a page of its own.
//! - [`differential`]: generated programs that prove capture complete and invisible.
//! - [`workload`]: generated work of several tabs and workers, with faults.
//! - [`views`]: the tests of the extension's views, run in a browser.
//! - [`process`], [`wait`], [`artifacts`], [`directories`]: what the rest stands on.

pub mod artifacts;
pub mod browser;
pub mod differential;
pub mod directories;
pub mod observe;
pub mod pages;
pub mod panel;
pub mod relay;
mod rig;
pub mod site;
pub mod views;
pub mod workload;

pub use rig::Rig;
pub use test_servers::{self as servers, process, wait};

/// Makes one test a browser of each function: `chromium::name` and `firefox::name`.
#[macro_export]
macro_rules! in_both_browsers {
    ($($test:ident),* $(,)?) => {
        mod chromium {
            $(#[test] fn $test() -> anyhow::Result<()> { super::$test($crate::browser::Kind::Chromium) })*
        }
        mod firefox {
            $(#[test] fn $test() -> anyhow::Result<()> { super::$test($crate::browser::Kind::Firefox) })*
        }
    };
}
