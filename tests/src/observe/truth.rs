//! The page's own IndexedDB, and whether Memcached says the same.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context as _, Result};
use protocol::{
    key::Key,
    name::{Names, Template},
};
use serde::Deserialize;

use crate::{
    browser::Page,
    servers::{Item, MemcachedServer},
    wait::{self, PATIENCE, Seen},
};

/// Reads every record of every database of the page's origin.
const DUMP: &str = include_str!("dump.js");

/// A record of the page's IndexedDB.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    /// The storage bucket's name; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The object store's name.
    pub store: String,
    /// The key as typed JSON text.
    pub key: String,
    /// What `JSON.stringify` says of the value.
    pub value: String,
}

impl Record {
    /// The Memcached key it belongs under.
    pub fn memcached_key(&self, origin: &str) -> Result<String> {
        let template = Template::memcached_key("idb:{origin}:{database}:{store}:{key}")?;
        let names = Names {
            origin,
            bucket: &self.bucket,
            database: &self.database,
            store: &self.store,
        };
        Ok(template.record_name(names, &Key::parse(&self.key)?.to_string()))
    }
}

/// All records of the page's origin.
pub fn contents(page: &Page<'_>) -> Result<Vec<Record>> {
    let dump = page.evaluate(DUMP)?;
    serde_json::from_value(dump).context("the dump is not a list of records")
}

/// What Memcached holds otherwise than these records say, a line each; empty if it holds exactly
/// them, byte for byte.
pub fn compare(records: &[Record], origin: &str, memcached: &MemcachedServer) -> Result<Vec<String>> {
    let mut held = memcached.dump()?;
    let mut differences = Vec::new();
    for record in records {
        let key = record.memcached_key(origin)?;
        match held.remove(&key) {
            None => differences.push(format!("missing: {key} = {}", record.value)),
            Some(item) if item.value != record.value.as_bytes() || item.flags != 0 => {
                differences.push(format!(
                    "differs: {key} = {}, IndexedDB has {}",
                    shown(&item),
                    record.value
                ));
            }
            Some(_) => {}
        }
    }
    differences.extend(extra(&held));
    Ok(differences)
}

/// Waits until Memcached holds exactly what the page's IndexedDB holds, and returns the records.
pub fn converged(page: &Page<'_>, origin: &str, memcached: &MemcachedServer) -> Result<Vec<Record>> {
    wait::until("Memcached to equal IndexedDB", PATIENCE, || {
        let records = contents(page)?;
        let differences = compare(&records, origin, memcached)?;
        Ok(if differences.is_empty() {
            Seen::Ready(records)
        } else {
            let mut seen = format!("{} differences", differences.len());
            for difference in differences.iter().take(10) {
                let _always_fits = write!(seen, "\n{difference:.300}");
            }
            Seen::Not(seen)
        })
    })
}

fn extra(held: &BTreeMap<String, Item>) -> impl Iterator<Item = String> {
    held.iter()
        .map(|(key, item)| format!("not in IndexedDB: {key} = {}", shown(item)))
}

fn shown(item: &Item) -> String {
    format!("{} (flags {})", String::from_utf8_lossy(&item.value), item.flags)
}
