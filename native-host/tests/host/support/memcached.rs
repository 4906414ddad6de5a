//! A Memcached server, and what the host has written there.

use std::collections::BTreeMap;

use test_servers::{Client, Item};

use super::server::TestServer;

/// A Memcached server.
pub type Memcached = TestServer<test_servers::memcached::Memcached>;

impl Memcached {
    fn client(&self) -> Client {
        self.0.connect().expect("a connection")
    }

    /// As any client would read it. Its flags must be 0.
    pub fn get(&self, key: &str) -> Option<String> {
        self.client().get(key).expect("an answer").map(text)
    }

    /// What it holds under these keys. Their flags must be 0.
    pub fn get_all(&self, keys: &[String]) -> BTreeMap<String, String> {
        let items = self.client().get_all(keys).expect("an answer");
        items.into_iter().map(|(key, item)| (key, text(item))).collect()
    }

    /// A value, and what else the server says of its item: `f` flags, `t` seconds to live (-1: it
    /// does not expire).
    pub fn get_with_flags(&self, key: &str) -> Option<(String, String)> {
        let item = self.client().get_with_flags(key).expect("an answer");
        item.map(|(value, flags)| (String::from_utf8(value).expect("UTF-8"), flags))
    }

    /// The keys of all that it holds.
    pub fn keys(&self) -> Vec<String> {
        self.client().keys().expect("a list")
    }

    /// Sends a command; the answer is one line.
    pub fn send_command(&self, command: &str) -> String {
        self.client().send_command(command).expect("an answer")
    }

    /// For another thread.
    pub fn watcher(&self) -> Watcher {
        Watcher {
            address: self.address(),
            client: None,
        }
    }

    /// How many keys it holds, without what the usual host leaves there for itself.
    pub fn count_keys(&self) -> usize {
        let own = [
            "idb-relay-host:profile-1",
            "idb-relay-run:profile-1",
            "idb-relay-owner:idb:http%3A//localhost%3A8080:{database}:{store}:{key}",
        ];
        let mut client = self.client();
        let own = client.get_all(&own).expect("an answer").len();
        client.count().expect("a number") - own
    }

    /// How often something was set.
    pub fn count_sets(&self) -> u64 {
        self.client().statistic("cmd_set").expect("a number")
    }

    /// A number that the server tells of itself.
    pub fn statistic(&self, name: &str) -> u64 {
        self.client().statistic(name).expect("a number")
    }

    /// Takes a key away, if it is there.
    pub fn delete(&self, key: &str) {
        self.client().delete(key).expect("an answer");
    }

    pub fn set(&self, key: &str, value: &str) {
        self.set_for(key, value, 0);
    }

    /// Stores an item that expires after so many seconds; 0 means never.
    pub fn set_for(&self, key: &str, value: &str, seconds: u32) {
        self.client().set_for(key, value, seconds).expect("stored");
    }
}

/// Looks at what a Memcached server holds, whether or not it is there.
pub struct Watcher {
    address: String,
    client: Option<Client>,
}

impl Watcher {
    /// `None` if there is nothing, or the server does not say.
    pub fn get(&mut self, key: &str) -> Option<String> {
        self.get_all(&[key]).remove(key)
    }

    /// What it holds under these keys, all asked for at once; nothing if the server does not say.
    pub fn get_all(&mut self, keys: &[impl AsRef<str>]) -> BTreeMap<String, String> {
        let mut ask = || {
            let mut client = match self.client.take() {
                Some(client) => client,
                None => Client::connect(&self.address)?,
            };
            let items = client.get_all(keys)?;
            self.client = Some(client);
            anyhow::Ok(items)
        };
        // A server that goes in the middle has said nothing.
        let items = ask().unwrap_or_default();
        items
            .into_iter()
            .map(|(key, item)| (key, String::from_utf8(item.value).expect("UTF-8")))
            .collect()
    }
}

/// The value of an item. Its flags must be 0.
fn text(item: Item) -> String {
    assert_eq!(item.flags, 0);
    String::from_utf8(item.value).expect("UTF-8")
}
