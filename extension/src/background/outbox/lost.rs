//! What deliveries that were dropped were about: the stores that the gap in their place names.

use std::collections::BTreeSet;

use protocol::json::Json;

use super::Content;

/// Deliveries past this many bytes are not looked into: memory is short already. All stores are
/// read after a gap, named or not.
const LOOKED_INTO: usize = 1024 * 1024;

/// How many bytes of names a gap has.
const NAMES: usize = 64 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// As a gap names them, in JSON.
    stores: BTreeSet<String>,
    bytes: usize,
    is_something: bool,
}

impl Lost {
    /// Whether nothing was dropped.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_something
    }

    /// Another delivery was dropped.
    pub(super) fn add(&mut self, content: &Content) {
        self.is_something = true;
        if content.size() > LOOKED_INTO {
            return;
        }
        let joined;
        let text = match content {
            Content::Whole(body) => body.get(),
            Content::Parts(parts) => {
                joined = parts.concat();
                &joined
            }
        };
        let Ok(body) = Json::parse(text) else { return };
        if let Some(Json::Array(stores)) = body.get("gap").and_then(|gap| gap.get("stores")) {
            for store in stores {
                self.add_store(store.get("bucket"), store.get("database"), store.get("store"));
            }
        }
        let Some(commit) = body.get("commit") else { return };
        let (bucket, database) = (commit.get("bucket"), commit.get("database"));
        if let Some(Json::Array(operations)) = commit.get("operations") {
            for operation in operations {
                if let Json::Object(members) = operation
                    && let [(_, operation)] = &members[..]
                {
                    self.add_store(bucket, database, operation.get("store"));
                }
            }
        }
    }

    fn add_store(
        &mut self,
        bucket: Option<&Json<'_>>,
        database: Option<&Json<'_>>,
        store: Option<&Json<'_>>,
    ) {
        if let (Some(Json::String(database)), Some(Json::String(store))) = (database, store) {
            let bucket = match bucket {
                Some(Json::String(bucket)) => bucket,
                _ => "\"\"",
            };
            // Each of thousands of operations may repeat a long name.
            if bucket.len() + database.len() + store.len() > NAMES {
                return;
            }
            let name = format!(r#"{{"bucket":{bucket},"database":{database},"store":{store}}}"#);
            if self.bytes + name.len() <= NAMES && !self.stores.contains(&name) {
                self.bytes += name.len();
                self.stores.insert(name);
            }
        }
    }

    /// What is sent instead.
    pub(super) fn gap(&self) -> Content {
        let stores: Vec<&str> = self.stores.iter().map(String::as_str).collect();
        Content::Parts(vec![format!(
            r#"{{"gap":{{"reason":"the host did not keep up, or was away for too long","stores":[{}]}}}}"#,
            stores.join(",")
        )])
    }
}
