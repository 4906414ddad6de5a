//! `cargo xtask package`: what a release consists of, in `target/packages/`.
//!
//! The archives of the extension have the same bytes wherever they are made from the same sources
//! with the same toolchain; `--verify` makes them a second time, from the archive of the sources,
//! in another place.
//!
//! # Layout
//!
//! - [`files`]: what an archive has in it, as ZIP or tar.
//! - [`source`]: the sources for Mozilla's reviewers.
//! - [`host`]: the host for each system; [`macos`] is what the linker has to know of one.
//! - [`deb`]: the Debian package.
//! - [`tools`]: the tools for it.

mod deb;
mod files;
mod host;
mod macos;
mod source;
mod tools;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use self::{
    files::Files,
    host::{Extras, TARGETS, Target},
};
use crate::{
    build,
    deny::notices,
    machine::{self, Need},
    run,
};

/// The version of everything.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What stands beside the programs in every archive.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// The unpacked extensions, and what their archives are called.
const EXTENSIONS: [(&str, &str); 3] = [
    ("chromium", "chromium.zip"),
    ("chromium-deep", "chromium-deep.zip"),
    ("firefox", "firefox.xpi"),
];

/// What is to be packaged.
pub struct Request<'a> {
    pub extension: bool,
    /// The names of the systems; all if it is empty.
    pub targets: Option<&'a [String]>,
    /// Whether the extension is made twice, and both compared.
    pub verify: bool,
}

/// Makes packages.
pub fn package(root: &Path, request: &Request<'_>) -> Result<()> {
    let targets = chosen(request.targets)?;
    let mut needs = vec![Need::WasmTarget];
    if source::is_checkout(root) && request.extension {
        needs.push(Need::Node);
    }
    if !targets.is_empty() {
        needs.push(Need::Packages);
    }
    machine::ensure(&needs)?;
    for target in &targets {
        machine::ensure_target("The host is built for other systems", target.triple)?;
    }
    let directory = build::target_directory(root).join("packages");
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot clear {}", directory.display()))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    if request.extension {
        extension(root, &directory, request.verify)?;
    }
    if !targets.is_empty() {
        hosts(root, &directory, &targets)?;
    }
    sums(&directory)
}

/// The systems with these names.
fn chosen(names: Option<&[String]>) -> Result<Vec<Target>> {
    let Some(names) = names else {
        return Ok(Vec::new());
    };
    if names.is_empty() {
        return Ok(TARGETS.to_vec());
    }
    let find = |name: &String| {
        let known = TARGETS.map(|target| target.name).join(", ");
        let target = TARGETS.iter().find(|target| target.name == name);
        target
            .copied()
            .with_context(|| format!("{name} is none of {known}"))
    };
    names.iter().map(find).collect()
}

/// What the everyday tests check of unpacked extensions: they make the same archives twice, and
/// Mozilla's linter has nothing to say.
pub fn check(root: &Path) -> Result<()> {
    run::step("Packing the extension twice", || {
        let archives =
            || -> Result<Vec<Vec<u8>>> { EXTENSIONS.iter().map(|(name, _)| packed(root, name)).collect() };
        ensure!(
            archives()? == archives()?,
            "the extension is not packed the same way twice"
        );
        Ok(())
    })?;
    tools::lint_extension(root, &build::target_directory(root).join("extension/firefox"))
}

/// The archive of an unpacked extension.
fn packed(root: &Path, name: &str) -> Result<Vec<u8>> {
    let mut files = Files::default();
    files.add_directory("", &build::target_directory(root).join("extension").join(name))?;
    for licence in LICENCES {
        files.add_file(licence, &root.join(licence))?;
    }
    files.zip("")
}

fn archive_name(rest: &str) -> String {
    format!("idb-relay-{VERSION}-{rest}")
}

fn extension(root: &Path, directory: &Path, verify: bool) -> Result<()> {
    build::extension(root, true)?;
    let write = |rest: &str, archive: Vec<u8>| -> Result<PathBuf> {
        let path = directory.join(archive_name(rest));
        fs::write(&path, archive).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    let mut archives = Vec::new();
    for (name, rest) in EXTENSIONS {
        archives.push(write(rest, packed(root, name)?)?);
    }
    if !source::is_checkout(root) {
        ensure!(!verify, "--verify takes a checkout, not an archive of sources");
        return Ok(());
    }
    let addon = archives.last().context("there is one for Firefox")?;
    tools::lint_extension(root, addon)?;
    let sources = source::files(root)?;
    let name = archive_name("source");
    write("source.tar.gz", sources.tar_gz(&format!("{name}/"))?)?;
    if verify {
        make_again(&sources, &archives)?;
    }
    Ok(())
}

/// Makes the archives of the extension from the sources in another place, by the command that the
/// reviewers read, and compares them.
fn make_again(sources: &Files, archives: &[PathBuf]) -> Result<()> {
    let elsewhere = tempfile::tempdir()?;
    sources.unpack(elsewhere.path())?;
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(elsewhere.path())
        .args(["xtask", "package", "extension"]);
    // What cargo tells the programs that it runs, and what names this place.
    for variable in [
        "CARGO",
        "RUSTUP_TOOLCHAIN",
        "CARGO_MANIFEST_DIR",
        "CARGO_TARGET_DIR",
    ] {
        cargo.env_remove(variable);
    }
    run::visibly("Making the extension again from its sources", cargo)?;
    let made = elsewhere.path().join("target/packages");
    for archive in archives {
        let name = archive.file_name().context("an archive has a name")?;
        ensure!(
            files::read(archive)? == files::read(&made.join(name))?,
            "{} is another one when it is made from the sources",
            archive.display()
        );
    }
    run::announce("The extension has the same bytes when it is made from its sources");
    Ok(())
}

fn hosts(root: &Path, directory: &Path, targets: &[Target]) -> Result<()> {
    let here = TARGETS
        .iter()
        .find(|target| target.triple == this_machine())
        .context("no host for this machine is known, which writes completions and man pages")?;
    let extras = Extras::of(&here.build(root)?)?;
    for target in targets {
        let program = files::read(&target.build(root)?)?;
        let notices = notices::notices_for(root, &["idb-relay"], &[target.triple])?;
        let mut files = Files::default();
        let name = if target.is_windows() {
            "idb-relay.exe"
        } else {
            "idb-relay"
        };
        files.add_program(name, program.as_slice());
        for licence in LICENCES {
            files.add_file(licence, &root.join(licence))?;
        }
        files.add(notices::FILE, notices.as_str());
        files.add_file("README.md", &root.join("docs/store/archive.md"))?;
        for (name, script) in &extras.completions {
            files.add(format!("completions/{name}"), script.as_str());
        }
        if !target.is_windows() {
            for (name, page) in &extras.pages {
                files.add(format!("man/{name}"), page.as_slice());
            }
        }
        let name = archive_name(target.name);
        let prefix = format!("{name}/");
        let (end, archive) = if target.is_windows() {
            ("zip", files.zip(&prefix)?)
        } else {
            ("tar.gz", files.tar_gz(&prefix)?)
        };
        let path = directory.join(format!("{name}.{end}"));
        fs::write(&path, archive).with_context(|| format!("cannot write {}", path.display()))?;
        if let Some(architecture) = target.debian {
            let package = deb::Package {
                architecture,
                version: VERSION,
                program: &program,
                extras: &extras,
                notices: &notices,
            };
            package.write(root, directory)?;
        }
    }
    Ok(())
}

/// What Rust calls the Linux of this machine.
fn this_machine() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Writes `SHA256SUMS`, and says how large the packages are.
fn sums(directory: &Path) -> Result<()> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(directory)? {
        packages.push(entry?.path());
    }
    packages.sort();
    let mut text = String::new();
    for path in packages {
        let content = files::read(&path)?;
        let name = path
            .file_name()
            .context("a package has a name")?
            .to_string_lossy();
        for byte in Sha256::digest(&content) {
            write!(text, "{byte:02x}")?;
        }
        writeln!(text, "  {name}")?;
        run::announce(&format!("{} KB {}", content.len().div_ceil(1000), path.display()));
    }
    fs::write(directory.join("SHA256SUMS"), text)?;
    Ok(())
}
