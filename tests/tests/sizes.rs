//! What a page has to load of ours stays small.

use std::{fs, io::Write as _};

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use lab::{artifacts, browser::Kind};

/// The most that the page hook may have, in bytes gzipped: every document of a captured site runs it before its own scripts.
const MAX_HOOK: usize = 8192;

#[test]
fn the_page_hook_is_small() -> Result<()> {
    for kind in [Kind::Chromium, Kind::Firefox] {
        let hook = fs::read(artifacts::extension(kind)?.join("page/hook.js"))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&hook)?;
        let size = encoder.finish()?.len();
        assert!(
            (1000..=MAX_HOOK).contains(&size),
            "the page hook for {} has {size} bytes gzipped, of {} at most",
            kind.name(),
            MAX_HOOK
        );
    }
    Ok(())
}
