//! What browsers load of the extension stays within its budgets.

use std::path::Path;

use anyhow::Result;

use super::Finding;
use crate::{
    build, run,
    sizes::{self, Modules},
    sources::Sources,
};

pub(super) fn find(root: &Path, sources: &Sources) -> Result<Vec<Finding>> {
    let mut too_large = Vec::new();
    for (name, browser, most) in sizes::SCRIPTS {
        let script = build::page_script(root, name, browser)?;
        let size = sizes::gzipped(script.as_bytes())?;
        too_large.extend(sizes::over(&format!("{name} for {browser}"), size, most));
    }
    match sizes::check_modules(root, &build::target_directory(root), sources)? {
        Modules::Measured(modules) => too_large.extend(modules),
        Modules::Unknown => run::announce(
            "The sizes of the WASM modules were not checked: no release build was made of these sources.\n  \
             fix: `cargo xtask build --release` checks them, as does `cargo xtask package extension`.",
        ),
    }
    let findings = too_large.into_iter().map(|message| Finding {
        file: "extension".to_owned(),
        line: 0,
        message,
    });
    Ok(findings.collect())
}
