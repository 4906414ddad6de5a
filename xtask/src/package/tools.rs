//! What packages are made with, beside what [`machine`](crate::machine) installs.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{build, lab, run};

/// The compiler and linker for other systems, from Python's package index.
const ZIG: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];

/// cargo-zigbuild, installed if it is not there in this version.
pub fn zigbuild(root: &Path) -> Result<Command> {
    let directory = build::target_directory(root).join("tools").join(ZIG.join("-"));
    let programs = directory.join("bin");
    let program = programs.join("cargo-zigbuild");
    if !program.is_file() {
        let mut python = Command::new("python3");
        python.args(["-m", "venv"]).arg(&directory);
        run::quietly("Making a place for Zig", python)?;
        let mut pip = Command::new(programs.join("pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"])
            .args(ZIG);
        run::quietly("Installing Zig", pip)?;
    }
    let mut command = Command::new(program);
    command.current_dir(root);
    let others = env::var_os("PATH").unwrap_or_default();
    let paths = [programs].into_iter().chain(env::split_paths(&others));
    command.env("PATH", env::join_paths(paths)?);
    Ok(command)
}

/// Lets Mozilla's linter read an extension. It fails on warnings, too.
pub fn lint_extension(root: &Path, extension: &Path) -> Result<()> {
    let directory: PathBuf = root.join("xtask/addons-linter");
    lab::packages(root, "xtask/addons-linter")?;
    let mut linter = Command::new("node");
    linter
        .arg(directory.join("node_modules/addons-linter/bin/addons-linter"))
        .args(["--warnings-as-errors", "--boring"])
        .arg(extension);
    run::visibly("Checking the extension as Mozilla does", linter)
        .context("Mozilla's linter has something to say")
}
