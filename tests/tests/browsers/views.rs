//! The tests of the extension's views (`extension/*/tests/views/`) in both browsers.

use anyhow::Result;
use lab::{browser::Kind, views};

fn panel(kind: Kind) -> Result<()> {
    views::pass(kind, "panel")
}

fn pages(kind: Kind) -> Result<()> {
    views::pass(kind, "pages")
}

lab::in_both_browsers!(panel, pages);
