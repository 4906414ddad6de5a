//! What an inspector wants to know of a server: where an event stands in the stream, and how its
//! own client reaches it.

use std::ops::ControlFlow;

use redis::{ConnectionAddr, IntoConnectionInfo as _};

use super::{
    address,
    link::{connect, newest_first},
    problem,
};
use crate::{config, journal::progress::condition::Problem};

/// How far from the time at which the host saw an event pass it is looked for, in milliseconds: a
/// server has a clock of its own, and gives its answer after it has taken the event.
const EARLIER: i64 = 10_000;
const LATER: i64 = 2_000;

/// How many entries are looked at at most.
const MOST: usize = 20_000;

/// The id of an event's entry in the stream, which the server took at about this time (in
/// milliseconds since the epoch), if it is there.
pub fn entry(
    config: &config::Redis,
    stream: &str,
    profile: &str,
    number: u64,
    passed_at: i64,
) -> Result<Option<String>, Problem> {
    let failed = |error| problem::of_error(&error, &address(&config.url)).trouble;
    let mut connection = connect(config).map_err(failed)?;
    let (end, start) = (
        passed_at.saturating_add(LATER).to_string(),
        passed_at.saturating_sub(EARLIER).max(0).to_string(),
    );
    let mut looked_at = 0;
    // Numbers grow along the stream.
    let found = newest_first(&mut connection, stream, (&end, &start), profile, |at, id, _| {
        looked_at += 1;
        if at == number {
            ControlFlow::Break(Some(id.to_owned()))
        } else if at < number || looked_at == MOST {
            ControlFlow::Break(None)
        } else {
            ControlFlow::Continue(())
        }
    });
    Ok(match found.map_err(failed)? {
        ControlFlow::Break(found) => found,
        ControlFlow::Continue(()) => None,
    })
}

/// The command line that reaches a server with `redis-cli`, word by word. Of what opens it there is
/// only the question for it.
pub fn client(config: &config::Redis) -> Vec<String> {
    let Ok(info) = config.url.as_str().into_connection_info() else {
        return Vec::new();
    };
    let mut words = vec!["redis-cli".to_owned()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    match info.addr() {
        ConnectionAddr::Unix(path) => option("-s", &path.to_string_lossy()),
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            if host != "127.0.0.1" {
                option("-h", host);
            }
            if *port != 6379 {
                option("-p", &port.to_string());
            }
        }
        // A kind of address that a later version of the library may add.
        _ => return Vec::new(),
    }
    let settings = info.redis_settings();
    if settings.db() != 0 {
        option("-n", &settings.db().to_string());
    }
    if let Some(user) = settings.username() {
        option("--user", user);
    }
    if let Some(file) = config.ca_file.as_deref() {
        option("--cacert", &file.to_string_lossy());
    }
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        words.push("--tls".to_owned());
    }
    if settings.password().is_some() {
        words.push("--askpass".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::name::Template;

    #[test]
    #[cfg_attr(windows, ignore = "it has paths of Unix")]
    fn the_clients_command_names_all_but_the_password() {
        let words = |url: &str| {
            let config = config::Redis {
                url: url.to_owned(),
                ca_file: None,
                channel: Template::channel("idb:{origin}:{database}:{store}").expect("a template"),
                stream: None,
                max_stream_length: None,
                max_memory: None,
            };
            client(&config).join(" ")
        };
        assert_eq!(words("redis://127.0.0.1"), "redis-cli");
        assert_eq!(
            words("redis://relay:s3cr3t@cache:6380/2"),
            "redis-cli -h cache -p 6380 -n 2 --user relay --askpass"
        );
        assert_eq!(
            words("rediss://:s3cr3t@cache"),
            "redis-cli -h cache --tls --askpass"
        );
        assert_eq!(
            words("redis+unix:///run/redis.sock?db=3"),
            "redis-cli -s /run/redis.sock -n 3"
        );
        assert_eq!(words("nonsense"), "");
    }
}
