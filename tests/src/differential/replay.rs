//! A model of what a reader of the event feed would hold: the events applied in order to nothing.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use protocol::{
    event::{Event, Op},
    schema::SchemaChange,
};

use super::trace::Content;

/// What the events so far amount to.
#[derive(Debug, Default)]
pub struct Model {
    content: Content,
    /// The stores that there are, by database and name.
    shape: BTreeSet<(String, String)>,
    /// Databases of which records were read rather than observed: capture said that it could not
    /// know a value without running code of the page a second time.
    pub read: BTreeSet<String>,
}

impl Model {
    /// Applies one event and checks what it says of the record before.
    pub fn apply(&mut self, event: &Event<'_>) -> Result<()> {
        let database = event.source.database.to_string();
        let name = event.source.store.to_string();
        if event.source.snapshot {
            self.read.insert(database.clone());
        }
        if let Some(change) = &event.schema {
            self.reshape(database, name, change);
            return Ok(());
        }
        if matches!(event.op, Op::Truncate | Op::Gap) {
            return Ok(());
        }
        let store = self.content.entry(database).or_default().entry(name).or_default();
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

    /// The records that come and go with a store follow as events of their own.
    fn reshape(&mut self, database: String, store: String, change: &SchemaChange<'_>) {
        let place = (database, store);
        match change {
            SchemaChange::CreateStore { .. } => {
                self.shape.insert(place);
            }
            SchemaChange::RenameStore { to } => {
                self.shape.remove(&place);
                self.shape.insert((place.0, to.to_string()));
            }
            SchemaChange::DeleteStore {} | SchemaChange::DeleteDatabase {} => {
                self.shape.remove(&place);
            }
            SchemaChange::CreateIndex { .. }
            | SchemaChange::DeleteIndex { .. }
            | SchemaChange::RenameIndex { .. } => {}
        }
    }

    /// What is in the databases whose names start with `prefix`: every store that there is, and
    /// what is said of others.
    pub fn content(&self, prefix: &str) -> Content {
        let mut content = Content::new();
        for (database, store) in &self.shape {
            content
                .entry(database.clone())
                .or_default()
                .entry(store.clone())
                .or_default();
        }
        for (database, stores) in &self.content {
            for (store, records) in stores.iter().filter(|(_, records)| !records.is_empty()) {
                content
                    .entry(database.clone())
                    .or_default()
                    .insert(store.clone(), records.clone());
            }
        }
        of_programs(&content, prefix)
    }
}

/// The content of databases whose names start with `prefix`, without databases that have no stores:
/// nothing tells of those.
pub fn of_programs(content: &Content, prefix: &str) -> Content {
    content
        .iter()
        .filter(|(database, stores)| database.starts_with(prefix) && !stores.is_empty())
        .map(|(database, stores)| (database.clone(), stores.clone()))
        .collect()
}
