//! Where an event went: its names in the servers, and commands that show it there.

use protocol::{
    event::Op,
    inspect::{Health, Sink, left_out_bytes},
    name::{Names, Template},
    shown::{shell_option, shell_word, shown_json},
    value::plain,
};

use crate::model::Row;

/// How much of a plain value is shown.
const PLAIN_BYTES: usize = 1024 * 1024;

/// How far around an event its stream entry is looked for, in milliseconds: clocks differ.
const AROUND: i64 = 1000;

/// The value as caches have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// Its text.
    Text(String),
    /// There is none, for this reason.
    None(String),
    /// It is not here, for it was too large for the feed; what shows it.
    Elsewhere(String),
}

/// See the [module](self).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// The Redis channel.
    pub channel: Option<String>,
    /// The Redis stream.
    pub stream: Option<String>,
    /// The record's Memcached key.
    pub memcached_key: Option<String>,
    /// Shows the event in the stream; without one, what the channel carries from now on.
    pub redis_command: Option<String>,
    /// Shows the Memcached item.
    pub memcached_command: Option<String>,
    /// The value as caches have it, if the event has one.
    pub plain: Option<Plain>,
}

/// What is known of an event's ways by the names that the host's health tells; without a host there are none but the value.
pub fn ways(row: &Row, health: Option<&Health>) -> Ways {
    let source = &row.source;
    let names = Names {
        origin: &source.origin,
        bucket: &source.bucket,
        database: &source.database,
        store: &source.store,
    };
    let mut ways = Ways {
        plain: (row.has_key && row.op != Op::Delete).then(|| value(row)),
        ..Ways::default()
    };
    let Some(health) = health else { return ways };
    let sink = |name| health.sinks.iter().find(|sink| sink.name == name && sink.enabled);
    if let Some(redis) = sink("redis") {
        ways.channel = Template::channel(&health.channel)
            .ok()
            .map(|template| template.store_name(names));
        ways.stream = Some(health.stream.clone()).filter(|stream| !stream.is_empty());
        ways.redis_command = redis_command(row, redis, &ways);
    }
    if let Some(memcached) = sink("memcached").filter(|_| row.has_key) {
        ways.memcached_key = Template::memcached_key(&health.memcached_key)
            .ok()
            .map(|template| template.record_name(names, row.key()));
        // Of several servers the hash decides which has it; the host asks the right one.
        if let ([server], Some(key)) = (memcached.servers.as_slice(), &ways.memcached_key) {
            ways.memcached_command = memcached_client(server)
                .map(|client| format!("printf 'get %s\\r\\nquit\\r\\n' {} | {client}", shell_word(key)));
        }
    }
    ways
}

fn value(row: &Row) -> Plain {
    if left_out_bytes(row.after()).is_some() {
        return Plain::Elsewhere(get_command(row));
    }
    match plain(row.after(), PLAIN_BYTES) {
        Ok(text) => Plain::Text(text.into_owned()),
        Err(error) => Plain::None(error.to_string()),
    }
}

/// Prints the record as it is now.
fn get_command(row: &Row) -> String {
    let source = &row.source;
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
    command
}

/// The entry of this id in the stream.
pub fn entry_command(health: &Health, id: &str) -> Option<String> {
    let redis = health.sinks.iter().find(|sink| sink.name == "redis")?;
    Some(format!(
        "{} XRANGE {} {id} {id}",
        client(redis)?,
        shell_word(&health.stream)
    ))
}

/// How the server is reached from a shell.
fn client(redis: &Sink) -> Option<String> {
    let words: Vec<String> = redis.client.iter().map(|word| shell_word(word)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A program that sends its input to a Memcached server.
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

fn redis_command(row: &Row, redis: &Sink, ways: &Ways) -> Option<String> {
    let client = client(redis)?;
    let channel = ways.channel.as_ref()?;
    let Some(stream) = &ways.stream else {
        return Some(format!("{client} SUBSCRIBE {}", shell_word(channel)));
    };
    // An entry's id begins with the time at which the server took it.
    let passed = row.at + row.lag(1)?;
    Some(format!(
        "{client} XRANGE {} {} {}",
        shell_word(stream),
        row.at - AROUND,
        passed + AROUND
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, tests::event};
    use protocol::inspect::{Feed, Passage};

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
    fn ways_are_named_as_the_host_names_them() {
        let mut model = Model::default();
        model
            .read(&event(1, "c", "\"it's\"", r#"{"a":{"$date":null}}"#))
            .expect("an event");
        model.take(&Feed {
            head: 1,
            passages: vec![Passage {
                stage: "redis".to_owned(),
                last: 1,
                at: 5007,
            }],
            ..Feed::default()
        });
        let row = model.row(0).expect("there");
        let without = ways(row, None);
        assert_eq!(without.plain, Some(Plain::Text(r#"{"a":null}"#.to_owned())));
        assert_eq!(without.memcached_key, None);
        let ways = ways(row, Some(&health()));
        assert_eq!(
            ways.channel.as_deref(),
            Some("idb:http%3A//localhost%3A1:shop:orders")
        );
        assert_eq!(
            ways.memcached_key.as_deref(),
            Some("idb:http%3A//localhost%3A1:shop:orders:\"it's\"")
        );
        assert_eq!(
            ways.memcached_command.as_deref(),
            Some(
                r#"printf 'get %s\r\nquit\r\n' 'idb:http%3A//localhost%3A1:shop:orders:"it'\''s"' | nc 127.0.0.1 11211"#
            )
        );
        assert_eq!(
            ways.redis_command.as_deref(),
            Some("redis-cli -p 6380 -n 2 XRANGE idb:events 0 6007")
        );
        assert_eq!(
            entry_command(&health(), "5007-1").as_deref(),
            Some("redis-cli -p 6380 -n 2 XRANGE idb:events 5007-1 5007-1")
        );
    }

    #[test]
    fn memcached_is_reached_by_each_transport() {
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
    fn a_value_too_large_for_the_feed_is_elsewhere() {
        let marker = protocol::inspect::left_out("feed", 70_000);
        let row = crate::model::tests::row("u", "\"it's\"", marker.get());
        assert_eq!(
            ways(&row, None).plain,
            Some(Plain::Elsewhere(
                r#"idb-relay get --origin http://localhost:1 --database shop --store orders --key '"it'\''s"'"#.to_owned()
            ))
        );
    }

    #[test]
    fn what_is_switched_off_has_no_names() {
        let row = crate::model::tests::row("d", "1", "null");
        let mut health = health();
        health.sinks[0].enabled = false;
        let ways = ways(&row, Some(&health));
        assert_eq!((ways.plain, ways.channel, ways.redis_command), (None, None, None));
        assert!(ways.memcached_key.is_some());
    }
}
