//! Telling browsers where the host is: a manifest file in a directory of each.
//!
//! - [`browsers`]: which browsers there are and where they look, from `manifests/browsers.toml`.
//! - [`manifest`]: what the file says.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use protocol::message::ErrorCode;

use crate::{failure::Failure, temporary};

pub mod browsers;
pub mod manifest;

use self::browsers::{Browser, Scope};

/// Why an installation failed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A browser that is not in the list.
    #[error("there is no browser {name:?} in the list: {known}")]
    UnknownBrowser {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A file of this program's own that is compiled in.
    #[error("{0} cannot be used: {1}")]
    Template(&'static str, String),
    /// The program's path cannot stand in a manifest, which is JSON.
    #[error("the program's path {} is not UTF-8, and no browser could find it by a manifest", .0.display())]
    Path(PathBuf),
    /// This system is none that the list knows.
    #[error("{0} is not known on this system")]
    System(String),
    /// This user has no home directory.
    #[error("this user has no home directory")]
    NoHome,
    /// A file or a directory.
    #[error("{} cannot be {doing}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl Failure for InstallError {
    fn code(&self) -> ErrorCode {
        ErrorCode::Config
    }

    fn fix(&self) -> String {
        match self {
            Self::UnknownBrowser { .. } => "Name one of the list, or \"all\".".to_owned(),
            Self::Template(..) => "This build is broken; please report it.".to_owned(),
            Self::Path(_) => {
                "Move the program to a directory whose name is UTF-8, then run it again.".to_owned()
            }
            Self::System(_) => "Only Linux is supported in this version.".to_owned(),
            Self::NoHome => "Set HOME, or use --system or --user-data-dir.".to_owned(),
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "Run it as a user who may write there (--system needs root).".to_owned()
            }
            Self::File { .. } => "Check the path.".to_owned(),
        }
    }
}

/// A manifest's place, and what it is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The browser's title.
    pub browser: String,
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub content: String,
}

/// What is to be written so that these browsers find the host.
pub fn plan(browsers: &[Browser], scope: &Scope, host: &Path) -> Result<Vec<Plan>, InstallError> {
    let mut plans: Vec<Plan> = Vec::new();
    for browser in browsers {
        let path = browser
            .directory(scope)?
            .join(format!("{}.json", protocol::HOST_NAME));
        // Chrome and Chrome Beta share one directory for everybody.
        if plans.iter().any(|plan| plan.path == path) {
            continue;
        }
        plans.push(Plan {
            browser: browser.title.clone(),
            path,
            content: manifest::host(&browser.family, host)?,
        });
    }
    Ok(plans)
}

impl Plan {
    /// Writes the manifest, making its directory.
    pub fn write(&self) -> Result<(), InstallError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| InstallError::File { path, doing, source }
        };
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(failed("made", directory))?;
        // By way of another name: a browser never sees half a manifest.
        let name = format!("{}.json.new", protocol::HOST_NAME);
        let (mut file, draft) =
            temporary::create(directory, &name, false).map_err(failed("written", &self.path))?;
        let written = file
            .write_all(self.content.as_bytes())
            .and_then(|()| fs::rename(&draft, &self.path));
        if written.is_err() {
            let _left_behind = fs::remove_file(&draft);
        }
        written.map_err(failed("written", &self.path))
    }

    /// Removes the manifest; `false` if there was none.
    pub fn remove(&self) -> Result<bool, InstallError> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(InstallError::File {
                path: self.path.clone(),
                doing: "removed",
                source,
            }),
        }
    }
}
