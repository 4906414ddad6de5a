//! The Rust side of the extension, as WASM with its JavaScript bindings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::run;

/// Where rustup knows the target by.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the module and its bindings; the directory that holds both.
pub fn build(root: &Path, target: &Path, release: bool) -> Result<PathBuf> {
    let profile = if release { "wasm" } else { "dev" };
    let mut cargo = run::cargo(root);
    cargo.args(["build", "--package", "idb-relay-extension", "--lib"]);
    cargo.args(["--target", TARGET, "--profile", profile]);
    run::visibly("Building the extension", cargo)?;
    let built = if release { "wasm" } else { "debug" };
    let module = target.join(TARGET).join(built).join("idb_relay_extension.wasm");
    let bindings = target.join("extension").join("wasm");
    if bindings.exists() {
        fs::remove_dir_all(&bindings).with_context(|| format!("cannot clear {}", bindings.display()))?;
    }
    Bindgen::new()
        .input_path(&module)
        .out_name("idb_relay")
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).keep_debug(!release).generate(&bindings))
        .with_context(|| format!("cannot make the bindings of {}", module.display()))?;
    Ok(bindings)
}
