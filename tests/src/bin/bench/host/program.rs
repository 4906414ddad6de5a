//! A native messaging host that is fed as a browser feeds it: the relay, or the peer.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use lab::{
    servers::{MemcachedServer, RedisServer},
    wait::{self, Seen},
};
use protocol::wire::host::FromHost;
use tempfile::TempDir;

use super::feed::{self, Frame};

/// What may be on its way to the host unacknowledged: the extension's `HOST_WINDOW`.
const WINDOW: usize = 16 * 1024 * 1024;

/// How long an acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may take to end once its stdin is closed.
const GRACE: Duration = Duration::from_secs(20);

/// Which program.
pub enum Launch {
    /// `idb-relay`.
    Host(PathBuf),
    /// The script of the peer, for Node.
    Peer(PathBuf),
}

/// A running host. It ends with its stdin, and is killed when this goes.
pub struct Program {
    child: Child,
    /// Closed at the end.
    stdin: Option<ChildStdin>,
    acknowledged: Receiver<u64>,
    /// Frames on their way: the last delivery of each, and its length.
    flying: VecDeque<(u64, usize)>,
    flying_bytes: usize,
    directory: TempDir,
}

impl Launch {
    /// Starts it on these servers and exchanges hellos.
    pub fn start(&self, redis: &RedisServer, memcached: &MemcachedServer) -> Result<Program> {
        let directory = tempfile::Builder::new().prefix("idb-relay-bench-").tempdir()?;
        let mut command = match self {
            Self::Host(program) => {
                let config = directory.path().join("config.toml");
                let text = format!(
                    "[capture]\norigins = [{:?}]\n[redis]\nurl = {:?}\n[memcached]\nservers = [{:?}]\n[journal]\ndirectory = \"{}\"\n",
                    feed::ORIGIN,
                    redis.url(),
                    memcached.address(),
                    directory.path().join("journal").display(),
                );
                fs::write(&config, text)?;
                let mut command = Command::new(program);
                command
                    .arg("chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh/")
                    .env("HOME", directory.path())
                    .env("IDB_RELAY_CONFIG", config);
                command
            }
            Self::Peer(script) => {
                let mut command = Command::new("node");
                command
                    .arg(script)
                    .args([redis.url(), memcached.address()])
                    .arg(directory.path().join("journal"));
                command
            }
        };
        let log = directory.path().join("log");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let (sender, acknowledged) = mpsc::channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut length = [0; 4];
            let mut text = Vec::new();
            while stdout.read_exact(&mut length).is_ok() {
                text.resize(u32::from_ne_bytes(length) as usize, 0);
                let said = match stdout.read_exact(&mut text) {
                    Ok(()) => serde_json::from_slice::<FromHost>(&text),
                    Err(_) => return,
                };
                let last = match said {
                    Ok(FromHost::Hello(_)) => 0,
                    Ok(FromHost::Acknowledged { sequence, .. }) => sequence,
                    other => {
                        eprintln!("the host says {other:?}");
                        continue;
                    }
                };
                if sender.send(last).is_err() {
                    return;
                }
            }
        });
        let mut program = Program {
            child,
            stdin: Some(stdin),
            acknowledged,
            flying: VecDeque::new(),
            flying_bytes: 0,
            directory,
        };
        program.write(&feed::hello()?)?;
        program.wait_for_acknowledgement()?;
        Ok(program)
    }
}

impl Program {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The relay's journal file.
    pub fn journal(&self) -> PathBuf {
        self.directory
            .path()
            .join("journal")
            .join(format!("{}.sqlite", feed::PROFILE))
    }

    /// Sends a frame once the window has room for it.
    pub fn send(&mut self, frame: &Frame) -> Result<()> {
        while self.flying_bytes > 0 && self.flying_bytes + frame.text.len() > WINDOW {
            self.wait_for_acknowledgement()?;
        }
        while let Ok(last) = self.acknowledged.try_recv() {
            self.landed(last);
        }
        self.flying.push_back((frame.last, frame.text.len()));
        self.flying_bytes += frame.text.len();
        self.write(&frame.text)
    }

    /// Waits until all that was sent is acknowledged.
    pub fn all_acknowledged(&mut self) -> Result<()> {
        while !self.flying.is_empty() {
            self.wait_for_acknowledgement()?;
        }
        Ok(())
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        let length = u32::try_from(text.len())?;
        let stdin = self.stdin.as_mut().context("its stdin is closed")?;
        stdin.write_all(&length.to_ne_bytes())?;
        stdin.write_all(text)?;
        Ok(())
    }

    fn wait_for_acknowledgement(&mut self) -> Result<()> {
        match self.acknowledged.recv_timeout(PATIENCE) {
            Ok(last) => self.landed(last),
            Err(RecvTimeoutError::Timeout) => bail!("no acknowledgement in {} s", PATIENCE.as_secs()),
            Err(RecvTimeoutError::Disconnected) => {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                bail!("the host ended; its log:\n{log}")
            }
        }
        Ok(())
    }

    fn landed(&mut self, last: u64) {
        while self.flying.front().is_some_and(|(of, _)| *of <= last)
            && let Some((_, length)) = self.flying.pop_front()
        {
            self.flying_bytes -= length;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A profiler writes what it has found when the program ends by itself.
        drop(self.stdin.take());
        let _ended = wait::until("the end of the host", GRACE, || {
            Ok(match self.child.try_wait()? {
                Some(_) => Seen::Ready(()),
                None => Seen::Not("it runs".to_owned()),
            })
        });
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
