//! What the hosts say of the stream: how far each profile's has come.

use std::collections::HashMap;

use redis::{Connection, RedisError};

use crate::sinks::{self, memcached::owner::is_profile};

/// How many keys of Redis are looked through at once.
const SCAN: &str = "1000";

/// What a host says of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last event that it has put into it.
    pub number: u64,
    /// Up to which event it is giving it again what it lost, or was.
    pub again: Option<u64>,
}

/// The cursors of all profiles whose hosts have put something into this stream.
pub fn cursors(connection: &mut Connection, stream: &str) -> Result<HashMap<String, Cursor>, RedisError> {
    let prefix = sinks::redis::cursor_key(Some(stream), "");
    let mut names: Vec<String> = Vec::new();
    let mut from = "0".to_owned();
    loop {
        let (next, found): (String, Vec<String>) = redis::cmd("SCAN")
            .arg(&from)
            .arg("MATCH")
            .arg(format!("{}*", protocol::name::literally(&prefix)))
            .arg("COUNT")
            .arg(SCAN)
            .query(connection)?;
        names.extend(found);
        if next == "0" {
            break;
        }
        from = next;
    }
    let mut cursors = HashMap::new();
    for name in names {
        let Some(profile) = name.strip_prefix(&prefix).filter(|profile| is_profile(profile)) else {
            continue;
        };
        // Another client may have written something else there.
        let (number, again): (Option<Vec<u8>>, Option<Vec<u8>>) = redis::cmd("MGET")
            .arg(&name)
            .arg(format!("{name}:again"))
            .query(connection)?;
        if let Some(number) = number.and_then(number_in) {
            let again = again.and_then(number_in);
            cursors.insert(profile.to_owned(), Cursor { number, again });
        }
    }
    Ok(cursors)
}

/// The number that a key holds, if it is one.
pub(super) fn number_in(text: Vec<u8>) -> Option<u64> {
    String::from_utf8(text).ok()?.parse().ok()
}
