//! The servers, asked one by one: an item may lie on a server that is not its key's.

use std::{borrow::Cow, cell::RefCell};

use memcache::exp::{
    DeleteOptions, Error, GetOptions, MetaCommand, MetaCommandResult, ReturnCode, SetMode, SetOptions,
    build_delete, build_get, build_set,
};

use crate::{
    config::{self, ValueForm, endpoint::Endpoint},
    journal::progress::condition::Problem,
    memcached::{self, Client, Settings, ring::Ring},
    sinks::memcached::value_of,
    timing,
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

    /// Whether it has this value, also if only for a while.
    pub(super) fn says(&self, wanted: Option<&str>) -> bool {
        self.cas.is_some() && self.plain && self.value.as_deref() == wanted.map(str::as_bytes)
    }
}

/// What is to become of an item. Each says what it builds on, so that it does nothing to a younger
/// item.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// An item where there is none, for a while (as Memcached counts time).
    Add { name: String, value: String, until: u32 },
    /// Another value in the place of the item with this number.
    Replace { name: String, value: String, cas: u64 },
    /// Nothing in the place of the item with this number.
    Delete { name: String, cas: u64 },
}

impl Change {
    /// How many bytes it carries.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Add { value, .. } | Self::Replace { value, .. } => value.len(),
            Self::Delete { .. } => 0,
        }
    }

    fn command(&self) -> Result<MetaCommand, Error> {
        match self {
            Self::Add { name, value, until } => {
                let mut options = SetOptions::default();
                options.mode = SetMode::Add;
                options.ttl = Some(*until);
                build_set(name, value.as_str(), &options)
            }
            Self::Replace { name, value, cas } => {
                let mut options = SetOptions::default();
                options.compare_cas = Some(*cas);
                build_set(name, value.as_str(), &options)
            }
            Self::Delete { name, cas } => {
                let mut options = DeleteOptions::default();
                options.compare_cas = Some(*cas);
                build_delete(name, &options)
            }
        }
    }
}

pub(super) struct Cache {
    servers: Vec<String>,
    endpoints: Vec<Endpoint>,
    clients: Vec<RefCell<Client>>,
    item_sizes: Vec<Option<u64>>,
    items: u64,
    ring: Ring,
    form: ValueForm,
}

impl Cache {
    /// Connects to all servers: an answer of some would say nothing of the whole.
    pub(super) fn connect(config: &config::Memcached) -> Result<Self, Problem> {
        let mut cache = Self {
            servers: config.servers.clone(),
            endpoints: config.endpoints().collect(),
            clients: Vec::new(),
            item_sizes: Vec::new(),
            items: 0,
            ring: Ring::new(&config.servers),
            form: config.value,
        };
        for endpoint in config.endpoints() {
            let settings = Settings::of(&endpoint, timing::memcached::answer())
                .map_err(|error| memcached::unreachable(error, endpoint.name()))?;
            cache.item_sizes.push(settings.item_size);
            cache.items += settings.items.unwrap_or(0);
            cache.clients.push(RefCell::new(Client::new(endpoint)));
        }
        Ok(cache)
    }

    pub(super) fn servers(&self) -> &[String] {
        &self.servers
    }

    /// What a connection to a server needs.
    pub(super) fn endpoint(&self, server: usize) -> Option<&Endpoint> {
        self.endpoints.get(server)
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
        let item_size = self.item_sizes.get(address.server).copied().flatten();
        let most = memcached::most_bytes(&address.name, item_size);
        value_of(self.form, typed, most)
            .map(Cow::into_owned)
            .map_err(|_| Refused)
    }

    /// What is at these addresses, in their order.
    pub(super) fn look(&self, addresses: &[&Address]) -> Result<Vec<Found>, Problem> {
        let mut found = vec![Found::default(); addresses.len()];
        let mut options = GetOptions::default();
        options.return_client_flags = true;
        options.return_cas = true;
        options.return_ttl = true;
        options.no_lru_bump = true;
        for (server, client) in self.clients.iter().enumerate() {
            let here = || {
                addresses
                    .iter()
                    .enumerate()
                    .filter(|(_, address)| address.server == server)
            };
            let failed = |error: Error| self.trouble(&error, server);
            let gets: Result<Vec<MetaCommand>, Error> = here()
                .map(|(_, address)| build_get(&address.name, &options))
                .collect();
            let gets = gets.map_err(failed)?;
            if gets.is_empty() {
                continue;
            }
            let results = client.borrow_mut().run(&gets).map_err(failed)?;
            for ((index, _), result) in here().zip(results) {
                let result = result.map_err(failed)?;
                if let Some(found) = found.get_mut(index)
                    && result.rc != ReturnCode::En
                {
                    *found = Found {
                        cas: result.cas,
                        plain: result.client_flags.unwrap_or(0) == 0 && !result.stale,
                        lasting: result.ttl.is_none_or(|seconds| seconds < 0),
                        value: result.value,
                    };
                }
            }
        }
        Ok(found)
    }

    /// What the servers' clocks say, in seconds since 1970; of one that does not tell, nothing.
    pub(super) fn clocks(&self) -> Result<Vec<Option<u64>>, Problem> {
        let clock = |endpoint: &Endpoint| {
            Settings::of(endpoint, timing::memcached::answer())
                .map(|settings| settings.time)
                .map_err(|error| memcached::unreachable(error, endpoint.name()))
        };
        self.endpoints.iter().map(clock).collect()
    }

    /// Sends changes to one server, all at once; each has an answer, also behind a refusal.
    pub(super) fn run(
        &self,
        server: usize,
        changes: &[Change],
    ) -> Result<Vec<Result<MetaCommandResult, Error>>, Problem> {
        let Some(client) = self.clients.get(server) else {
            return Ok(Vec::new());
        };
        let commands: Result<Vec<MetaCommand>, Error> = changes.iter().map(Change::command).collect();
        commands
            .and_then(|commands| client.borrow_mut().run(&commands))
            .map_err(|error| self.trouble(&error, server))
    }

    pub(super) fn trouble(&self, error: &Error, server: usize) -> Problem {
        memcached::problem_of(error, self.servers.get(server..=server).unwrap_or_default())
    }
}

/// Memcached does not take a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused;
