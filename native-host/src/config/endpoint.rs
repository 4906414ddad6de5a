//! Where a Memcached server is, and what it takes to be let in.
//!
//! **Invariant:** an endpoint's name holds no secret, so it may be shown, logged and stored. User
//! and password have keys of their own in the configuration and are never part of an address.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What an address with TLS begins with.
pub(super) const TLS: &str = "tls://";

/// What the path of a local socket begins with.
pub(super) const SOCKET: &str = "unix://";

/// One server of `memcached.servers`, with all that a connection to it needs.
#[derive(Debug, Clone)]
pub struct Endpoint {
    name: String,
    /// `memcached.ca_file`: PEM file with the CA of a `tls://` server; `None`: the system's trust
    /// store.
    pub ca_file: Option<PathBuf>,
    /// `memcached.user`, `memcached.password`
    pub login: Option<Login>,
}

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport<'e> {
    /// TCP in the clear, to `host:port`.
    Plain(&'e str),
    /// TLS, to `host:port`.
    Tls(&'e str),
    /// A socket in the file system.
    Socket(&'e Path),
}

/// User and password of Memcached's ASCII authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name, without spaces.
    pub user: String,
    /// The password; never printed.
    pub password: String,
}

impl Endpoint {
    /// A server as the configuration names it.
    pub fn new(name: &str, ca_file: Option<PathBuf>, login: Option<Login>) -> Self {
        Self {
            name: name.to_owned(),
            ca_file,
            login,
        }
    }

    /// As it stands in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is reached.
    pub fn transport(&self) -> Transport<'_> {
        Transport::of(&self.name)
    }

    /// Whether records and passwords cross a network in the clear.
    pub fn is_exposed(&self) -> bool {
        match self.transport() {
            Transport::Plain(address) => !is_loopback(host(address)),
            Transport::Tls(_) | Transport::Socket(_) => false,
        }
    }
}

impl<'e> Transport<'e> {
    /// That of a server as the configuration names it.
    pub fn of(name: &'e str) -> Self {
        if let Some(address) = name.strip_prefix(TLS) {
            Self::Tls(address)
        } else if let Some(path) = name.strip_prefix(SOCKET) {
            Self::Socket(Path::new(path))
        } else {
            Self::Plain(name)
        }
    }
}

/// The host of a `host:port`, without the brackets of an IPv6 address.
pub fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// Whether a host is this machine, as far as its name tells.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Login(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(name: &str) -> Endpoint {
        Endpoint::new(name, None, None)
    }

    #[test]
    fn address_names_its_transport() {
        for (name, transport) in [
            ("10.0.0.1:11211", Transport::Plain("10.0.0.1:11211")),
            ("tls://cache.example:11211", Transport::Tls("cache.example:11211")),
            ("unix:///run/m.sock", Transport::Socket(Path::new("/run/m.sock"))),
        ] {
            assert_eq!(endpoint(name).transport(), transport);
        }
    }

    #[test]
    fn only_plain_connections_to_other_machines_are_exposed() {
        for name in [
            "127.0.0.1:11211",
            "127.9.9.9:1",
            "[::1]:11211",
            "localhost:11211",
            "tls://cache.example:11211",
            "unix:///run/memcached.sock",
        ] {
            assert!(!endpoint(name).is_exposed(), "{name}");
        }
        for name in ["10.0.0.1:11211", "cache.example:11211", "[2001:db8::1]:11211"] {
            assert!(endpoint(name).is_exposed(), "{name}");
        }
    }

    #[test]
    fn password_is_never_printed() {
        let login = Login {
            user: "ann".to_owned(),
            password: "open sesame".to_owned(),
        };
        let endpoint = Endpoint::new("tls://cache.example:11211", None, Some(login));
        assert!(!format!("{endpoint:?}").contains("sesame"));
    }
}
