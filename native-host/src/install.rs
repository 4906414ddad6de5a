//! Telling browsers where the host is: a manifest file in a directory of each, on Windows a
//! registry key that names one.
//!
//! - [`browsers`]: which browsers there are and where they look, from `manifests/browsers.toml`.
//! - [`surroundings`]: this machine and user, and [`registry`], which only Windows has.
//! - [`manifest`]: what the file says.
//! - [`plan`]: what is to be written for a browser, writing it, and taking it back.
//! - [`copy`]: a copy of this program in a place that stays.
//!
//! A file is made under another name and renamed, so a browser never sees half a manifest, and a
//! link that lies in its place is replaced, not followed.

use std::{io, path::PathBuf};

use protocol::wire::host::ErrorCode;

use crate::failure::Failure;

pub mod browsers;
pub mod copy;
pub mod manifest;
pub mod plan;
pub mod registry;
pub mod surroundings;
#[cfg(test)]
pub(crate) mod testing;

pub use self::plan::{Plan, plan};

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
    /// None of the list is there.
    #[error("no browser was found")]
    NoBrowser,
    /// A file of this program's own that is compiled in.
    #[error("{0} cannot be used: {1}")]
    Template(&'static str, String),
    /// The program's path cannot stand in a manifest, which is JSON.
    #[error("the program's path {} is not UTF-8, and no browser could find it by a manifest", .0.display())]
    Path(PathBuf),
    /// A browser has no such place.
    #[error("{browser} has no place for that: {why}")]
    NoPlace {
        /// Its title.
        browser: String,
        /// What it lacks.
        why: &'static str,
    },
    /// A manifest of this name that says something else.
    #[error("{} belongs to another program: it does not let this extension start a host", .0.display())]
    Foreign(PathBuf),
    /// A script in the place of a wrapper that starts something else.
    #[error("{} belongs to another program: no install has written it", .0.display())]
    ForeignWrapper(PathBuf),
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
    /// A program that runs, and so is locked.
    #[error("{} cannot be replaced: {source}", path.display())]
    InUse {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program that runs, which Windows keeps.
    #[error("{} cannot be removed: it is the program that is running", .0.display())]
    Running(PathBuf),
    /// In the place of the copy lies something else.
    #[error("{} is {what}, which `install --copy` has not made", path.display())]
    NoCopy {
        /// Which one.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// A registry key.
    #[error("the registry key {key} cannot be {doing}: {source}")]
    Key {
        /// Which one.
        key: String,
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
            Self::NoBrowser => {
                "Name one: `idb-relay install --browser chromium`; --help lists them, and \"all\" means each."
                    .to_owned()
            }
            Self::Template(..) => "This build is broken; please report it.".to_owned(),
            Self::Path(_) => {
                "Move the program to a directory whose name is UTF-8, then run it again.".to_owned()
            }
            Self::NoPlace { .. } => "Leave --system and --user-data-dir out.".to_owned(),
            Self::Foreign(_) | Self::ForeignWrapper(_) => {
                "See what it is for. If nothing needs it, move it away and run `idb-relay install` again."
                    .to_owned()
            }
            Self::NoHome => "Set HOME, or use --system or --user-data-dir.".to_owned(),
            Self::InUse { .. } => {
                "A browser is running it. Close the browsers, then run this again.".to_owned()
            }
            Self::Running(path) => format!(
                "Windows lets no running program remove itself: delete {} afterwards.",
                path.display()
            ),
            Self::NoCopy { .. } => "It was left there. If nothing needs it, remove it yourself.".to_owned(),
            Self::File { source, .. } | Self::Key { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                if cfg!(windows) {
                    "Run it as a user who may write there (--system needs an administrator), or from a \
                     directory of your own: `idb-relay install --copy`."
                        .to_owned()
                } else {
                    "Run it as a user who may write there (--system needs root).".to_owned()
                }
            }
            Self::File { .. } => "Check the path.".to_owned(),
            Self::Key { .. } => "Look at the key with regedit.".to_owned(),
        }
    }
}
