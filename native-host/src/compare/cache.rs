//! The servers, asked one by one: an item may lie on a server that is not its key's.

use memcache::exp::{Error, Get, GetStatus, Meta, MetaClient, Op, OpResult};

use crate::{
    config::{self, ValueForm},
    journal::progress::Trouble,
    sinks::memcached::{self, Settings, ketama::Ketama},
};

/// Where an item is, or would be.
#[derive(Debug, Clone, Hash)]
pub(super) struct Address {
    /// The index of the server.
    pub server: usize,
    /// The item's key.
    pub name: String,
}

/// What a server holds under a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The item's number; `None`: there is no item.
    pub cas: Option<u64>,
    value: Option<Vec<u8>>,
    /// Without client flags, so that every client reads it.
    plain: bool,
    /// It will not end by itself.
    pub lasting: bool,
}

impl Found {
    /// Whether it is the item that a record is to have: `None` is none.
    pub(super) fn is(&self, wanted: Option<&str>) -> bool {
        match wanted {
            None => self.cas.is_none(),
            Some(_) => self.lasting && self.says(wanted),
        }
    }

    /// Its value, if there is an item and it is text.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.value.as_deref()?).ok()
    }

    /// Whether it has this value, be it only for a while.
    pub(super) fn says(&self, wanted: Option<&str>) -> bool {
        self.cas.is_some() && self.plain && self.value.as_deref() == wanted.map(str::as_bytes)
    }
}

pub(super) struct Cache {
    servers: Vec<String>,
    clients: Vec<MetaClient>,
    item_sizes: Vec<Option<u64>>,
    items: u64,
    ring: Ketama,
    form: ValueForm,
}

impl Cache {
    /// Connects to all servers: an answer of some would say nothing of the whole.
    pub(super) fn connect(config: &config::Memcached) -> Result<Self, Trouble> {
        let mut cache = Self {
            servers: config.servers.clone(),
            clients: Vec::new(),
            item_sizes: Vec::new(),
            items: 0,
            ring: Ketama::new(&config.servers),
            form: config.value,
        };
        for server in &config.servers {
            let settings = Settings::of(server, memcached::ANSWER_TIMEOUT)
                .map_err(|error| memcached::unreachable(error, server))?;
            cache.item_sizes.push(settings.item_size);
            cache.items += settings.items.unwrap_or(0);
            let one = std::slice::from_ref(server);
            let client = memcached::client(one).map_err(|error| memcached::trouble(&error, one))?;
            cache.clients.push(client);
        }
        Ok(cache)
    }

    pub(super) fn servers(&self) -> &[String] {
        &self.servers
    }

    /// How many items all servers held at first.
    pub(super) fn items(&self) -> u64 {
        self.items
    }

    /// Where an item of this name belongs.
    pub(super) fn address(&self, name: String) -> Address {
        Address {
            server: self.ring.server(name.as_bytes()),
            name,
        }
    }

    /// The value that an item is to have for a record, unless Memcached would not take it.
    pub(super) fn wanted(&self, address: &Address, typed: &str) -> Result<String, Refused> {
        let value = memcached::value_of(self.form, typed).map_err(|_| Refused)?;
        let item_size = self.item_sizes.get(address.server).copied().flatten();
        if memcached::fits(&address.name, &value, item_size) {
            Ok(value.into_owned())
        } else {
            Err(Refused)
        }
    }

    /// What is at these addresses, in their order.
    pub(super) fn look(&self, addresses: &[&Address]) -> Result<Vec<Found>, Trouble> {
        let mut found = vec![Found::default(); addresses.len()];
        for (server, client) in self.clients.iter().enumerate() {
            let here = || {
                addresses
                    .iter()
                    .enumerate()
                    .filter(|(_, address)| address.server == server)
            };
            let gets: Vec<Get> = here()
                .map(|(_, address)| Get::new(&address.name).meta(Meta::NONE.cas().ttl()).no_lru_bump())
                .collect();
            if gets.is_empty() {
                continue;
            }
            let results = client
                .run_many(gets)
                .map_err(|error| self.trouble(&error, server))?;
            for ((index, _), result) in here().zip(results) {
                let result = result.map_err(|error| self.trouble(&error, server))?;
                if let Some(found) = found.get_mut(index)
                    && result.status != GetStatus::Miss
                {
                    *found = Found {
                        cas: result.item.cas,
                        plain: result.client_flags.unwrap_or(0) == 0 && !result.is_stale(),
                        lasting: result.item.ttl.is_none_or(|seconds| seconds < 0),
                        value: result.value,
                    };
                }
            }
        }
        Ok(found)
    }

    /// What the servers' clocks say, in seconds since 1970; of one that does not tell, nothing.
    pub(super) fn clocks(&self) -> Result<Vec<Option<u64>>, Trouble> {
        let clock = |server: &String| {
            Settings::of(server, memcached::ANSWER_TIMEOUT)
                .map(|settings| settings.time)
                .map_err(|error| memcached::unreachable(error, server))
        };
        self.servers.iter().map(clock).collect()
    }

    /// Sends operations to one server, all at once. An answer that says that a value is too large breaks the connection, so that
    /// those behind it have none; the caller has to look what came of them.
    pub(super) fn run(
        &self,
        server: usize,
        operations: &[Op],
    ) -> Result<Vec<Result<OpResult, Error>>, Trouble> {
        let Some(client) = self.clients.get(server) else {
            return Ok(Vec::new());
        };
        client
            .run_batch(operations.iter().cloned())
            .map_err(|error| self.trouble(&error, server))
    }

    pub(super) fn trouble(&self, error: &Error, server: usize) -> Trouble {
        memcached::trouble(error, self.servers.get(server..=server).unwrap_or_default())
    }
}

/// Memcached does not take a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused;
