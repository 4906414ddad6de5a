//! Addresses of servers.

use std::path::Path;

use redis::IntoConnectionInfo as _;

use super::{
    ConfigError,
    document::{Located, Section},
    endpoint::{Login, Transport},
};

/// Refuses what looks like a Redis address and is not one that this version speaks. The address
/// itself is never shown: it may hold a password.
pub(super) fn check_redis_url(section: &Section<'_>, url: &Located<String>) -> Result<(), ConfigError> {
    let one = "Use redis:// or rediss:// (TLS) to one server, or redis+unix:// to a local one.";
    let scheme = url.value.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("redis" | "rediss" | "redis+unix" | "unix" | "valkey" | "valkeys")
            if url.value.contains(',') =>
        {
            Err(section.not_yet(url.line, "a Redis cluster (several addresses in redis.url)", one))
        }
        Some("redis" | "rediss" | "redis+unix" | "unix" | "valkey" | "valkeys") => {
            if url.value.ends_with("#insecure") {
                let problem = "#insecure: the server's certificate is always checked; name who vouches for it in ca_file";
                Err(section.wrong(url.line, "url", &problem))
            } else if splits_what_opens(&url.value) {
                let problem =
                    "the address is cut short by a / ? or # in user or password: write %2F, %3F or %23";
                Err(section.wrong(url.line, "url", &problem))
            } else if url.value.as_str().into_connection_info().is_ok() {
                Ok(())
            } else {
                let problem = "the address cannot be read; it looks like redis://user:password@host:6379/0";
                Err(section.wrong(url.line, "url", &problem))
            }
        }
        Some(scheme) if scheme.contains("sentinel") => {
            Err(section.not_yet(url.line, "Redis Sentinel (in redis.url)", one))
        }
        _ => {
            let problem = "the address must start with redis://, rediss:// or redis+unix://";
            Err(section.wrong(url.line, "url", &problem))
        }
    }
}

/// Whether a character in user or password ends them too early: what stands in front of it would be
/// taken for the server, and shown.
fn splits_what_opens(url: &str) -> bool {
    let local = ["redis+unix://", "unix://"];
    if local.iter().any(|scheme| url.starts_with(scheme)) {
        return false;
    }
    let opens = url
        .split_once("://")
        .and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0));
    opens.is_some_and(|opens| opens.contains(['/', '?', '#']))
}

/// Whether a Redis address holds a password.
pub(super) fn has_password(url: &str) -> bool {
    url.into_connection_info()
        .is_ok_and(|info| info.redis_settings().password().is_some())
}

/// Whether an address is one with TLS.
pub(crate) fn is_tls(url: &str) -> bool {
    url.starts_with("rediss://") || url.starts_with("valkeys://")
}

/// Refuses a file of certificates that could not be found, or is for nothing.
pub(super) fn check_ca_file(
    section: &Section<'_>,
    file: &Located<String>,
    has_tls: bool,
    scheme: &str,
) -> Result<(), ConfigError> {
    if !Path::new(&file.value).is_absolute() {
        let problem = format!(
            "{:?} is not an absolute path; browsers start the host in a directory of their own",
            file.value
        );
        return Err(section.wrong(file.line, "ca_file", &problem));
    }
    if !has_tls {
        let problem = format!("it is for TLS alone, which an address begins with {scheme} for");
        return Err(section.wrong(file.line, "ca_file", &problem));
    }
    Ok(())
}

/// The servers, each with a port or a path. One with credentials in it is never shown.
pub(super) fn check_servers(
    section: &Section<'_>,
    servers: Vec<Located<String>>,
) -> Result<Vec<String>, ConfigError> {
    if servers.is_empty() {
        let line = section.line("servers");
        let problem = "the list is empty; to do without Memcached write mode = \"off\"";
        return Err(section.wrong(line, "servers", &problem));
    }
    servers
        .into_iter()
        .map(|server| match server_problem(&server.value) {
            None => Ok(server.value),
            Some(problem) => Err(section.wrong(server.line, "servers", &problem)),
        })
        .collect()
}

fn server_problem(server: &str) -> Option<String> {
    let address = match Transport::of(server) {
        Transport::Socket(_) if !cfg!(unix) => {
            return Some(format!("{server:?}: this system has no such sockets"));
        }
        Transport::Socket(path) => {
            return (!path.is_absolute()).then(|| {
                format!(
                    "{server:?} names no absolute path; write three slashes: \"unix:///run/memcached.sock\""
                )
            });
        }
        Transport::Plain(address) | Transport::Tls(address) => address,
    };
    if address.contains('@') {
        return Some("user and password go into memcached.user and memcached.password".to_owned());
    }
    let port = address.rsplit_once(':').and_then(|(host, port)| {
        let plain = !host.is_empty() && !host.contains(['/', ' ', ',']);
        plain.then(|| port.parse::<u16>().ok()).flatten()
    });
    if port.is_some_and(|port| port > 0) {
        return None;
    }
    Some(format!(
        "{server:?} is no server; write host:port, such as \"127.0.0.1:11211\", \"tls://host:port\" or \"unix:///path\""
    ))
}

/// User and password of Memcached, which are never shown.
pub(super) fn login(section: &Section<'_>) -> Result<Option<Login>, ConfigError> {
    let user = section.string("user")?;
    let password = section.string("password")?;
    match (user, password) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(section.absent("password", "the user's password, in quotes")),
        (None, Some(_)) => Err(section.absent("user", "the user's name, in quotes")),
        (Some(user), Some(password)) => {
            let is_user = !user.value.is_empty()
                && !user.value.contains([' ', ':'])
                && !user.value.contains(char::is_control);
            if !is_user {
                let problem = "a user's name has no spaces, colons or control characters";
                return Err(section.wrong(user.line, "user", &problem));
            }
            // Memcached does not find a password with spaces in its file, and a line's end would
            // end the command.
            let is_separator = |char: char| char == ' ' || char.is_control();
            if password.value.is_empty() || password.value.contains(is_separator) {
                let problem = "a password has at least one character, no spaces (Memcached's file of users takes none) and no control characters";
                return Err(section.wrong(password.line, "password", &problem));
            }
            Ok(Some(Login {
                user: user.value,
                password: password.value,
            }))
        }
    }
}
