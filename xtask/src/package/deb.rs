//! The Debian package of the host.
//!
//! It tells all browsers of the machine where the host is as it is configured, by the host's own
//! `install --system`, and takes that back as it is removed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{
    files::{self, Files},
    host::Extras,
};
use crate::run;

/// Written once the files are there. A browser that cannot be served is named, and is no reason not
/// to install the package.
const CONFIGURE: &str = "#!/bin/sh
set -e
if [ \"$1\" = configure ]; then
    idb-relay install --system --browser all || true
fi
";

/// Run while the program is still there. An update leaves what was written: it names the same file.
const REMOVE: &str = "#!/bin/sh
set -e
if [ \"$1\" = remove ]; then
    idb-relay uninstall --system || true
fi
";

/// What a package is made of.
pub struct Package<'a> {
    /// The machine, by Debian's name.
    pub architecture: &'a str,
    pub version: &'a str,
    pub program: &'a [u8],
    pub extras: &'a Extras,
    /// The licences of what is linked.
    pub notices: &'a str,
}

impl Package<'_> {
    /// Writes it into a directory; its path.
    pub fn write(&self, root: &Path, directory: &Path) -> Result<PathBuf> {
        let files = self.files(root)?;
        let tree = tempfile::tempdir()?;
        files.unpack(tree.path())?;
        let mut control = Files::default();
        control.add("control", self.control(files.size()));
        control.add_program("postinst", CONFIGURE);
        control.add_program("prerm", REMOVE);
        control.unpack(&tree.path().join("DEBIAN"))?;
        open_directories(tree.path())?;
        let path = directory.join(format!("idb-relay_{}_{}.deb", self.version, self.architecture));
        let mut build = Command::new("dpkg-deb");
        build
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(tree.path())
            .arg(&path)
            // No file is younger than this in the package.
            .env("SOURCE_DATE_EPOCH", "1");
        run::quietly(
            &format!("Making the Debian package for {}", self.architecture),
            build,
        )?;
        Ok(path)
    }

    fn files(&self, root: &Path) -> Result<Files> {
        let mut files = Files::default();
        files.add_program("usr/bin/idb-relay", self.program);
        for (name, page) in &self.extras.pages {
            files.add(format!("usr/share/man/man1/{name}.gz"), files::gzip(page)?);
        }
        for (name, script) in &self.extras.completions {
            let path = match *name {
                "idb-relay.bash" => "usr/share/bash-completion/completions/idb-relay",
                "_idb-relay" => "usr/share/zsh/vendor-completions/_idb-relay",
                "idb-relay.fish" => "usr/share/fish/vendor_completions.d/idb-relay.fish",
                // Debian has no PowerShell.
                _ => continue,
            };
            files.add(path, script.as_str());
        }
        let documents = "usr/share/doc/idb-relay";
        let mit = files::read(&root.join("LICENSE-MIT"))?;
        let copyright = format!(
            "idb-relay may be used under the Apache License 2.0 (/usr/share/common-licenses/Apache-2.0) or\n\
             the MIT License, at your option. THIRD-PARTY.txt.gz has the licences of what is linked.\n\n{}",
            String::from_utf8_lossy(&mit)
        );
        files.add(format!("{documents}/copyright"), copyright);
        let changes = files::read(&root.join("CHANGELOG.md"))?;
        files.add(format!("{documents}/changelog.gz"), files::gzip(&changes)?);
        let notices = files::gzip(self.notices.as_bytes())?;
        files.add(format!("{documents}/THIRD-PARTY.txt.gz"), notices);
        Ok(files)
    }

    fn control(&self, bytes: usize) -> String {
        format!(
            "Package: idb-relay\n\
             Version: {}\n\
             Architecture: {}\n\
             Maintainer: The idb-relay contributors <packages@idb-relay.dev>\n\
             Installed-Size: {}\n\
             Depends: libc6 (>= 2.17)\n\
             Suggests: chromium | firefox-esr, redis-server, memcached\n\
             Section: devel\n\
             Priority: optional\n\
             Description: change data capture for the browser's IndexedDB\n \
             The native host of the browser extension idb-relay: it journals every write that\n \
             commits in a page, publishes it to Redis and keeps Memcached up to date.\n",
            self.version,
            self.architecture,
            bytes.div_ceil(1024),
        )
    }
}

/// Lets everybody read the directories of the package.
fn open_directories(directory: &Path) -> Result<()> {
    files::set_mode(directory, 0o755)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            open_directories(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_has_the_same_bytes_each_time() {
        let root = crate::root().expect("a root");
        let extras = Extras {
            pages: vec![("idb-relay.1".to_owned(), b"page".to_vec())],
            completions: vec![("idb-relay.bash", "script".to_owned())],
        };
        let package = Package {
            architecture: "amd64",
            version: "1.2.3",
            program: b"program",
            extras: &extras,
            notices: "notices",
        };
        let written = || {
            let directory = tempfile::tempdir().expect("a directory");
            let path = package.write(&root, directory.path()).expect("written");
            fs::read(path).expect("read")
        };
        if crate::machine::find(&["dpkg-deb"]).is_some() {
            assert!(written() == written());
        }
        let files = package.files(&root).expect("files");
        let directory = tempfile::tempdir().expect("a directory");
        files.unpack(directory.path()).expect("unpacked");
        for path in [
            "usr/bin/idb-relay",
            "usr/share/man/man1/idb-relay.1.gz",
            "usr/share/bash-completion/completions/idb-relay",
            "usr/share/doc/idb-relay/copyright",
        ] {
            assert!(directory.path().join(path).is_file(), "{path}");
        }
    }
}
