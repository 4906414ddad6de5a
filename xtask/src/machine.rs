//! What has to be installed, and installing it.
//!
//! As root or in CI missing packages are installed without a question; on a terminal after one;
//! otherwise the error names the command to type.

use std::{
    env, fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail, ensure};

use crate::{build, run};

/// Something that a task cannot do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// The Rust target of the extension.
    WasmTarget,
    /// `rustfmt` and `clippy`, which a minimal toolchain lacks.
    Linters,
    /// Chromium.
    Chromium,
    /// Firefox.
    Firefox,
    /// The Redis server.
    Redis,
    /// The Memcached server.
    Memcached,
    /// Node with npm, for the libraries of the pages under test.
    Node,
    /// Python with the clients that an example in `docs/` uses.
    Python,
    /// What the host for Windows is built with, and Wine, which runs it.
    Windows,
    /// What packages of the host are made with: mingw, a Python that can install Zig, and Debian's
    /// packager.
    Packages,
}

/// Where programs of administrators are, which a user's `PATH` may lack, and where Debian has Wine.
const SYSTEM_DIRECTORIES: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/wine"];

impl Need {
    /// The programs that have to be there, each under one of its names, with Debian's package.
    fn programs(self) -> &'static [(&'static [&'static str], &'static str)] {
        match self {
            Self::WasmTarget | Self::Linters | Self::Python => &[],
            Self::Chromium => &[(&["chromium", "chromium-browser"], "chromium")],
            Self::Firefox => &[(&["firefox-esr", "firefox"], "firefox-esr")],
            Self::Redis => &[(&["redis-server"], "redis-server")],
            Self::Memcached => &[(&["memcached"], "memcached")],
            Self::Node => &[(&["node"], "nodejs"), (&["npm"], "npm")],
            Self::Packages => &[
                (&[build::WINDOWS_COMPILER], "gcc-mingw-w64-x86-64"),
                (&["dpkg-deb"], "dpkg"),
                (&["python3"], "python3"),
            ],
            Self::Windows => &[
                (&[build::WINDOWS_COMPILER], "gcc-mingw-w64-x86-64"),
                (&["wine64", "wine"], "wine64"),
            ],
        }
    }
}

/// Makes sure that everything is there, installing what is not.
pub fn ensure(needs: &[Need]) -> Result<()> {
    if needs.contains(&Need::WasmTarget) {
        ensure_target("The extension is built for WebAssembly", "wasm32-unknown-unknown")?;
    }
    if needs.contains(&Need::Windows) {
        ensure_target("The host is built for Windows, too", build::WINDOWS)?;
    }
    if needs.contains(&Need::Linters) {
        ensure_linters()?;
    }
    let packages = missing_packages(needs);
    if packages.is_empty() {
        return Ok(());
    }
    install(&packages)?;
    let still = missing_packages(needs);
    ensure!(
        still.is_empty(),
        "{} installed, but not to be found in PATH",
        still.join(", ")
    );
    Ok(())
}

/// The path of a program that goes by one of these names.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path)
        .chain(SYSTEM_DIRECTORIES.iter().map(PathBuf::from))
        .collect();
    names
        .iter()
        .flat_map(|name| directories.iter().map(move |directory| directory.join(name)))
        .find(|program| program.is_file())
}

/// The program of the browser that is installed here.
pub fn browser(need: Need) -> Option<PathBuf> {
    find(need.programs().first()?.0)
}

fn missing_packages(needs: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = needs
        .iter()
        .flat_map(|need| need.programs())
        .filter(|(names, _)| find(names).is_none())
        .map(|(_, package)| *package)
        .collect();
    if needs.contains(&Need::Python) && !has_python_modules() {
        packages.extend(["python3", "python3-redis", "python3-pymemcache"]);
    }
    if needs.contains(&Need::Packages) && !has_module("python3", "ensurepip") {
        packages.push("python3-venv");
    }
    packages
}

/// Whether the system's Python, which is not always the first in `PATH`, has what the packages
/// bring.
fn has_python_modules() -> bool {
    has_module("/usr/bin/python3", "redis, pymemcache")
}

/// Whether a Python has these modules.
fn has_module(python: &str, modules: &str) -> bool {
    Command::new(python)
        .args(["-c", &format!("import {modules}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn install(packages: &[&str]) -> Result<()> {
    let root = is_root();
    let by_hand = format!(
        "{}apt-get update && {0}apt-get install --yes --no-install-recommends {}",
        if root { "" } else { "sudo " },
        packages.join(" ")
    );
    if find(&["apt-get"]).is_none() {
        bail!(
            "{} missing, and there is no apt-get to install with; install these with your system's package manager \
             (on Debian: {by_hand})",
            packages.join(", ")
        );
    }
    let in_ci = env::var_os("CI").is_some();
    if !root && find(&["sudo"]).is_none() {
        bail!(
            "{} missing; as root, run: {}",
            packages.join(", "),
            by_hand.replace("sudo ", "")
        );
    }
    if !root
        && !in_ci
        && !asked(&format!(
            "Missing: {}. Install with `{by_hand}`?",
            packages.join(", ")
        ))?
    {
        bail!("{} missing; run: {by_hand}", packages.join(", "));
    }
    let apt = |arguments: &[&str]| {
        let mut command = if root {
            Command::new("apt-get")
        } else {
            let mut command = Command::new("sudo");
            if in_ci {
                command.arg("--non-interactive");
            }
            command.arg("DEBIAN_FRONTEND=noninteractive").arg("apt-get");
            command
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    let result = run::visibly(
        "Updating the package lists",
        apt(&["update", "--quiet", "--quiet"]),
    )
    .and_then(|()| {
        let mut arguments = vec![
            "install",
            "--yes",
            "--quiet",
            "--quiet",
            "--no-install-recommends",
        ];
        arguments.extend(packages);
        run::visibly(&format!("Installing {}", packages.join(", ")), apt(&arguments))
    });
    result.map_err(|error| error.context(format!("installing failed; to do it by hand: {by_hand}")))
}

/// Asks on the terminal; without one the answer is no.
fn asked(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{question} [Y/n] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|this_process| this_process.uid() == 0)
}

/// Makes sure that Rust can compile for a target.
pub fn ensure_target(why: &str, target: &str) -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .stderr(Stdio::null())
        .output()?;
    let directory = String::from_utf8_lossy(&output.stdout);
    if Path::new(directory.trim()).is_dir() {
        return Ok(());
    }
    rustup(why, &["target", "add", target])
}

fn ensure_linters() -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        let subcommand = if component == "rustfmt" { "fmt" } else { "clippy" };
        let there = Command::new("cargo")
            .args([subcommand, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !there.success() {
            rustup(
                &format!("The checks need {component}"),
                &["component", "add", component],
            )?;
        }
    }
    Ok(())
}

fn rustup(why: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("rustup");
    command.args(arguments);
    if find(&["rustup"]).is_none() {
        bail!(
            "{why}, and there is no rustup to run `{}`; install rustup from https://rustup.rs",
            run::shown(&command)
        );
    }
    run::quietly(why, command)
}
