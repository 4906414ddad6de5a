//! The configuration: a TOML file in which every key has a default and every mistake is named with
//! its line.
//!
//! - `address`: which addresses of servers can be used.
//! - [`endpoint`]: where a Memcached server is, and what it takes to be let in.
//! - `document`: reading typed values out of the file, with their lines.
//! - `error`: what can be wrong.
//! - `origin`: which origins some page can have.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{
    name::Template,
    origin::OriginPattern,
    redact::{How, Rule},
};

use crate::directories::Directories;

pub(crate) mod address;
mod document;
pub mod endpoint;
mod error;
mod limits;
mod origin;

use self::{
    document::{Document, Section},
    endpoint::{Endpoint, Login},
};
pub use self::{
    error::{ConfigError, ConfigProblem},
    limits::Limits,
};

/// The variable that names the file.
pub const VARIABLE: &str = "IDB_RELAY_CONFIG";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[capture]`
    pub capture: Capture,
    /// `[redis]`; `None` if it is switched off.
    pub redis: Option<Redis>,
    /// `[memcached]`
    pub memcached: Memcached,
    /// `[journal]`
    pub journal: Journal,
    /// `[[redact]]`: what the extension applies before a byte leaves the browser.
    pub redact: Vec<Rule>,
    /// The keys of the file that hold a password, also those of what is switched off.
    pub passwords: Vec<&'static str>,
}

/// What is captured without being switched on in the browser.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// `origins`
    pub origins: Vec<OriginPattern>,
}

/// Where events are published.
#[derive(Debug, Clone)]
pub struct Redis {
    /// `url`: may hold a password, so it is never printed.
    pub url: String,
    /// `ca_file`: who vouches for the server of a `rediss://` address; `None`: whom the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// `channel`
    pub channel: Template,
    /// `stream`; `None`: no stream.
    pub stream: Option<String>,
    /// `max_stream_length`; `None`: unbounded, which 0 says too.
    pub max_stream_length: Option<u64>,
    /// `max_memory_mib`, in bytes; `None`: where the server has no bound of its own, half of its
    /// machine's memory; 0: no bound.
    pub max_memory: Option<u64>,
}

/// The cache that is kept up to date.
#[derive(Debug, Clone)]
pub struct Memcached {
    /// `mode`
    pub mode: MemcachedMode,
    /// `servers`: at least one, each `host:port`, `tls://host:port` or `unix:///path`.
    pub servers: Vec<String>,
    /// `ca_file`: the CA of the `tls://` servers; `None`: the system's trust store.
    pub ca_file: Option<PathBuf>,
    /// `user` and `password`, for servers that ask for them.
    pub login: Option<Login>,
    /// `key`
    pub key: Template,
    /// `value`
    pub value: ValueForm,
}

impl Memcached {
    /// The same for one browser profile, whose id stands in `key` where that says so. Before that
    /// no record has a name.
    #[must_use]
    pub fn of_profile(&self, profile: &str) -> Self {
        Self {
            key: self.key.of_profile(profile),
            ..self.clone()
        }
    }

    /// The servers, with all that a connection needs.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.servers
            .iter()
            .map(|server| Endpoint::new(server, self.ca_file.clone(), self.login.clone()))
    }
}

/// Who brings Memcached up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemcachedMode {
    /// The host itself, from its journal.
    Host,
    /// Not the host: `idb-relay apply`, on a machine near the servers, or no process at all.
    Off,
}

/// In which form values are cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// What `JSON.stringify` would say ([`protocol::value::plain`]).
    Plain,
    /// Lossless ([`protocol::value`]).
    Typed,
}

impl ValueForm {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Typed => "typed",
        }
    }
}

/// Where the journal is, and how much it keeps.
#[derive(Debug, Clone)]
pub struct Journal {
    /// `directory`
    pub directory: PathBuf,
    /// `keep_mib`, `keep_hours`, `max_mib`
    pub limits: Limits,
}

const MIB: u64 = 1024 * 1024;

const CAPTURE: &[&str] = &["origins"];
const REDIS: &[&str] = &[
    "enabled",
    "url",
    "ca_file",
    "channel",
    "stream",
    "max_stream_length",
    "max_memory_mib",
];
const MEMCACHED: &[&str] = &["mode", "servers", "ca_file", "user", "password", "key", "value"];
const JOURNAL: &[&str] = &["directory", "keep_mib", "keep_hours", "max_mib"];
const REDACT: &[&str] = &["database", "store", "fields", "how"];
const SECTIONS: &[&str] = &["capture", "redis", "memcached", "journal", "redact"];

impl Config {
    /// Reads the file that [`path`] names. A file in the usual place may be absent; one that the
    /// variable names may not.
    pub fn load() -> Result<Self, ConfigError> {
        let named = env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let Some(path) = path() else {
            return Self::parse("", Path::new("(no file)"));
        };
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
                Self::parse("", &path)
            }
            Err(source) => Err(ConfigError {
                path,
                line: None,
                problem: ConfigProblem::Unreadable(source),
            }),
        }
    }

    /// The cache that the host itself feeds; `None` if `memcached.mode` is `off`.
    pub fn fed_memcached(&self) -> Option<&Memcached> {
        (self.memcached.mode == MemcachedMode::Host).then_some(&self.memcached)
    }

    /// Reads a configuration from its text; the path is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let document = Document::parse(text, path)?;
        document.only_sections(SECTIONS)?;
        let (redis, has_password) = redis(&document.section("redis", REDIS)?)?;
        let memcached = memcached(&document.section("memcached", MEMCACHED)?)?;
        let passwords = [
            ("redis.url", has_password),
            ("memcached.password", memcached.login.is_some()),
        ];
        Ok(Self {
            capture: capture(&document.section("capture", CAPTURE)?)?,
            redis,
            memcached,
            journal: journal(&document.section("journal", JOURNAL)?)?,
            redact: document
                .sections("redact", REDACT)?
                .iter()
                .map(rule)
                .collect::<Result<_, _>>()?,
            passwords: passwords
                .into_iter()
                .filter_map(|(key, has_one)| has_one.then_some(key))
                .collect(),
        })
    }
}

/// The configuration file: what `IDB_RELAY_CONFIG` names, else `config.toml` in the platform's
/// directory for this program.
pub fn path() -> Option<PathBuf> {
    match env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(path) => Some(path.into()),
        None => Directories::find().map(|directories| directories.config.join("config.toml")),
    }
}

fn capture(section: &Section<'_>) -> Result<Capture, ConfigError> {
    let mut origins = Vec::new();
    for entry in section.strings("origins")?.unwrap_or_default() {
        let pattern = origin::parse(&entry.value);
        origins.push(pattern.map_err(|error| section.wrong(entry.line, "origins", &error))?);
    }
    Ok(Capture { origins })
}

/// Where events are published, and whether the address holds a password.
fn redis(section: &Section<'_>) -> Result<(Option<Redis>, bool), ConfigError> {
    let url = section.string("url")?;
    if let Some(url) = &url {
        address::check_redis_url(section, url)?;
    }
    let ca_file = section.string("ca_file")?;
    if let Some(file) = &ca_file {
        let has_tls = url.as_ref().is_some_and(|url| address::is_tls(&url.value));
        address::check_ca_file(section, file, has_tls, "rediss://")?;
    }
    let channel = section.template("channel", "idb:{origin}:{database}:{store}", Template::channel)?;
    let stream = section
        .string("stream")?
        .map_or_else(|| "idb:events".to_owned(), |stream| stream.value);
    let redis = Redis {
        url: url.map_or_else(|| "redis://127.0.0.1:6379".to_owned(), |url| url.value),
        ca_file: ca_file.map(|file| file.value.into()),
        channel,
        stream: Some(stream).filter(|stream| !stream.is_empty()),
        max_stream_length: section.whole("max_stream_length")?.filter(|length| *length > 0),
        max_memory: section
            .whole("max_memory_mib")?
            .map(|mib| mib.saturating_mul(MIB)),
    };
    let has_password = address::has_password(&redis.url);
    Ok((section.enabled()?.then_some(redis), has_password))
}

fn memcached(section: &Section<'_>) -> Result<Memcached, ConfigError> {
    let mode = match section.string("mode")? {
        None => MemcachedMode::Host,
        Some(mode) => match mode.value.as_str() {
            "host" => MemcachedMode::Host,
            "off" => MemcachedMode::Off,
            other => {
                let problem = format!(
                    "{other:?} is not a valid mode; \"host\": the host writes to Memcached itself; \"off\": it does not, \
                     `idb-relay apply` may do it from Redis"
                );
                return Err(section.wrong(mode.line, "mode", &problem));
            }
        },
    };
    let servers = match section.strings("servers")? {
        None => vec!["127.0.0.1:11211".to_owned()],
        Some(servers) => address::check_servers(section, servers)?,
    };
    let ca_file = section.string("ca_file")?;
    if let Some(file) = &ca_file {
        let has_tls = servers.iter().any(|server| server.starts_with(endpoint::TLS));
        address::check_ca_file(section, file, has_tls, endpoint::TLS)?;
    }
    let login = address::login(section)?;
    let key = section.template(
        "key",
        "idb:{origin}:{database}:{store}:{key}",
        Template::memcached_key,
    )?;
    let value = match section.string("value")? {
        None => ValueForm::Plain,
        Some(form) => match form.value.as_str() {
            "plain" => ValueForm::Plain,
            "typed" => ValueForm::Typed,
            other => {
                let problem = format!("{other:?} is not a form of values; there are \"plain\" and \"typed\"");
                return Err(section.wrong(form.line, "value", &problem));
            }
        },
    };
    Ok(Memcached {
        mode,
        servers,
        ca_file: ca_file.map(|file| file.value.into()),
        login,
        key,
        value,
    })
}

fn journal(section: &Section<'_>) -> Result<Journal, ConfigError> {
    let directory = match section.string("directory")? {
        Some(directory) if !Path::new(&directory.value).is_absolute() => {
            let problem = format!(
                "{:?} is not an absolute path; browsers start the host in a directory of their own",
                directory.value
            );
            return Err(section.wrong(directory.line, "directory", &problem));
        }
        Some(directory) => directory.value.into(),
        None => match Directories::find() {
            Some(directories) => directories.data.join("journal"),
            None => return Err(section.missing("directory")),
        },
    };
    let mut limits = Limits::default();
    if let Some(mebibytes) = section.whole("keep_mib")? {
        limits.keep_bytes = mebibytes.saturating_mul(MIB);
    }
    if let Some(hours) = section.whole("keep_hours")? {
        limits.keep = Duration::from_secs(hours.saturating_mul(3600));
    }
    if let Some(mebibytes) = section.whole("max_mib")? {
        limits.max_bytes = Some(mebibytes.saturating_mul(MIB)).filter(|bytes| *bytes > 0);
    }
    Ok(Journal { directory, limits })
}

fn rule(section: &Section<'_>) -> Result<Rule, ConfigError> {
    let name = |key| {
        let name = section.string(key)?;
        Ok(name.map_or_else(String::new, |name| name.value))
    };
    let how = match section.string("how")? {
        None => return Err(section.absent("how", "\"drop\", \"mask\" or \"hash\"")),
        Some(how) => match how.value.as_str() {
            "drop" => How::Drop,
            "mask" => How::Mask,
            "hash" => How::Hash,
            other => {
                let problem =
                    format!("{other:?} is no way to redact; there are \"drop\", \"mask\" and \"hash\"");
                return Err(section.wrong(how.line, "how", &problem));
            }
        },
    };
    let Some(fields) = section.strings("fields")? else {
        return Err(section.absent("fields", "a list of JSON Pointers, such as [\"/password\"]"));
    };
    let mut rule = Rule {
        database: name("database")?,
        store: name("store")?,
        fields: Vec::new(),
        how,
    };
    let mut checked = Vec::new();
    // One by one, for the line.
    for field in fields {
        rule.fields = vec![field.value];
        rule.check()
            .map_err(|error| section.wrong(field.line, "fields", &error))?;
        checked.append(&mut rule.fields);
    }
    rule.fields = checked;
    rule.check()
        .map_err(|error| section.wrong(section.line("fields"), "fields", &error))?;
    Ok(rule)
}

#[cfg(test)]
mod tests;
