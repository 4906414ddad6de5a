//! Who brings Memcached up to date, and how far that is: the host by its sink, or
//! `idb-relay apply`, which notes it in Memcached itself.

use protocol::wire::host::ErrorCode;

use super::{CompareError, cache::Cache};
use crate::{
    apply::{
        cache::{FILLING, mark_name, offset_name},
        cache_writer,
        cursor::cursors,
    },
    config::{self, Config, MemcachedMode},
    failure::Failure,
    journal::{
        JournalError,
        progress::condition::Problem,
        read::{Reader, journals},
        side_files::file_lock,
    },
    memcached, sinks,
};

/// Who brings Memcached up to date.
#[derive(Debug)]
pub enum Feed {
    /// The host.
    Host,
    /// A group of `idb-relay apply`.
    Apply(Applied),
}

/// A group of `idb-relay apply`, as it feeds the servers of this configuration.
#[derive(Debug)]
pub struct Applied {
    mark: String,
    /// Whether a process of it runs.
    runs: bool,
    /// It listens to the channels: no process brings what it has missed, and it is unknown what it
    /// has in hand.
    listens: bool,
    /// Profiles of other machines use the stream, so items without a record here may be theirs.
    pub(super) others: bool,
}

/// Why the writer of Memcached cannot be determined.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Neither the host nor anybody that is known.
    #[error(
        "nothing writes to Memcached: memcached.mode is \"off\", and no `idb-relay apply` of group {0} has fed one"
    )]
    NoWriter(String),
    /// The configuration here is about something else than what is fed.
    #[error("`idb-relay apply` of group {group} feeds {theirs}; here it would be {ours}")]
    Elsewhere {
        /// The group.
        group: String,
        /// What it feeds.
        theirs: String,
        /// What the configuration says.
        ours: String,
        /// The configuration file.
        file: String,
    },
    /// Redis, which knows it, can't be asked.
    #[error("{}", .0.message)]
    Redis(Problem),
    /// Memcached can't be asked.
    #[error("{}", .0.message)]
    Memcached(Problem),
    /// A journal can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Failure for FeedError {
    fn code(&self) -> ErrorCode {
        ErrorCode::QuestionFailed
    }

    fn fix(&self) -> String {
        match self {
            Self::NoWriter(_) => {
                "Start `idb-relay apply` near Memcached (name its group with --group if it is another), or write memcached.mode = \"host\"."
                    .to_owned()
            }
            Self::Elsewhere { file, .. } => format!(
                "Write under [memcached] in {file} the servers, key and value that stand where `idb-relay apply` runs, besides mode = \"off\"; \
                 or name a file that has them: IDB_RELAY_CONFIG=FILE idb-relay verify."
            ),
            Self::Redis(trouble) | Self::Memcached(trouble) => trouble.fix.clone(),
            Self::Journal(error) => error.fix(),
        }
    }
}

impl Feed {
    /// Finds out who feeds the configured servers; if it is not the host, whether this group does.
    pub fn find(config: &Config, group: &str) -> Result<Self, FeedError> {
        if config.memcached.mode == MemcachedMode::Host {
            return Ok(Self::Host);
        }
        let Some(redis) = &config.redis else {
            return Err(FeedError::NoWriter(group.to_owned()));
        };
        let asked = |error: redis::RedisError| {
            FeedError::Redis(sinks::redis::trouble(&error, &sinks::redis::address(&redis.url)))
        };
        let mut connection = sinks::redis::connect(redis).map_err(asked)?;
        let stream = redis.stream.as_deref();
        let writer = cache_writer::cache_writer(&mut connection, stream, group.to_owned()).map_err(asked)?;
        if !writer.is_apply {
            return Err(FeedError::NoWriter(group.to_owned()));
        }
        let mark = mark_name(group);
        if let Some(feed) = &writer.feed {
            is_same(feed, &config.memcached, group, &mark)?;
        }
        let mut others = stream.is_none();
        if let Some(stream) = stream {
            let cursors = cursors(&mut connection, stream).map_err(asked)?;
            let mut own = Vec::new();
            for path in journals(&config.journal.directory)? {
                own.extend(Reader::open(&path).and_then(|reader| reader.author()));
            }
            others |= cursors
                .keys()
                .any(|profile| own.iter().all(|(own, _)| own != profile));
        }
        Ok(Self::Apply(Applied {
            mark,
            runs: writer.process.is_some(),
            listens: writer.uses_pubsub(),
            others,
        }))
    }
}

/// Whether what is fed is what the configuration means.
fn is_same(
    feed: &cache_writer::Feed,
    config: &config::Memcached,
    group: &str,
    mark: &str,
) -> Result<(), FeedError> {
    let (key, value) = (config.key.to_string(), config.value.name());
    if feed.key == key && feed.value == value {
        if feed.servers == config.servers {
            return Ok(());
        }
        // A single server may have another name here: it knows itself.
        if let ([_], [_]) = (&*feed.servers, &*config.servers) {
            let found = memcached::lookup(config, mark).map_err(FeedError::Memcached)?;
            let found: Option<cache_writer::Feed> = found.and_then(|mark| serde_json::from_slice(&mark).ok());
            if found.is_some_and(|found| found.era == feed.era) {
                return Ok(());
            }
        }
    }
    let describe = |servers: &[String], key: &str, value: &str| {
        format!("servers {}, key {key:?}, value {value:?}", servers.join(", "))
    };
    Err(FeedError::Elsewhere {
        group: group.to_owned(),
        theirs: describe(&feed.servers, &feed.key, &feed.value),
        ours: describe(&config.servers, &key, value),
        file: config::path().unwrap_or_default().display().to_string(),
    })
}

/// Whose offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Of a process that passes events on. What waits for one in trouble, or for one that does not
    /// run, is a difference: it is unknown when it will be passed on.
    OfWhoRuns,
    /// Of any process that may write, also if it is in trouble: what it has sent may yet arrive.
    OfWhoMayWrite,
}

impl Feed {
    /// The last event of a journal that was brought to Memcached; `None`: no process brings any.
    pub(super) fn reached(
        &self,
        cache: &Cache,
        reader: &Reader,
        reach: Reach,
    ) -> Result<Option<u64>, CompareError> {
        match self {
            Self::Host => Ok(by_host(reader, reach)?),
            Self::Apply(applied) => applied.reached(cache, reader, reach),
        }
    }

    /// Whether a host has ended that had not passed on all there was: what it had sent may yet
    /// arrive.
    pub(super) fn left_something(&self, readers: &[Reader]) -> Result<bool, CompareError> {
        if let Self::Apply(_) = self {
            // What one of these sends late is refused by Memcached.
            return Ok(false);
        }
        for reader in readers {
            if !file_lock::is_held(reader.path()) {
                let head = reader.head()?;
                let sinks = reader.sinks()?;
                if sinks
                    .iter()
                    .any(|sink| sink.name == sinks::MEMCACHED && sink.number < head)
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a process runs that may put right by itself what differs.
    pub(super) fn runs(&self, readers: &[Reader]) -> Result<bool, CompareError> {
        match self {
            Self::Host => {
                for reader in readers {
                    if by_host(reader, Reach::OfWhoRuns)?.is_some() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Apply(applied) => Ok(applied.runs),
        }
    }
}

impl Applied {
    fn reached(&self, cache: &Cache, reader: &Reader, reach: Reach) -> Result<Option<u64>, CompareError> {
        match reach {
            Reach::OfWhoRuns if !self.runs || self.listens => return Ok(None),
            Reach::OfWhoMayWrite if self.listens => return Ok(Some(0)),
            _ => {}
        }
        let (profile, _) = reader.author()?;
        let offset = cache.address(offset_name(&self.mark, &profile));
        let mut mark = cache.address(self.mark.clone());
        mark.server = offset.server;
        let found = cache.look(&[&offset, &mark])?;
        let text = |index: usize| found.get(index).and_then(|found| found.text());
        Ok(match (text(0).and_then(|offset| offset.parse().ok()), text(1)) {
            (Some(offset), _) => Some(offset),
            // It is being filled, or will be.
            (None, Some(mark)) if mark.starts_with(FILLING) => Some(0),
            (None, None) if self.runs => Some(0),
            (None, _) => None,
        })
    }
}

/// The last event that the running host of a journal has brought to Memcached; `None`: no host
/// brings any.
fn by_host(reader: &Reader, reach: Reach) -> Result<Option<u64>, JournalError> {
    if !file_lock::is_held(reader.path()) {
        return Ok(None);
    }
    let sinks = reader.sinks()?;
    Ok(sinks
        .iter()
        .find(|sink| sink.name == sinks::MEMCACHED && sink.enabled)
        .filter(|sink| reach == Reach::OfWhoMayWrite || sinks::runner::passes_on(&sink.state))
        .map(|sink| sink.number))
}
