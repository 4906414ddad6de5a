//! Where the platform wants files of a user's programs.
//!
//! Linux follows the XDG base directories, macOS `~/Library/Application Support`, Windows
//! `%APPDATA%` and `%LOCALAPPDATA%`. The paths are those that earlier versions had from the crate
//! `directories`.

use std::{env, ffi::OsString, path::PathBuf};

/// The directories of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directories {
    /// The user's home.
    pub home: PathBuf,
    /// Below which all programs have their configuration.
    pub configurations: PathBuf,
    /// This program's configuration.
    pub config: PathBuf,
    /// This program's data, which belongs to this machine.
    pub data: PathBuf,
    /// What this program notes on the way, such as logs.
    pub state: PathBuf,
}

/// A family of systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux, and what else follows the XDG base directories.
    Xdg,
    /// macOS.
    Apple,
    /// Windows.
    Windows,
}

/// The one that this program was built for.
pub(crate) const THIS: System = if cfg!(target_os = "macos") {
    System::Apple
} else if cfg!(windows) {
    System::Windows
} else {
    System::Xdg
};

impl Directories {
    /// Those of the user that runs this; `None`: there is no home directory.
    pub(crate) fn find() -> Option<Self> {
        Self::of(THIS, env::home_dir(), env::var_os)
    }

    pub(crate) fn of(
        system: System,
        home: Option<PathBuf>,
        variable: impl Fn(&'static str) -> Option<OsString>,
    ) -> Option<Self> {
        let home = home.filter(|home| !home.as_os_str().is_empty())?;
        // A relative path would mean another directory in each process.
        let given = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        Some(match system {
            System::Xdg => {
                let base = |name, default| given(name).unwrap_or_else(|| home.join(default));
                let configurations = base("XDG_CONFIG_HOME", ".config");
                Self {
                    config: configurations.join("idb-relay"),
                    configurations,
                    data: base("XDG_DATA_HOME", ".local/share").join("idb-relay"),
                    state: base("XDG_STATE_HOME", ".local/state").join("idb-relay"),
                    home,
                }
            }
            System::Apple => {
                let configurations = home.join("Library/Application Support");
                let own = configurations.join("dev.idb-relay.idb-relay");
                Self {
                    home,
                    configurations,
                    config: own.clone(),
                    data: own.clone(),
                    state: own,
                }
            }
            System::Windows => {
                let configurations = given("APPDATA")?;
                let own = |base: PathBuf| base.join("idb-relay").join("idb-relay");
                let data = own(given("LOCALAPPDATA")?).join("data");
                Self {
                    home,
                    config: own(configurations.clone()).join("config"),
                    configurations,
                    state: data.clone(),
                    data,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn of(system: System, home: &str, variables: &[(&str, &str)]) -> Option<Directories> {
        let find = |name: &'static str| {
            let variable = variables.iter().find(|(other, _)| *other == name);
            variable.map(|(_, value)| OsString::from(value))
        };
        Directories::of(system, Some(home.into()), find)
    }

    #[test]
    fn xdg_defaults_lie_in_the_home_directory() {
        let found = of(System::Xdg, "/home/ann", &[]).expect("a home");
        assert_eq!(found.config, Path::new("/home/ann/.config/idb-relay"));
        assert_eq!(found.configurations, Path::new("/home/ann/.config"));
        assert_eq!(found.data, Path::new("/home/ann/.local/share/idb-relay"));
        assert_eq!(found.state, Path::new("/home/ann/.local/state/idb-relay"));
    }

    #[test]
    #[cfg_attr(windows, ignore = "it has paths of Unix")]
    fn xdg_variables_count_if_they_are_absolute() {
        let variables = [
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_DATA_HOME", "d"),
            ("XDG_STATE_HOME", ""),
        ];
        let found = of(System::Xdg, "/home/ann", &variables).expect("a home");
        assert_eq!(found.config, Path::new("/c/idb-relay"));
        assert_eq!(found.configurations, Path::new("/c"));
        assert_eq!(found.data, Path::new("/home/ann/.local/share/idb-relay"));
        assert_eq!(found.state, Path::new("/home/ann/.local/state/idb-relay"));
    }

    #[test]
    fn macos_has_one_directory_for_all() {
        let found = of(System::Apple, "/Users/ann", &[("XDG_CONFIG_HOME", "/c")]).expect("a home");
        let own = Path::new("/Users/ann/Library/Application Support/dev.idb-relay.idb-relay");
        assert_eq!((&*found.config, &*found.data, &*found.state), (own, own, own));
    }

    #[test]
    #[cfg_attr(windows, ignore = "it has paths of Unix")]
    fn windows_tells_roaming_from_local() {
        // Paths of this system, for an absolute one looks different there.
        let variables = [("APPDATA", "/roaming"), ("LOCALAPPDATA", "/local")];
        let found = of(System::Windows, "/ann", &variables).expect("a home");
        assert_eq!(found.config, Path::new("/roaming/idb-relay/idb-relay/config"));
        assert_eq!(found.data, Path::new("/local/idb-relay/idb-relay/data"));
        assert_eq!(found.state, found.data);
        assert_eq!(of(System::Windows, "/ann", &[]), None);
    }

    #[test]
    fn user_without_home_has_none() {
        assert_eq!(of(System::Xdg, "", &[]), None);
    }
}
