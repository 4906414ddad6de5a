//! A model of what a reader of the event feed would hold: the events applied in order to nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use protocol::event::{Event, Op};

use super::trace::Content;

/// What the events so far amount to.
#[derive(Debug, Default)]
pub struct Model {
    content: Content,
    /// Databases of which records were read rather than observed: capture said that it could not know a value without
    /// running code of the page a second time.
    pub read: BTreeSet<String>,
}

impl Model {
    /// Applies one event and checks what it says of the record before.
    pub fn apply(&mut self, event: &Event<'_>) -> Result<()> {
        let store = self
            .content
            .entry(event.source.database.to_string())
            .or_default()
            .entry(event.source.store.to_string())
            .or_default();
        if event.source.snapshot {
            self.read.insert(event.source.database.to_string());
        }
        // The records that went with them follow as events of their own.
        if matches!(event.op, Op::Truncate | Op::Schema | Op::Gap) {
            return Ok(());
        }
        let key = event.key.context("an event without a key")?.get().to_owned();
        if let Some(before) = event.before {
            let held = store.get(&key).map_or("null", String::as_str);
            ensure!(
                before.get() == held,
                "event {} says {before} was there, but it was {held}",
                event.source.sequence
            );
        }
        match event.op {
            Op::Delete => store.remove(&key),
            _ => store.insert(key, event.after.get().to_owned()),
        };
        Ok(())
    }

    /// What is in the databases whose names start with `prefix`; empty stores and databases are left out.
    pub fn content(&self, prefix: &str) -> Content {
        without_empty(&self.content, prefix)
    }
}

/// The content of databases whose names start with `prefix`, without empty stores and databases.
pub fn without_empty(content: &Content, prefix: &str) -> Content {
    content
        .iter()
        .filter(|(database, _)| database.starts_with(prefix))
        .map(|(database, stores)| {
            let stores: BTreeMap<_, _> = stores
                .iter()
                .filter(|(_, records)| !records.is_empty())
                .map(|(name, records)| (name.clone(), records.clone()))
                .collect();
            (database.clone(), stores)
        })
        .filter(|(_, stores)| !stores.is_empty())
        .collect()
}
