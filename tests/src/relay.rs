//! An installed `idb-relay`: configured for private servers, registered with one browser profile.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    artifacts,
    browser::{Kind, Profile},
    process,
    servers::{MemcachedServer, RedisServer},
    wait::{self, PATIENCE, Seen},
};

/// The stream that the configuration names.
pub const STREAM: &str = "idb:events";

/// The installed relay.
#[derive(Debug)]
pub struct Relay {
    directory: TempDir,
    host: PathBuf,
    home: PathBuf,
    manifest: PathBuf,
}

impl Relay {
    /// Writes a configuration for these origins and servers, and runs `idb-relay install` for the
    /// profile.
    pub fn install(
        profile: &Profile,
        origins: &[String],
        redis: &RedisServer,
        memcached: &MemcachedServer,
    ) -> Result<Self> {
        let relay = Self {
            directory: tempfile::Builder::new().prefix("idb-relay-").tempdir()?,
            host: artifacts::host()?,
            home: profile.home().to_owned(),
            manifest: match profile.kind() {
                Kind::Chromium => profile.directory().join("NativeMessagingHosts"),
                Kind::Firefox => profile.home().join(".mozilla/native-messaging-hosts"),
            }
            .join(format!("{}.json", protocol::HOST_NAME)),
        };
        let config = format!(
            "[capture]\norigins = {origins:?}\n\n[redis]\nurl = {:?}\nstream = {STREAM:?}\n\n\
             [memcached]\nservers = [{:?}]\n\n[journal]\ndirectory = \"{}\"\n",
            redis.url(),
            memcached.address(),
            relay.journal_directory().display(),
        );
        fs::write(relay.config(), config)?;

        relay.register(profile)?;
        Ok(relay)
    }

    /// Tells the browser of a profile of this host.
    pub fn register(&self, profile: &Profile) -> Result<()> {
        let mut install = self.command(&["install", "--browser", profile.kind().name()]);
        install.env("HOME", profile.home());
        if profile.kind() == Kind::Chromium {
            install.arg("--user-data-dir").arg(profile.directory());
        }
        let output = install.output().context("cannot run idb-relay")?;
        succeeded("idb-relay install", &output)
    }

    /// The file that tells the browser of the host.
    pub fn manifest(&self) -> PathBuf {
        self.manifest.clone()
    }

    /// Runs `idb-relay uninstall` for the profile.
    pub fn uninstall(&self, profile: &Profile) -> Result<()> {
        let mut uninstall = self.command(&["uninstall", "--browser", profile.kind().name()]);
        if profile.kind() == Kind::Chromium {
            uninstall.arg("--user-data-dir").arg(profile.directory());
        }
        succeeded("idb-relay uninstall", &uninstall.output()?)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    /// Where the journals are.
    pub fn journal_directory(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    /// What a browser needs in its environment for the host to find this configuration.
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![("IDB_RELAY_CONFIG".to_owned(), self.config().display().to_string())]
    }

    /// The host's program.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// An `idb-relay` command on this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.host);
        command
            .args(arguments)
            .env("HOME", &self.home)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .envs(self.environment());
        command
    }

    /// Runs an `idb-relay` command and returns what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().context("cannot run idb-relay")?;
        succeeded(&format!("idb-relay {}", arguments.join(" ")), &output)?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs an `idb-relay … --json` command.
    pub fn run_json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(arguments)?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// Kills the running host (SIGKILL), waiting for one to run first.
    pub fn kill_host(&self) -> Result<()> {
        let killed = self.signal_host(Signal::KILL)?;
        wait::until("the host's end", PATIENCE, || {
            let left = self.running_hosts()?;
            // A new one may have been started by then.
            Ok(if killed.iter().any(|process| left.contains(process)) {
                Seen::Not("it still runs".to_owned())
            } else {
                Seen::Ready(())
            })
        })
    }

    /// Lets the running host do nothing (SIGSTOP) until it is thawed.
    pub fn freeze_host(&self) -> Result<()> {
        self.signal_host(Signal::STOP).map(|_| ())
    }

    /// Lets a frozen host go on.
    pub fn thaw_host(&self) -> Result<()> {
        self.signal_host(Signal::CONT).map(|_| ())
    }

    /// Sends a signal to the running host, waiting for one to run first.
    fn signal_host(&self, signal: Signal) -> Result<Vec<Pid>> {
        let running = wait::until("a running host", PATIENCE, || {
            let running = self.running_hosts()?;
            Ok(if running.is_empty() {
                Seen::Not("none".to_owned())
            } else {
                Seen::Ready(running)
            })
        })?;
        for process in &running {
            kill_process(*process, signal)?;
        }
        Ok(running)
    }

    fn running_hosts(&self) -> Result<Vec<Pid>> {
        let variable = format!("IDB_RELAY_CONFIG={}", self.config().display());
        process::find(&self.host.canonicalize()?, &variable)
    }
}

fn succeeded(what: &str, output: &Output) -> Result<()> {
    ensure!(
        output.status.success(),
        "{what} failed ({}): {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
