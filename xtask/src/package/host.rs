//! The host for each system that releases are made for.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{files, macos, tools};
use crate::{build, run};

/// A system that the host is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its part of the archives' names, and what `--target` takes.
    pub name: &'static str,
    /// What Rust calls it.
    pub triple: &'static str,
    linker: Linker,
    /// What Debian calls the machine.
    pub debian: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linker {
    /// Zig's, for this version of glibc.
    Glibc,
    /// Zig's, with the names of what Apple's frameworks have.
    Apple,
    /// mingw's.
    Mingw,
}

/// The oldest glibc that the hosts for Linux run on, which is also the oldest that Rust supports.
const GLIBC: &str = "2.17";

pub const TARGETS: [Target; 5] = [
    Target {
        name: "linux-x86_64",
        triple: "x86_64-unknown-linux-gnu",
        linker: Linker::Glibc,
        debian: Some("amd64"),
    },
    Target {
        name: "linux-arm64",
        triple: "aarch64-unknown-linux-gnu",
        linker: Linker::Glibc,
        debian: Some("arm64"),
    },
    Target {
        name: "windows-x86_64",
        triple: build::WINDOWS,
        linker: Linker::Mingw,
        debian: None,
    },
    Target {
        name: "macos-x86_64",
        triple: "x86_64-apple-darwin",
        linker: Linker::Apple,
        debian: None,
    },
    Target {
        name: "macos-arm64",
        triple: "aarch64-apple-darwin",
        linker: Linker::Apple,
        debian: None,
    },
];

impl Target {
    pub fn is_windows(&self) -> bool {
        self.linker == Linker::Mingw
    }

    /// Builds the host; its program.
    pub fn build(&self, root: &Path) -> Result<PathBuf> {
        let target = build::target_directory(root);
        let triple = match self.linker {
            Linker::Glibc => format!("{}.{GLIBC}", self.triple),
            Linker::Apple | Linker::Mingw => self.triple.to_owned(),
        };
        let mut command = match self.linker {
            Linker::Mingw => {
                let mut cargo = run::cargo(root);
                cargo.arg("rustc");
                cargo
            }
            Linker::Glibc | Linker::Apple => {
                let mut zig = tools::zigbuild(root)?;
                zig.arg("rustc");
                zig
            }
        };
        command.args(["--release", "--locked", "--target", &triple]);
        command.args(["--package", "idb-relay", "--bin", "idb-relay"]);
        // Paths of this machine are in no program.
        let flags: Vec<String> = build::wasm::remapped()?
            .iter()
            .map(|directory| format!("--remap-path-prefix={directory}="))
            .collect();
        let variable = self.triple.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), flags.join(" "));
        if self.linker == Linker::Apple {
            let directory = target.join("tools/frameworks");
            macos::write_stubs(&directory)?;
            let directory = directory.display();
            command.args([
                "--".to_owned(),
                format!("-Clink-arg=-L{directory}"),
                format!("-Clink-arg=-F{directory}"),
            ]);
        }
        run::visibly(&format!("Building the host for {}", self.name), command)?;
        let name = if self.is_windows() {
            "idb-relay.exe"
        } else {
            "idb-relay"
        };
        let program = target.join(self.triple).join("release").join(name);
        if self.linker == Linker::Glibc {
            check_glibc(&program)?;
        }
        Ok(program)
    }
}

/// Makes sure that a program asks for no newer glibc than it says.
fn check_glibc(program: &Path) -> Result<()> {
    let newest = newest_glibc(&files::read(program)?);
    let allowed = version(GLIBC.as_bytes());
    ensure!(
        newest.is_some() && newest <= allowed,
        "{} asks for glibc {newest:?}, newer than {GLIBC}",
        program.display()
    );
    Ok(())
}

/// The newest version of glibc whose symbols a program names.
fn newest_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"\0GLIBC_";
    let found = program.windows(MARK.len()).enumerate();
    let found = found.filter(|(_, window)| *window == MARK);
    found
        .filter_map(|(at, _)| {
            let rest = &program[at + MARK.len()..];
            let end = rest.iter().position(|byte| *byte == 0)?;
            version(&rest[..end])
        })
        .max()
}

/// `2.17`, or `2.2.5`, whose last number does not count here.
fn version(text: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = std::str::from_utf8(text).ok()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What a host for this machine writes: its completions and man pages.
pub struct Extras {
    /// Names and texts.
    pub pages: Vec<(String, Vec<u8>)>,
    /// File names as the shells want them, and texts.
    pub completions: Vec<(&'static str, String)>,
}

impl Extras {
    /// Of a host that runs here.
    pub fn of(program: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut man = Command::new(program);
        man.arg("man").arg(directory.path());
        run::output(man)?;
        let mut pages = Vec::new();
        for entry in fs::read_dir(directory.path())? {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(OsStr::to_str)
                .context("a page has a name")?;
            pages.push((name.to_owned(), files::read(&path)?));
        }
        ensure!(!pages.is_empty(), "{} wrote no man pages", program.display());
        pages.sort();
        let mut completions = Vec::new();
        for (shell, name) in [
            ("bash", "idb-relay.bash"),
            ("zsh", "_idb-relay"),
            ("fish", "idb-relay.fish"),
            ("powershell", "idb-relay.ps1"),
        ] {
            let mut command = Command::new(program);
            command.args(["completions", shell]);
            completions.push((name, run::output(command)?));
        }
        Ok(Self { pages, completions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_glibc_is_found_among_symbol_versions() {
        let program = b"\0GLIBC_2.2.5\0x\0GLIBC_2.17\0GLIBC_PRIVATE\0GLIBC_2.9\0";
        assert_eq!(newest_glibc(program), Some((2, 17)));
        assert_eq!(newest_glibc(b"static"), None);
    }
}
