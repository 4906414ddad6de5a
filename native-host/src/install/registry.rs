//! The registry of Windows, as far as manifests need it: the default value of a key.

use std::io;

/// For whom a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hive {
    /// `HKEY_CURRENT_USER`.
    User,
    /// `HKEY_LOCAL_MACHINE`.
    Machine,
}

impl Hive {
    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "HKCU",
            Self::Machine => "HKLM",
        }
    }
}

/// The default value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A value of another type, or none: no browser takes it for a path.
    Other,
}

/// What is asked of a registry. Tests have one of their own.
pub trait Registry {
    /// The default value of a key; `None`: there is no such key.
    fn read(&self, hive: Hive, key: &str) -> io::Result<Option<Value>>;

    /// Makes a key, if it is not there, and sets its default value.
    fn write(&self, hive: Hive, key: &str, value: &str) -> io::Result<()>;

    /// Removes a key that has none below it.
    fn delete(&self, hive: Hive, key: &str) -> io::Result<()>;
}

/// The one of this system.
pub(crate) fn of_this_system() -> Box<dyn Registry> {
    #[cfg(windows)]
    return Box::new(windows::Windows);
    #[cfg(not(windows))]
    Box::new(Absent)
}

/// The registry of a system that has none.
#[cfg(not(windows))]
struct Absent;

#[cfg(not(windows))]
impl Registry for Absent {
    fn read(&self, _: Hive, _: &str) -> io::Result<Option<Value>> {
        Ok(None)
    }

    fn write(&self, _: Hive, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn delete(&self, _: Hive, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(windows)]
mod windows {
    use std::io;

    use winreg::{
        RegKey,
        enums::{
            HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, KEY_WOW64_64KEY, KEY_WRITE, RegType,
        },
        types::FromRegValue as _,
    };

    use super::{Hive, Registry, Value};

    /// All browsers look in the 64-bit view; there is but one of HKCU.
    const VIEW: u32 = KEY_WOW64_64KEY;

    pub(super) struct Windows;

    fn root(hive: Hive) -> RegKey {
        RegKey::predef(match hive {
            Hive::User => HKEY_CURRENT_USER,
            Hive::Machine => HKEY_LOCAL_MACHINE,
        })
    }

    /// What was found, if it was.
    fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    impl Registry for Windows {
        fn read(&self, hive: Hive, key: &str) -> io::Result<Option<Value>> {
            let Some(key) = found(root(hive).open_subkey_with_flags(key, KEY_QUERY_VALUE | VIEW))? else {
                return Ok(None);
            };
            let value = found(key.get_raw_value(""))?;
            let text = value
                .filter(|value| value.vtype == RegType::REG_SZ)
                .and_then(|value| String::from_reg_value(&value).ok());
            Ok(Some(text.map_or(Value::Other, Value::Text)))
        }

        fn write(&self, hive: Hive, key: &str, value: &str) -> io::Result<()> {
            let (key, _) = root(hive).create_subkey_with_flags(key, KEY_WRITE | VIEW)?;
            key.set_value("", &value)
        }

        fn delete(&self, hive: Hive, key: &str) -> io::Result<()> {
            root(hive).delete_subkey_with_flags(key, VIEW)
        }
    }
}
