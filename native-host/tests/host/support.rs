//! What the tests share.

mod apply;
pub mod body;
mod certificates;
mod command;
mod desk;
mod host;
mod machine;
mod memcached;
mod proxy;
mod redis;
mod server;
pub mod verify;

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use idb_relay::config::endpoint::Endpoint;
use tempfile::TempDir;
use test_servers::{port, wait};

pub use self::{
    apply::Apply,
    certificates::Certificates,
    command::output,
    desk::Desk,
    host::{CONTEXT, Host, ORIGIN, delivery as host_delivery, hello, hello_of, pour},
    machine::Machine,
    memcached::Memcached,
    proxy::{Gate, Proxy, has},
    redis::Redis,
};

/// Upper bound on waiting for a condition. Generous, because a test machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A home directory with a configuration and the servers that it names.
pub struct Sandbox {
    pub directory: TempDir,
    pub redis: Redis,
    pub memcached: Memcached,
    /// What the program has said of keys: it would be started again for each look at a record.
    names: Mutex<HashMap<String, String>>,
}

impl Sandbox {
    /// With both servers running.
    pub fn new() -> Self {
        Self::with_config("")
    }

    /// With both servers running, and more lines for the configuration's `[memcached]` section.
    pub fn with_config(more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let redis = Redis::start();
        let memcached = Memcached::start();
        let sandbox = Self {
            directory,
            redis,
            memcached,
            names: Mutex::default(),
        };
        let journal = sandbox.journal_directory();
        sandbox.write_config(&format!(
            "[capture]\norigins = [\"{ORIGIN}\"]\n[redis]\nurl = \"{}\"\n[journal]\ndirectory = \"{}\"\n\
             [memcached]\nservers = [\"{}\"]\n{more}",
            sandbox.redis.url(),
            journal.display(),
            sandbox.memcached.address(),
        ));
        sandbox
    }

    pub fn config_path(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    pub fn journal_directory(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    /// A log that the program keeps.
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory.path().join(".local/state/idb-relay").join(name)
    }

    pub fn write_config(&self, text: &str) {
        fs::write(self.config_path(), text).expect("written");
        self.names.lock().expect("no panic").clear();
    }

    /// Adds to a section of the configuration that is there.
    pub fn configure(&self, section: &str, more: &str) {
        let config = fs::read_to_string(self.config_path()).expect("a file");
        let header = format!("[{section}]\n");
        assert!(config.contains(&header));
        self.write_config(&config.replace(&header, &format!("{header}{more}\n")));
    }

    /// Lets this be Memcached's address in the configuration.
    pub fn reach_memcached_by(&self, address: &str) {
        let config = fs::read_to_string(self.config_path()).expect("a file");
        self.write_config(&config.replace(&self.memcached.address(), address));
    }

    /// Lets Redis be reached at this address by the programs that are started from now on.
    pub fn reach_redis_by(&self, address: &str) {
        let config = fs::read_to_string(self.config_path()).expect("a file");
        self.write_config(&config.replace(&self.redis.url(), &format!("redis://{address}")));
    }

    /// The program, seeing nothing of the real user.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_idb-relay"));
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("IDB_RELAY_CONFIG", self.config_path());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        output(self.program().args(arguments))
    }

    /// What a command prints; it must succeed.
    pub fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The Memcached key of a record of the store that [`body`] writes to.
    pub fn key(&self, key: &str) -> String {
        let known = self.names.lock().expect("no panic").get(key).cloned();
        known.unwrap_or_else(|| {
            let name = self.print_key(key);
            let mut names = self.names.lock().expect("no panic");
            names.insert(key.to_owned(), name.clone());
            name
        })
    }

    fn print_key(&self, key: &str) -> String {
        let arguments = [
            "key",
            "--origin",
            ORIGIN,
            "--database",
            "shop",
            "--store",
            "orders",
            "--key",
            key,
        ];
        self.print(&arguments).trim_end().to_owned()
    }

    /// What Memcached holds of a record.
    pub fn cached(&self, key: &str) -> Option<String> {
        self.memcached.get(&self.key(key))
    }

    /// Waits until Memcached holds this of a record.
    pub fn await_cached(&self, key: &str, value: Option<&str>) {
        let name = self.key(key);
        until(&format!("Memcached holds {value:?} for {key}"), || {
            self.memcached.get(&name).as_deref() == value
        });
    }
}

/// Says that what runs beside a test is over, also when the test fails: a scope waits for its
/// threads in any case.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for a condition.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = wait::until(&format!("the moment when {what}"), PATIENCE, || {
        Ok(if condition() {
            wait::Seen::Ready(())
        } else {
            wait::Seen::Not("it has not come".to_owned())
        })
    });
    waited.unwrap_or_else(|error| panic!("{error}"));
}

pub fn free_port() -> u16 {
    port::free_port().expect("a port")
}

/// A server at this address, as a connection needs it.
pub fn plain(address: &str) -> Endpoint {
    Endpoint::new(address, None, None)
}

/// Asserts that the stream has these values for key 1, each once and in order.
pub fn assert_stream(sandbox: &Sandbox, values: impl Iterator<Item = u64>) {
    let expected: Vec<u64> = values.collect();
    let events = sandbox.redis.await_stream(expected.len());
    let after: Vec<u64> = events
        .iter()
        .filter_map(|event| event["after"].as_u64())
        .collect();
    assert_eq!(after, expected);
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["source"]["sequence"].as_u64())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
}

/// What `status` says.
pub fn status(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_str(&sandbox.print(&["status", "--json"])).expect("JSON")
}
