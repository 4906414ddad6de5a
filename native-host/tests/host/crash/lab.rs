//! What a round runs on: the program, real servers, a small disk, and all that can go wrong with
//! them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use idb_relay::journal;
use tempfile::TempDir;
use test_servers::RedisOptions;

use super::{
    clock,
    disk::Disk,
    schedule::{MemcachedFault, RedisFault},
};
use crate::support::{Host, Memcached, Redis};

/// The pauses of the program take this part of their time.
const PACE: &str = "10";

const CURSOR: &str = "{idb:events}:cursor:";
const PASSWORD: &str = "sesame";

/// One for each thread that runs rounds; rounds follow each other on it.
pub struct Lab {
    directory: TempDir,
    pub disk: Disk,
    pub redis: Redis,
    pub memcached: Memcached,
    /// What keeps a Redis from working that is there.
    redis_state: RedisState,
    memcached_state: MemcachedState,
    older: Vec<(PathBuf, Vec<u8>)>,
    profile: String,
    /// The actions and messages of this round, which help to explain a failure.
    story: Vec<String>,
    began: Instant,
    /// Whether Redis has forgotten, or was not there for all.
    pub redis_forgot: bool,
    pub redis_failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemcachedState {
    Well,
    Down,
    Paused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RedisState {
    Well,
    Down,
    Paused,
    /// It refuses; the fault says how it is fixed.
    Refuses(&'static [&'static [&'static str]]),
    Locked,
    StreamAside,
    CursorAside,
}

impl Lab {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = Disk::small(&directory.path().join("disk"));
        let redis = Redis::start();
        let memcached = Memcached::start();
        let lab = Self {
            disk,
            redis,
            memcached,
            redis_state: RedisState::Well,
            memcached_state: MemcachedState::Well,
            older: Vec::new(),
            profile: String::new(),
            story: Vec::new(),
            began: Instant::now(),
            redis_forgot: false,
            redis_failed: false,
            directory,
        };
        let config = format!(
            "[redis]\nurl = \"{}\"\n[journal]\ndirectory = \"{}\"\n[memcached]\nservers = [\"{}\"]\n",
            lab.redis.url(),
            lab.disk.path().display(),
            lab.memcached.address(),
        );
        fs::write(lab.config_path(), config).expect("written");
        lab
    }

    /// Empty servers, and a profile that has never been here.
    pub fn begin(&mut self, profile: &str) {
        self.heal();
        profile.clone_into(&mut self.profile);
        self.redis.kill();
        self.redis.restore(&[]);
        self.redis.restart();
        self.memcached.restart();
        self.older.clear();
        self.story.clear();
        self.began = Instant::now();
        let _not_made_yet = fs::remove_file(self.log_path());
        self.redis_forgot = false;
        self.redis_failed = false;
    }

    /// The round's journal is not needed any more.
    pub fn end(&mut self) {
        self.heal();
        for entry in fs::read_dir(self.disk.path()).expect("a directory") {
            fs::remove_file(entry.expect("an entry").path()).expect("removed");
        }
    }

    /// Adds to the round's story.
    pub fn tell(&mut self, what: &str) {
        self.story
            .push(format!("{:>6} {what}", self.began.elapsed().as_millis()));
    }

    /// Keeps what a round that failed leaves behind: its story, the program's log and the journal.
    pub fn keep(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("story"), self.story.join("\n"))?;
        fs::write(directory.join("log"), self.log())?;
        for entry in fs::read_dir(self.disk.path())? {
            let entry = entry?;
            fs::copy(entry.path(), directory.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// What the program has logged in this round.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join(".local/state/idb-relay/idb-relay.log")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn config_path(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    pub fn journal(&self) -> PathBuf {
        journal::path(self.disk.path(), &self.profile).expect("a profile")
    }

    /// Starts the program; it may end at a point.
    pub fn start(&self, fail_at: Option<&str>) -> Host {
        let mut command = self.disk.command(env!("CARGO_BIN_EXE_idb-relay"));
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("IDB_RELAY_CONFIG", self.config_path())
            .env("IDB_RELAY_PACE", PACE)
            .env("IDB_RELAY_CLOCK", clock::path(self.directory.path()));
        if let Some(point) = fail_at {
            command.env("IDB_RELAY_FAIL_POINT", point);
        }
        let mut host = Host::spawn(command);
        host.send(&format!(
            r#"{{"hello":{{"protocol":{},"version":"0.1.0","browser":"chromium/156","profile":"{}"}}}}"#,
            protocol::PROTOCOL_VERSION,
            self.profile
        ));
        host
    }

    /// Repairs the two servers and the disk.
    pub fn heal(&mut self) {
        self.heal_redis();
        self.heal_memcached();
        self.disk.free();
    }

    fn heal_redis(&mut self) {
        match std::mem::replace(&mut self.redis_state, RedisState::Well) {
            RedisState::Well => {}
            RedisState::Down => self.redis.restart(),
            RedisState::Paused => self.redis.resume(),
            RedisState::Refuses(fixes) => {
                self.redis.await_answer();
                for fix in fixes {
                    self.redis.send_command(fix);
                }
            }
            RedisState::Locked => {
                let open = ["CONFIG", "SET", "requirepass", ""];
                self.redis.send_command_with_password(PASSWORD, &open);
            }
            RedisState::StreamAside => self.put_back("idb:events"),
            RedisState::CursorAside => {
                let cursor = self.cursor();
                self.put_back(&cursor);
            }
        }
    }

    fn heal_memcached(&mut self) {
        match std::mem::replace(&mut self.memcached_state, MemcachedState::Well) {
            MemcachedState::Well => {}
            MemcachedState::Down => self.memcached.restart(),
            MemcachedState::Paused => self.memcached.resume(),
        }
    }

    fn cursor(&self) -> String {
        format!("{CURSOR}{}", self.profile)
    }

    /// Puts something of another kind where the key is, at once: in between the host would begin
    /// another stream.
    fn put_aside(&mut self, key: &str) {
        let script = "redis.call('DEL', 'aside')
            if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], 'aside') end
            redis.call('RPUSH', KEYS[1], 'in the way')";
        self.redis.send_command(&["EVAL", script, "1", key]);
    }

    fn put_back(&mut self, key: &str) {
        let script = "redis.call('DEL', KEYS[1])
            if redis.call('EXISTS', 'aside') == 1 then redis.call('RENAME', 'aside', KEYS[1]) end";
        self.redis.send_command(&["EVAL", script, "1", key]);
    }

    fn empty_redis(&mut self, files: &[(PathBuf, Vec<u8>)]) {
        self.redis.kill();
        self.redis.restore(files);
        self.redis.restart();
        self.redis_forgot = true;
    }

    pub fn redis_fault(&mut self, fault: RedisFault) {
        // One thing at a time: what is paused or down can't be asked.
        self.heal_redis();
        self.redis_failed = true;
        match fault {
            RedisFault::Killed => {
                self.redis.kill();
                self.redis_state = RedisState::Down;
            }
            RedisFault::Restarted => {
                self.redis.restart();
            }
            RedisFault::Emptied => self.empty_redis(&[]),
            RedisFault::SetBack => {
                let older = std::mem::take(&mut self.older);
                self.empty_redis(&older);
            }
            RedisFault::Remember => {
                self.redis.kill();
                self.older = self.redis.files();
                self.redis.restart();
            }
            RedisFault::FlushedAll => {
                self.redis.send_command(&["FLUSHALL"]);
                self.redis_forgot = true;
            }
            RedisFault::ScriptsFlushed => self.redis.send_command(&["SCRIPT", "FLUSH"]),
            RedisFault::Paused => {
                self.redis.pause();
                self.redis_state = RedisState::Paused;
            }
            RedisFault::Resumed => {}
            RedisFault::ReadOnly => {
                self.redis.send_command(&["REPLICAOF", "127.0.0.1", "1"]);
                self.redis_state = RedisState::Refuses(&[&["REPLICAOF", "NO", "ONE"]]);
            }
            RedisFault::OutOfMemory => {
                self.redis.send_command(&["CONFIG", "SET", "maxmemory", "1"]);
                self.redis_state = RedisState::Refuses(&[&["CONFIG", "SET", "maxmemory", "0"]]);
            }
            RedisFault::StreamOfOtherType => {
                self.put_aside("idb:events");
                self.redis_state = RedisState::StreamAside;
            }
            RedisFault::CursorOfOtherType => {
                let cursor = self.cursor();
                self.put_aside(&cursor);
                self.redis_state = RedisState::CursorAside;
            }
            RedisFault::CursorLost => {
                let cursor = self.cursor();
                self.redis.send_command(&["DEL", &cursor]);
            }
            RedisFault::Loading => self.load_slowly(),
            RedisFault::PasswordWanted => {
                self.redis
                    .send_command(&["CONFIG", "SET", "requirepass", PASSWORD]);
                self.redis_state = RedisState::Locked;
                let end = ["CLIENT", "KILL", "TYPE", "normal"];
                self.redis.send_command_with_password(PASSWORD, &end);
            }
            RedisFault::ClientsKilled => self.redis.send_command(&["CLIENT", "KILL", "TYPE", "normal"]),
        }
    }

    /// A server that has much to read before it does anything. Only what is in the file it starts
    /// from is read slowly, so all goes there.
    fn load_slowly(&mut self) {
        let fill = "for i = 1, 200 do redis.call('SET', 'filler:' .. i, string.rep('x', 200)) end";
        self.redis.send_command(&["EVAL", fill, "0"]);
        self.redis.send_command(&["BGREWRITEAOF"]);
        crate::support::until("the file is written", || !self.redis.is_rewriting());
        self.redis
            .restart_without_waiting(&RedisOptions::default().arguments(&[
                "--key-load-delay",
                "2000",
                "--loading-process-events-interval-bytes",
                "1024",
            ]));
        self.redis_state = RedisState::Refuses(&[]);
    }

    pub fn memcached_fault(&mut self, fault: MemcachedFault) {
        self.heal_memcached();
        match fault {
            MemcachedFault::Killed => {
                self.memcached.kill();
                self.memcached_state = MemcachedState::Down;
            }
            MemcachedFault::Restarted => {
                self.memcached.restart();
            }
            MemcachedFault::Paused => {
                self.memcached.pause();
                self.memcached_state = MemcachedState::Paused;
            }
            MemcachedFault::Resumed => {}
        }
    }

    /// Everything that Memcached holds.
    pub fn cached(&self) -> BTreeMap<String, String> {
        let mut names = self.memcached.keys();
        names.retain(|name| !name.starts_with("idb-relay-"));
        self.memcached.get_all(&names)
    }
}

/// The command of a shell's words; for those that must set something up first.
pub fn shell(script: &str, program: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, program]);
    command
}
