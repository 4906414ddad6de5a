//! What a page has to load of ours stays small.

use std::{fs, io::Write as _};

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use lab::{artifacts, browser::Kind};

/// The most that the page hook may have, in bytes gzipped: every document of a captured site runs
/// it before its own scripts.
const MAX_HOOK: usize = 10 * 1024 + 512;
/// The same with the spaces that make its functions look native in Chromium: nothing is parsed into
/// them.
const MAX_PADDED: usize = 14 * 1024 + 512;
/// What stands in front of the parameters of a function that looks native.
const PADDING: usize = 1 << 16;

#[test]
fn the_page_hook_is_small() -> Result<()> {
    for kind in [Kind::Chromium, Kind::Firefox] {
        let hook = fs::read_to_string(artifacts::extension(kind)?.join("content/hook.js"))?;
        let bare = hook.replace(&" ".repeat(PADDING), "");
        let size = gzipped(&bare)?;
        assert!(
            (1000..=MAX_HOOK).contains(&size),
            "the page hook for {} has {size} bytes gzipped, of {MAX_HOOK} at most",
            kind.name(),
        );
        let padded = gzipped(&hook)?;
        assert!(
            padded <= MAX_PADDED,
            "the page hook for {} has {padded} bytes gzipped with its spaces, of {MAX_PADDED} at most",
            kind.name(),
        );
    }
    Ok(())
}

fn gzipped(text: &str) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?.len())
}
