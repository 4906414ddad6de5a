//! The names of an event on the servers, and shell commands that show it there.

use protocol::{
    event::Op,
    name::{Names, Template},
    shown::{shell_option, shell_word, shown_json},
    value::plain,
    wire::inspector::{Health, Sink, left_out_bytes},
};

use super::row::EventRow;

/// The most bytes of a plain value that are shown.
const MAX_PLAIN_BYTES: usize = 1024 * 1024;

/// Milliseconds before and after an event in which its stream entry is searched, since clocks
/// differ.
const CLOCK_TOLERANCE: i64 = 1000;

/// The value as Memcached holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainValue {
    Text(String),
    /// The value has no plain form, for this reason.
    Unavailable(String),
    /// The value was too large for the feed. This command prints it.
    TooLarge(String),
}

/// See the [module](self).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerNames {
    pub channel: Option<String>,
    pub stream: Option<String>,
    pub memcached_key: Option<String>,
    /// Prints the event from the stream. Without a stream: subscribes to the channel.
    pub redis_command: Option<String>,
    /// Prints the Memcached item.
    pub memcached_command: Option<String>,
    /// Of an event that leaves a value.
    pub plain_value: Option<PlainValue>,
}

/// The names of an event by the templates in the host's health. Without a host only the value is
/// known.
pub fn server_names(row: &EventRow, health: Option<&Health>) -> ServerNames {
    let source = &row.source;
    let parts = Names {
        origin: &source.origin,
        bucket: &source.bucket,
        database: &source.database,
        store: &source.store,
    };
    let mut names = ServerNames {
        plain_value: (row.has_key && row.op != Op::Delete).then(|| plain_value(row)),
        ..ServerNames::default()
    };
    let Some(health) = health else { return names };
    let sink = |name| health.sinks.iter().find(|sink| sink.name == name && sink.enabled);
    if let Some(redis) = sink("redis") {
        names.channel = Template::channel(&health.channel)
            .ok()
            .map(|template| template.store_name(parts));
        names.stream = Some(health.stream.clone()).filter(|stream| !stream.is_empty());
        names.redis_command = redis_command(row, redis, &names);
    }
    if let Some(memcached) = sink("memcached").filter(|_| row.has_key) {
        names.memcached_key = Template::memcached_key(&health.memcached_key)
            .ok()
            .map(|template| template.record_name(parts, row.key()));
        // Of several servers only the host knows which one has the key.
        if let ([server], Some(key)) = (memcached.servers.as_slice(), &names.memcached_key) {
            names.memcached_command = memcached_client(server)
                .map(|client| format!("printf 'get %s\\r\\nquit\\r\\n' {} | {client}", shell_word(key)));
        }
    }
    names
}

fn plain_value(row: &EventRow) -> PlainValue {
    if left_out_bytes(row.after()).is_some() {
        return match get_command(row) {
            Some(command) => PlainValue::TooLarge(command),
            None => PlainValue::Unavailable(
                "The value is too large for the feed, and no command can have U+0000 in a name.".to_owned(),
            ),
        };
    }
    match plain(row.after(), MAX_PLAIN_BYTES) {
        Ok(text) => PlainValue::Text(text.into_owned()),
        Err(error) => PlainValue::Unavailable(error.to_string()),
    }
}

/// The command that prints the current record; none if its names cannot stand in a command.
fn get_command(row: &EventRow) -> Option<String> {
    let source = &row.source;
    if [&source.bucket, &source.database, &source.store]
        .iter()
        .any(|name| name.contains('\0'))
    {
        return None;
    }
    let mut command = "idb-relay get".to_owned();
    let mut option = |name: &str, value: &str| {
        command.push(' ');
        command.push_str(&shell_option(name, value));
    };
    option("--origin", &source.origin);
    if !source.bucket.is_empty() {
        option("--bucket", &source.bucket);
    }
    option("--database", &source.database);
    option("--store", &source.store);
    option("--key", &shown_json(row.key()));
    Some(command)
}

/// The command that prints the stream entry of an id. The id is a server's text.
pub fn entry_command(health: &Health, id: &str) -> Option<String> {
    let redis = health.sinks.iter().find(|sink| sink.name == "redis")?;
    let id = shell_word(id);
    Some(format!(
        "{} XRANGE {} {id} {id}",
        redis_client(redis)?,
        shell_word(&health.stream)
    ))
}

/// The Redis client with its options for this server.
fn redis_client(redis: &Sink) -> Option<String> {
    let words: Vec<String> = redis.client.iter().map(|word| shell_word(word)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A command that sends its input to a Memcached server.
fn memcached_client(server: &str) -> Option<String> {
    if let Some(path) = server.strip_prefix("unix://") {
        return Some(format!("nc -U {}", shell_word(path)));
    }
    if let Some(address) = server.strip_prefix("tls://") {
        return Some(format!(
            "openssl s_client -quiet -connect {}",
            shell_word(address)
        ));
    }
    let (host, port) = server.rsplit_once(':')?;
    Some(format!(
        "nc {} {}",
        shell_word(host.trim_matches(['[', ']'])),
        shell_word(port)
    ))
}

fn redis_command(row: &EventRow, redis: &Sink, names: &ServerNames) -> Option<String> {
    let client = redis_client(redis)?;
    let channel = names.channel.as_ref()?;
    let Some(stream) = &names.stream else {
        return Some(format!("{client} SUBSCRIBE {}", shell_word(channel)));
    };
    // The id of an entry begins with the time at which the server received it.
    let received_at = row.committed_at + row.lag(1)?;
    Some(format!(
        "{client} XRANGE {} {} {}",
        shell_word(stream),
        row.committed_at - CLOCK_TOLERANCE,
        received_at + CLOCK_TOLERANCE
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::{EventLog, tests::event};
    use protocol::wire::inspector::{Feed, Passage};

    fn sink(name: &str, server: &str) -> Sink {
        let client = if name == "redis" {
            &["redis-cli", "-p", "6380", "-n", "2"][..]
        } else {
            &[]
        };
        Sink {
            name: name.to_owned(),
            client: client.iter().map(|word| (*word).to_owned()).collect(),
            servers: vec![server.to_owned()],
            enabled: true,
            ..Sink::default()
        }
    }

    fn health() -> Health {
        Health {
            channel: "idb:{origin}:{database}:{store}".to_owned(),
            stream: "idb:events".to_owned(),
            memcached_key: "idb:{origin}:{database}:{store}:{key}".to_owned(),
            sinks: vec![
                sink("redis", "127.0.0.1:6380"),
                sink("memcached", "127.0.0.1:11211"),
            ],
            ..Health::default()
        }
    }

    #[test]
    fn names_follow_the_templates_of_the_host() {
        let mut log = EventLog::default();
        log.append(&event(1, "c", "\"it's\"", r#"{"a":{"$date":null}}"#))
            .expect("an event");
        log.apply_feed(&Feed {
            head: 1,
            passages: vec![Passage {
                stage: "redis".to_owned(),
                last: 1,
                at: 5007,
            }],
            ..Feed::default()
        });
        let row = log.row(0).expect("a row");
        let without_host = server_names(row, None);
        assert_eq!(
            without_host.plain_value,
            Some(PlainValue::Text(r#"{"a":null}"#.to_owned()))
        );
        assert_eq!(without_host.memcached_key, None);
        let names = server_names(row, Some(&health()));
        assert_eq!(
            names.channel.as_deref(),
            Some("idb:http%3A//localhost%3A1:shop:orders")
        );
        assert_eq!(
            names.memcached_key.as_deref(),
            Some("idb:http%3A//localhost%3A1:shop:orders:\"it's\"")
        );
        assert_eq!(
            names.memcached_command.as_deref(),
            Some(
                r#"printf 'get %s\r\nquit\r\n' 'idb:http%3A//localhost%3A1:shop:orders:"it'\''s"' | nc 127.0.0.1 11211"#
            )
        );
        assert_eq!(
            names.redis_command.as_deref(),
            Some("redis-cli -p 6380 -n 2 XRANGE idb:events 0 6007")
        );
        assert_eq!(
            entry_command(&health(), "5007-1").as_deref(),
            Some("redis-cli -p 6380 -n 2 XRANGE idb:events 5007-1 5007-1")
        );
    }

    #[test]
    fn entry_command_quotes_the_id() {
        assert_eq!(
            entry_command(&health(), "1-0;id #").as_deref(),
            Some("redis-cli -p 6380 -n 2 XRANGE idb:events '1-0;id #' '1-0;id #'")
        );
    }

    #[test]
    fn memcached_command_fits_the_transport() {
        for (server, client) in [
            ("[::1]:11211", "nc ::1 11211"),
            ("unix:///run/a b.sock", "nc -U '/run/a b.sock'"),
            (
                "tls://cache.example:11211",
                "openssl s_client -quiet -connect cache.example:11211",
            ),
        ] {
            assert_eq!(memcached_client(server).as_deref(), Some(client));
        }
    }

    #[test]
    fn too_large_value_has_a_command_instead() {
        let marker = protocol::wire::inspector::left_out("feed", 70_000);
        let row = crate::events::log::tests::row("u", "\"it's\"", marker.get());
        assert_eq!(
            server_names(&row, None).plain_value,
            Some(PlainValue::TooLarge(
                r#"idb-relay get --origin http://localhost:1 --database shop --store orders --key '"it'\''s"'"#.to_owned()
            ))
        );
    }

    #[test]
    fn name_with_nul_has_no_command() {
        let marker = protocol::wire::inspector::left_out("feed", 70_000);
        let mut row = crate::events::log::tests::row("u", "1", marker.get());
        let source = std::sync::Arc::get_mut(&mut row.source).expect("its own");
        source.database = "shop\0x".into();
        assert!(matches!(
            server_names(&row, None).plain_value,
            Some(PlainValue::Unavailable(_))
        ));
    }

    #[test]
    fn disabled_sink_has_no_names() {
        let row = crate::events::log::tests::row("d", "1", "null");
        let mut health = health();
        health.sinks[0].enabled = false;
        let names = server_names(&row, Some(&health));
        assert_eq!(
            (names.plain_value, names.channel, names.redis_command),
            (None, None, None)
        );
        assert!(names.memcached_key.is_some());
    }
}
