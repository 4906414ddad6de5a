//! Addresses of servers.

use std::path::Path;

use redis::IntoConnectionInfo as _;

use super::{
    ConfigError,
    document::{Located, Section},
};

/// Refuses what looks like a Redis address and is not one that this version speaks. The address itself is never shown: it may hold
/// a password.
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

/// Whether a character in user or password ends them too early: what stands in front of it would be taken for the server, and shown.
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

/// Whether an address is one with TLS.
pub(crate) fn is_tls(url: &str) -> bool {
    url.starts_with("rediss://") || url.starts_with("valkeys://")
}

/// Refuses a file of certificates that could not be found, or is for nothing.
pub(super) fn check_ca_file(
    section: &Section<'_>,
    file: &Located<String>,
    url: Option<&Located<String>>,
) -> Result<(), ConfigError> {
    if !Path::new(&file.value).is_absolute() {
        let problem = format!(
            "{:?} is not an absolute path; browsers start the host in a directory of their own",
            file.value
        );
        return Err(section.wrong(file.line, "ca_file", &problem));
    }
    if !url.is_some_and(|url| is_tls(&url.value)) {
        let problem = "it is for TLS alone, which an address begins with rediss:// for";
        return Err(section.wrong(file.line, "ca_file", &problem));
    }
    Ok(())
}

/// The servers, each with a port.
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
        .map(|server| {
            let port = server.value.rsplit_once(':').and_then(|(host, port)| {
                let plain = !host.is_empty() && !host.contains(['/', ' ', ',']);
                plain.then(|| port.parse::<u16>().ok()).flatten()
            });
            match port {
                Some(port) if port > 0 => Ok(server.value),
                _ => {
                    let problem = format!(
                        "{:?} is no server; write host:port, such as \"127.0.0.1:11211\"",
                        server.value
                    );
                    Err(section.wrong(server.line, "servers", &problem))
                }
            }
        })
        .collect()
}
