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
    match found.map_err(failed)? {
        ControlFlow::Break(Some(id)) if !is_entry_id(&id) => {
            Err(problem::not_redis("an entry's id is not two numbers", &address(&config.url)).trouble)
        }
        ControlFlow::Break(found) => Ok(found),
        ControlFlow::Continue(()) => Ok(None),
    }
}

/// Whether this is the id of a stream's entry. It becomes part of a shell command, so no other text
/// is let through.
fn is_entry_id(id: &str) -> bool {
    let is_number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u64>().is_ok();
    id.split_once('-')
        .is_some_and(|(time, count)| is_number(time) && is_number(count))
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
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    use protocol::name::Template;

    use super::*;

    fn config(url: &str) -> config::Redis {
        config::Redis {
            url: url.to_owned(),
            ca_file: None,
            channel: Template::channel("idb:{origin}:{database}:{store}").expect("a template"),
            stream: None,
            max_stream_length: None,
            max_memory: None,
        }
    }

    /// The id that is found on a server whose stream has an entry of this id.
    fn found(id: &str) -> Result<Option<String>, Problem> {
        let event = r#"{"source":{"profile":"p","sequence":7}}"#;
        let range = format!(
            "*1\r\n*2\r\n${}\r\n{id}\r\n*2\r\n$5\r\nevent\r\n${}\r\n{event}\r\n",
            id.len(),
            event.len()
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let config = config(&format!("redis://{}", listener.local_addr().expect("an address")));
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let lines = BufReader::new(client.try_clone().expect("a second handle")).lines();
            for line in lines.map_while(Result::ok) {
                // The client says its name and its version first.
                if line == "SETINFO" {
                    client.write_all(b"+OK\r\n").expect("sent");
                } else if line == "XREVRANGE" {
                    client.write_all(range.as_bytes()).expect("sent");
                }
            }
        });
        let found = entry(&config, "events", "p", 7, 5000);
        server.join().expect("no panic");
        found
    }

    #[test]
    fn entry_id_is_two_numbers_or_refused() {
        for id in ["5007-1", "0-0", "18446744073709551615-18446744073709551615"] {
            assert_eq!(found(id).expect("an id").as_deref(), Some(id));
        }
        for id in [
            "1796-0;touch /tmp/pwned;#",
            "$(id)-0",
            "-",
            "5007",
            "5007-",
            "+1-0",
            "5007-1-1",
            "18446744073709551616-0",
            "5007-1\n",
        ] {
            let problem = found(id).expect_err(id);
            assert!(
                problem.message.contains("answers what no Redis does"),
                "{problem:?}"
            );
            assert!(problem.fix.contains("redis.url"), "{problem:?}");
        }
    }

    #[test]
    #[cfg_attr(windows, ignore = "it has paths of Unix")]
    fn the_clients_command_names_all_but_the_password() {
        let words = |url: &str| client(&config(url)).join(" ");
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
