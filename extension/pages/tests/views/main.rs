//! What the popup and the options page show of what they are told, and what presses do: in the documents of real browsers, with the
//! pages as they are shipped and the test in the background's place. `tests/tests/browsers/views.rs` runs them.

#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::expect_used,
    reason = "a test that finds something missing ends there"
)]

use protocol::inspect::Background as Told;

mod options;
mod popup;

/// The origin of the page in the tab.
const ORIGIN: &str = "https://shop.example";

/// There is a host, and nobody has enabled anything.
fn connected() -> Told {
    Told {
        connected: true,
        host_version: Some("1.2.4".to_owned()),
        ..Told::default()
    }
}

/// The same, and these sites are enabled, each by somebody.
fn enabled(sites: &[(&str, &str)]) -> Told {
    let site = |(origin, who): &(&str, &str)| ((*origin).to_owned(), (*who).to_owned());
    Told {
        origins: sites.iter().map(site).collect(),
        ..connected()
    }
}
