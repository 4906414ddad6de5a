//! View tests of the popup and the options page: what they show of messages, and what clicks do.
//!
//! They run in the documents of real browsers, with the pages as they are shipped. The test plays
//! the background. `tests/tests/browsers/views.rs` starts them.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used, reason = "a test fails where something is missing")]

use protocol::wire::inspector::Background;

mod options;
mod popup;

/// The origin of the page in the tab.
const ORIGIN: &str = "https://shop.example";

/// There is a host, and no site is enabled.
fn connected() -> Background {
    Background {
        connected: true,
        host_version: Some("1.2.4".to_owned()),
        ..Background::default()
    }
}

/// The same with these enabled sites: (origin, who enabled it).
fn enabled(sites: &[(&str, &str)]) -> Background {
    let site = |(origin, who): &(&str, &str)| ((*origin).to_owned(), (*who).to_owned());
    Background {
        origins: sites.iter().map(site).collect(),
        ..connected()
    }
}
