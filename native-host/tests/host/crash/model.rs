//! What the browser really holds: a small IndexedDB, and the report of each change.

use std::collections::BTreeMap;

use protocol::{
    digest::RecordsDigest,
    name::{Names, Template},
};

/// A record's key by its place in the order of keys: so the model needs no order of its own to
/// agree with.
pub type Key = u16;

/// How many keys are numbers; those behind are of the other types.
const NUMBERS: Key = 1500;

/// In order, with canonical texts. `LONG` stands for a string that no Memcached key can hold.
const OTHERS: &[&str] = &[
    r#"{"$date":"2026-01-31T12:00:00.000Z"}"#,
    r#""""#,
    r#""a""#,
    r#""a b:%\n""#,
    "LONG",
    r#""é\u0000x""#,
    r#""\ud800""#,
    r#"{"$bytes":{"type":"ArrayBuffer","base64":"AAEC"}}"#,
    "[]",
    "[1]",
    r#"[1,"a b"]"#,
    "[[[]]]",
];

pub const KEYS: Key = NUMBERS + 12;

/// The canonical text of a key.
pub fn key_text(key: Key) -> String {
    match key {
        0 => r#"{"$number":"-Infinity"}"#.to_owned(),
        1 => "-1.5".to_owned(),
        key if key < NUMBERS => (key - 2).to_string(),
        key => match OTHERS[usize::from(key - NUMBERS)] {
            "LONG" => format!("\"{}\"", "aa:".repeat(100)),
            text => text.to_owned(),
        },
    }
}

/// A value as the hook tells it, and as a cache reader expects it; none if Memcached would not take
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub typed: String,
    pub plain: Option<String>,
}

/// A value that occurs once in a round. Kinds from 12 on are common ones.
pub fn value(kind: u8, number: u64) -> Value {
    let same = |text: String| Value {
        plain: Some(text.clone()),
        typed: text,
    };
    let long = |length: usize| format!("\"{number}{}\"", "x".repeat(length));
    match kind {
        0 => Value {
            typed: format!(r#"{{"$map":[["n",{number}]]}}"#),
            plain: Some(format!(r#"{{"n":{number}}}"#)),
        },
        1 => Value {
            typed: format!(r#"{{"n":{number},"gone":{{"$undefined":true}}}}"#),
            plain: Some(format!(r#"{{"n":{number}}}"#)),
        },
        2 => same(format!(r#"{{"n":{number},"text":"\u0000ü\ud800"}}"#)),
        3..=5 => same(long(10_000)),
        6 => same(long(300_000)),
        // Past the server's own bound.
        7 => Value {
            plain: None,
            typed: long(1_200_000),
        },
        _ => same(format!(r#"{{"n":{number}}}"#)),
    }
}

/// Which database: an origin's number, a bucket, a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Home {
    pub origin: usize,
    pub bucket: &'static str,
    pub database: &'static str,
}

pub const HOMES: &[Home] = &[
    Home {
        origin: 0,
        bucket: "",
        database: "shop",
    },
    Home {
        origin: 0,
        bucket: "",
        database: "a b:%",
    },
    Home {
        origin: 0,
        bucket: "side",
        database: "shop",
    },
    Home {
        origin: 1,
        bucket: "",
        database: "shop",
    },
];

pub const STORES: &[&str] = &["orders", "st:ore", "users"];

#[derive(Debug, Default, Clone)]
pub struct Database {
    pub version: u64,
    pub stores: BTreeMap<String, BTreeMap<Key, Value>>,
}

/// One request of a transaction. Numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy)]
pub enum Request {
    Put {
        store: u8,
        key: Key,
        kind: u8,
    },
    /// Many records in a row.
    Fill {
        store: u8,
        key: Key,
        count: u16,
    },
    Add {
        store: u8,
        key: Key,
        kind: u8,
    },
    Delete {
        store: u8,
        key: Key,
    },
    DeleteRange {
        store: u8,
        from: Key,
        to: Key,
        open: bool,
    },
    Clear {
        store: u8,
    },
}

/// What an upgrade does besides what its requests need.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    DeleteStore { store: u8 },
    RenameStore { store: u8, to: u8 },
    CreateIndex { store: u8 },
}

/// What a transaction did: its operations as the hook reports them.
#[derive(Debug, Default, Clone)]
pub struct Transaction {
    pub version: u64,
    pub operations: Vec<String>,
    /// The stores it wrote to.
    pub stores: Vec<String>,
    /// Whether there must be an event of it.
    pub eventful: bool,
}

#[derive(Debug, Default)]
pub struct World {
    pub databases: BTreeMap<Home, Database>,
    values: u64,
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

impl World {
    /// Runs a transaction; what it needs is made in an upgrade that is part of it.
    pub fn run(&mut self, home: Home, change: Option<Change>, requests: &[Request]) -> Transaction {
        let mut transaction = Transaction::default();
        let database = self.databases.entry(home).or_default();
        let mut upgrade = database.version == 0;
        if let Some(change) = change {
            upgrade |= reshape(database, change, &mut transaction);
        }
        for request in requests {
            upgrade |= request.run(database, &mut self.values, &mut transaction);
        }
        database.version += u64::from(upgrade);
        transaction.version = database.version;
        transaction
    }

    /// `deleteDatabase`; whether there was one.
    pub fn delete(&mut self, home: Home) -> bool {
        self.databases.remove(&home).is_some()
    }
}

impl Transaction {
    fn record(&mut self, store: &str, operation: String) {
        self.operations.push(operation);
        if !self.stores.iter().any(|known| known == store) {
            self.stores.push(store.to_owned());
        }
    }

    fn schema(&mut self, store: &str, change: &str) {
        self.eventful = true;
        let text = format!(r#"{{"schema":{{"store":{},"change":{change}}}}}"#, quoted(store));
        self.record(store, text);
    }
}

fn name(store: u8) -> &'static str {
    STORES[usize::from(store) % STORES.len()]
}

fn reshape(database: &mut Database, change: Change, transaction: &mut Transaction) -> bool {
    match change {
        Change::DeleteStore { store } => {
            let there = database.stores.remove(name(store)).is_some();
            if there {
                transaction.schema(name(store), r#"{"delete_store":{}}"#);
            }
            there
        }
        Change::RenameStore { store, to } => {
            if database.stores.contains_key(name(to)) {
                return false;
            }
            let Some(records) = database.stores.remove(name(store)) else {
                return false;
            };
            database.stores.insert(name(to).to_owned(), records);
            transaction.schema(
                name(store),
                &format!(r#"{{"rename_store":{{"to":{}}}}}"#, quoted(name(to))),
            );
            true
        }
        Change::CreateIndex { store } => {
            let there = database.stores.contains_key(name(store));
            if there {
                let index =
                    r#"{"create_index":{"index":"by","key_path":"n","unique":false,"multi_entry":false}}"#;
                transaction.schema(name(store), index);
            }
            there
        }
    }
}

impl Request {
    fn store(self) -> &'static str {
        match self {
            Self::Put { store, .. }
            | Self::Fill { store, .. }
            | Self::Add { store, .. }
            | Self::Delete { store, .. }
            | Self::DeleteRange { store, .. }
            | Self::Clear { store } => name(store),
        }
    }

    /// Whether a store had to be made for it.
    fn run(self, database: &mut Database, values: &mut u64, transaction: &mut Transaction) -> bool {
        let store = self.store();
        let made = !database.stores.contains_key(store);
        if made {
            transaction.schema(
                store,
                r#"{"create_store":{"key_path":null,"auto_increment":false}}"#,
            );
        }
        let records = database.stores.entry(store.to_owned()).or_default();
        let quoted_store = quoted(store);
        let mut put = |transaction: &mut Transaction,
                       records: &mut BTreeMap<Key, Value>,
                       what: &str,
                       key: Key,
                       kind| {
            *values += 1;
            let value = value(kind, *values);
            let text = format!(
                r#"{{"{what}":{{"store":{quoted_store},"key":{},"value":{}}}}}"#,
                key_text(key),
                value.typed
            );
            transaction.eventful = true;
            transaction.record(store, text);
            records.insert(key, value);
        };
        match self {
            Self::Put { key, kind, .. } => put(transaction, records, "put", key, kind),
            Self::Fill { key, count, .. } => {
                for key in key..(key + count).min(NUMBERS) {
                    put(transaction, records, "put", key, u8::MAX);
                }
            }
            // One of a key that is there fails, and is left out.
            Self::Add { key, kind, .. } => {
                if !records.contains_key(&key) {
                    put(transaction, records, "add", key, kind);
                }
            }
            Self::Delete { key, .. } => {
                records.remove(&key);
                let text = format!(
                    r#"{{"delete":{{"store":{quoted_store},"key":{}}}}}"#,
                    key_text(key)
                );
                transaction.record(store, text);
            }
            Self::DeleteRange { from, to, open, .. } => {
                records.retain(|key, _| {
                    let (below, above) = if open {
                        (*key <= from, *key >= to)
                    } else {
                        (*key < from, *key > to)
                    };
                    below || above
                });
                let text = format!(
                    r#"{{"delete_range":{{"store":{quoted_store},"range":{{"lower":{},"upper":{},"lower_open":{open},"upper_open":{open}}}}}}}"#,
                    key_text(from),
                    key_text(to)
                );
                transaction.eventful = true;
                transaction.record(store, text);
            }
            Self::Clear { .. } => {
                records.clear();
                transaction.eventful = true;
                transaction.record(store, format!(r#"{{"clear":{{"store":{quoted_store}}}}}"#));
            }
        }
        made
    }
}

/// Bodies of deliveries about one database.
pub struct Body<'a>(pub &'a Home);

impl Body<'_> {
    fn head(&self) -> String {
        format!(
            r#""bucket":{},"database":{}"#,
            quoted(self.0.bucket),
            quoted(self.0.database)
        )
    }

    pub fn commit(&self, transaction: &Transaction, began_at: i64, committed_at: i64) -> String {
        format!(
            r#"{{"commit":{{{},"version":{},"began_at":{began_at},"committed_at":{committed_at},"operations":[{}]}}}}"#,
            self.head(),
            transaction.version,
            transaction.operations.join(",")
        )
    }

    pub fn deletion(&self, began_at: i64, deleted_at: i64) -> String {
        format!(
            r#"{{"deletion":{{{},"began_at":{began_at},"deleted_at":{deleted_at}}}}}"#,
            self.head()
        )
    }

    pub fn gap(&self, transaction: &Transaction) -> String {
        let stores: Vec<String> = transaction
            .stores
            .iter()
            .map(|store| format!(r#"{{{},"store":{}}}"#, self.head(), quoted(store)))
            .collect();
        format!(
            r#"{{"gap":{{"reason":"a test","stores":[{}]}}}}"#,
            stores.join(",")
        )
    }

    /// The same by its digest.
    pub fn digests(
        &self,
        world: &World,
        store: &str,
        after: Option<Key>,
        count: usize,
        (began_at, read_at): (i64, i64),
    ) -> (String, Option<Key>) {
        let (records, until) = stretch(&world.databases[self.0], store, after, count);
        let mut digest = RecordsDigest::default();
        for (key, value) in &records {
            digest.add(&key_text(*key), &value.typed);
        }
        let text = format!(
            r#"{{"digests":{{{},"version":{},"store":{},{}"stretches":[{{{}"began_at":{began_at},"read_at":{read_at},"records":{},"digest":"{}"}}]}}}}"#,
            self.head(),
            world.databases[self.0].version,
            quoted(store),
            bound("after", after),
            bound("until", until),
            records.len(),
            digest.finish()
        );
        (text, until)
    }

    /// The records of a store after one key, a few of them, and the last one's key if there may be
    /// more.
    pub fn snapshot(
        &self,
        world: &World,
        store: &str,
        after: Option<Key>,
        count: usize,
        (began_at, read_at): (i64, i64),
    ) -> (String, Option<Key>) {
        let database = &world.databases[self.0];
        let (records, until) = stretch(database, store, after, count);
        let text = format!(
            r#"{{"snapshot":{{{},"version":{},"store":{},"began_at":{began_at},"read_at":{read_at},{}{}"records":[{}]}}}}"#,
            self.head(),
            database.version,
            quoted(store),
            bound("after", after),
            bound("until", until),
            present(records.into_iter().map(|(key, value)| (key_text(key), value)))
        );
        (text, until)
    }

    /// The answer to a question about single records.
    pub fn records(
        &self,
        world: &World,
        store: &str,
        keys: &[String],
        (began_at, read_at): (i64, i64),
    ) -> String {
        let database = world.databases.get(self.0);
        let version = database.map_or(0, |database| database.version);
        let there: BTreeMap<String, &Value> = database
            .and_then(|database| database.stores.get(store))
            .into_iter()
            .flatten()
            .map(|(key, value)| (key_text(*key), value))
            .collect();
        let found = keys
            .iter()
            .filter_map(|key| Some((key.clone(), *there.get(key)?)));
        let absent: Vec<&str> = keys
            .iter()
            .filter(|key| !there.contains_key(*key))
            .map(String::as_str)
            .collect();
        format!(
            r#"{{"records":{{{},"version":{version},"store":{},"began_at":{began_at},"read_at":{read_at},"present":[{}],"absent":[{}]}}}}"#,
            self.head(),
            quoted(store),
            present(found),
            absent.join(",")
        )
    }
}

fn stretch<'w>(
    database: &'w Database,
    store: &str,
    after: Option<Key>,
    count: usize,
) -> (Vec<(Key, &'w Value)>, Option<Key>) {
    let records: Vec<(Key, &Value)> = database.stores[store]
        .iter()
        .map(|(key, value)| (*key, value))
        .filter(|(key, _)| after.is_none_or(|after| *key > after))
        .take(count)
        .collect();
    let until = if records.len() < count {
        None
    } else {
        records.last().map(|(key, _)| *key)
    };
    (records, until)
}

fn bound(name: &str, key: Option<Key>) -> String {
    key.map_or_else(String::new, |key| format!(r#""{name}":{},"#, key_text(key)))
}

fn present<'v>(records: impl Iterator<Item = (String, &'v Value)>) -> String {
    let records: Vec<String> = records
        .map(|(key, value)| format!(r#"{{"key":{key},"value":{}}}"#, value.typed))
        .collect();
    records.join(",")
}

/// The buckets of an origin that have databases, but for the default one.
pub fn buckets(world: &World, origin: usize) -> Vec<&'static str> {
    let mut buckets: Vec<_> = world
        .databases
        .keys()
        .filter(|home| home.origin == origin && !home.bucket.is_empty())
        .map(|home| home.bucket)
        .collect();
    buckets.dedup();
    buckets
}

/// The body that lists a bucket's databases.
pub fn store_list(world: &World, origin: usize, bucket: &str, (began_at, read_at): (i64, i64)) -> String {
    let databases: Vec<String> = world
        .databases
        .iter()
        .filter(|(home, _)| home.origin == origin && home.bucket == bucket)
        .map(|(home, database)| {
            let stores: Vec<&String> = database.stores.keys().collect();
            format!(
                r#"{{"name":{},"version":{},"stores":{}}}"#,
                quoted(home.database),
                database.version,
                serde_json::to_string(&stores).expect("strings")
            )
        })
        .collect();
    format!(
        r#"{{"store_list":{{"bucket":{},"buckets":{},"began_at":{began_at},"read_at":{read_at},"databases":[{}]}}}}"#,
        quoted(bucket),
        serde_json::to_string(&buckets(world, origin)).expect("strings"),
        databases.join(",")
    )
}

/// A record's full address: origin, bucket, database, store, key text.
pub type Address = (String, String, String, String, String);

impl World {
    /// Everything that is there, with the origins' names.
    pub fn records(&self, origins: &[String]) -> BTreeMap<Address, &Value> {
        let mut all = BTreeMap::new();
        for (home, database) in &self.databases {
            for (store, records) in &database.stores {
                for (key, value) in records {
                    let address = (
                        origins[home.origin].clone(),
                        home.bucket.to_owned(),
                        home.database.to_owned(),
                        store.clone(),
                        key_text(*key),
                    );
                    all.insert(address, value);
                }
            }
        }
        all
    }

    /// What Memcached must hold: exactly this.
    pub fn cache(&self, origins: &[String]) -> BTreeMap<String, String> {
        let template = Template::memcached_key("idb:{origin}:{database}:{store}:{key}").expect("the default");
        let mut cache = BTreeMap::new();
        for ((origin, bucket, database, store, key), value) in self.records(origins) {
            let names = Names {
                origin: &origin,
                bucket: &bucket,
                database: &database,
                store: &store,
            };
            if let Some(plain) = &value.plain {
                let shared = cache.insert(template.record_name(names, &key), plain.clone());
                assert_eq!(shared, None, "two records share a key");
            }
        }
        cache
    }
}
