//! Bodies of deliveries, about one store: `orders` of the database `shop`.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// The page's clock.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("fits")
}

pub fn put(key: &str, value: &str) -> String {
    format!(r#"{{"put":{{"store":"orders","key":{key},"value":{value}}}}}"#)
}

pub fn add(key: &str, value: &str) -> String {
    format!(r#"{{"add":{{"store":"orders","key":{key},"value":{value}}}}}"#)
}

pub fn delete(key: &str) -> String {
    format!(r#"{{"delete":{{"store":"orders","key":{key}}}}}"#)
}

pub fn clear() -> String {
    r#"{"clear":{"store":"orders"}}"#.to_owned()
}

pub fn schema(store: &str, change: &str) -> String {
    format!(r#"{{"schema":{{"store":"{store}","change":{change}}}}}"#)
}

/// A database that was just deleted.
pub fn deletion() -> String {
    let at = now();
    format!(r#"{{"deletion":{{"database":"shop","began_at":{at},"deleted_at":{at}}}}}"#)
}

/// A transaction that was just committed.
pub fn commit(operations: &[String]) -> String {
    commit_at(now(), operations)
}

/// A transaction that is a second younger than the one before: documents that write the same record
/// are never in conflict.
pub fn commit_in_turn(operations: &[String]) -> String {
    static TURN: AtomicI64 = AtomicI64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    commit_at(now() - 3_600_000 + 1000 * turn, operations)
}

/// A transaction that took no time.
pub fn commit_at(at: i64, operations: &[String]) -> String {
    format!(
        r#"{{"commit":{{"database":"shop","version":1,"began_at":{at},"committed_at":{at},"operations":[{}]}}}}"#,
        operations.join(",")
    )
}

/// The whole store, read at this time.
pub fn snapshot_at(at: i64, records: &[(&str, &str)]) -> String {
    let records: Vec<_> = records
        .iter()
        .map(|(key, value)| format!(r#"{{"key":{key},"value":{value}}}"#))
        .collect();
    format!(
        r#"{{"snapshot":{{"database":"shop","version":1,"store":"orders","began_at":{at},"read_at":{at},"records":[{}]}}}}"#,
        records.join(",")
    )
}
