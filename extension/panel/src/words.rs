//! Numbers and times for people, and what a person copies.

use protocol::{
    event::Op,
    inspect::Health,
    name::{Names, Template},
    value::plain,
};

use crate::model::Row;

/// How much of a plain value is shown.
const PLAIN_BYTES: usize = 1024 * 1024;

/// The operation in a word.
pub fn operation(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Read => "read",
        Op::Truncate => "clear",
        Op::Schema => "schema",
        Op::Gap => "gap",
    }
}

/// Bytes: `17 B`, `4.2 KB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// Milliseconds: `7 ms`, `1.2 s`, `3 min`.
pub fn duration(milliseconds: i64) -> String {
    match milliseconds {
        ..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        60_000..3_600_000 => format!("{} min", milliseconds / 60_000),
        _ => format!("{} h", milliseconds / 3_600_000),
    }
}

/// A number with its thousands apart: `100,000`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where an event went, as names in the servers, and commands that show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// The Redis channel.
    pub channel: Option<String>,
    /// The Redis stream.
    pub stream: Option<String>,
    /// The record's Memcached key.
    pub memcached_key: Option<String>,
    /// Shows the stream's last entries.
    pub redis_command: Option<String>,
    /// Shows the Memcached item.
    pub memcached_command: Option<String>,
    /// The value as caches have it, or why there is none.
    pub plain: Option<Result<String, String>>,
}

/// What is known of an event's ways by the names that the host's health tells; without a host there are none but the value.
pub fn ways(row: &Row, health: Option<&Health>) -> Ways {
    let names = Names {
        origin: &row.origin,
        bucket: &row.bucket,
        database: &row.database,
        store: &row.store,
    };
    let after = value(row, "after");
    let mut ways = Ways {
        plain: after
            .filter(|_| row.has_key && row.op != Op::Delete)
            .map(|typed| {
                plain(typed, PLAIN_BYTES)
                    .map(std::borrow::Cow::into_owned)
                    .map_err(|error| error.to_string())
            }),
        ..Ways::default()
    };
    let Some(health) = health else { return ways };
    ways.channel = Template::channel(&health.channel)
        .ok()
        .map(|template| template.store_name(names));
    ways.stream = Some(health.stream.clone()).filter(|stream| !stream.is_empty());
    if row.has_key {
        ways.memcached_key = Template::memcached_key(&health.memcached_key)
            .ok()
            .map(|template| template.record_name(names, &row.key));
    }
    ways.redis_command = ways.channel.as_ref().map(|channel| match &ways.stream {
        Some(stream) => format!("redis-cli XREVRANGE {} + - COUNT 10", quoted(stream)),
        None => format!("redis-cli SUBSCRIBE {}", quoted(channel)),
    });
    let server = health
        .sinks
        .iter()
        .find(|sink| sink.name == "memcached")
        .and_then(|sink| sink.servers.first());
    if let (Some(key), Some((host, port))) = (
        &ways.memcached_key,
        server.and_then(|server| server.rsplit_once(':')),
    ) {
        ways.memcached_command = Some(format!(
            "printf 'get %s\\r\\nquit\\r\\n' {} | nc {host} {port}",
            quoted(key)
        ));
    }
    ways
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The text of a member of the event, `before` or `after`; `None` if it is absent, or was known not to be there.
pub fn value<'r>(row: &'r Row, member: &str) -> Option<&'r str> {
    #[derive(serde::Deserialize)]
    struct Values<'v> {
        #[serde(default, borrow)]
        before: Option<&'v serde_json::value::RawValue>,
        #[serde(borrow)]
        after: &'v serde_json::value::RawValue,
    }
    let values: Values<'r> = serde_json::from_str(&row.text).ok()?;
    match member {
        "before" => values.before.map(serde_json::value::RawValue::get),
        _ => Some(values.after.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::event;
    use protocol::inspect::Sink;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [size(17), size(4200), size(5_250_000)],
            ["17 B", "4.2 KB", "5.2 MB"]
        );
        assert_eq!(
            [duration(7), duration(1234), duration(61_000)],
            ["7 ms", "1.2 s", "1 min"]
        );
        assert_eq!(
            [count(7), count(1000), count(1_234_567)],
            ["7", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn ways_are_named_as_the_host_names_them() {
        let row = Row::parse(&event(1, "c", "\"it's\"", r#"{"a":{"$date":null}}"#)).expect("an event");
        let without = ways(&row, None);
        assert_eq!(without.plain, Some(Ok(r#"{"a":null}"#.to_owned())));
        assert_eq!(without.memcached_key, None);
        let health = Health {
            channel: "idb:{origin}:{database}:{store}".to_owned(),
            stream: "idb:events".to_owned(),
            memcached_key: "idb:{origin}:{database}:{store}:{key}".to_owned(),
            sinks: vec![Sink {
                name: "memcached".to_owned(),
                servers: vec!["127.0.0.1:11211".to_owned()],
                ..Sink::default()
            }],
            ..Health::default()
        };
        let ways = ways(&row, Some(&health));
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
        let deleted = Row::parse(&event(1, "d", "1", "null")).expect("an event");
        assert_eq!(super::ways(&deleted, None).plain, None);
    }

    #[test]
    fn values_are_told_where_there_are_some() {
        let row = Row::parse(&event(1, "c", "1", "5")).expect("an event");
        assert_eq!(value(&row, "before"), None);
        assert_eq!(value(&row, "after"), Some("5"));
    }
}
