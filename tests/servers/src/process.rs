//! A child process that leads its own process group and dies, group and all, with its owner: also
//! when the owner is killed and has no time to see to it.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::{self, PATIENCE, Seen};

/// The groups that are alive, for [`kill_all`].
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Becomes the given program, and leaves a watchman in the process group: at the end of
/// its input, which is ours to close and closes with us, it kills the group.
const WATCHED: &str = r#"exec 3<&0 </dev/null; { read line <&3; kill -KILL 0; } & exec "$@" 3<&-"#;

/// A running child with its log.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    /// Set once the whole group is known to be gone, so that its number is never signalled again.
    gone: bool,
}

impl Process {
    /// Starts `command` as the leader of a new process group; what it prints is appended to `log`.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot open the log {}", log.display()))?;
        let mut watched = Command::new("sh");
        watched
            .args(["-c", WATCHED, "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => watched.env(name, value),
                None => watched.env_remove(name),
            };
        }
        let child = watched
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let process = Self {
            child,
            name: name.to_owned(),
            log: log.to_owned(),
            gone: false,
        };
        groups().push(process.leader());
        Ok(process)
    }

    /// The leader's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the leader has ended.
    pub fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Fails with the log's end if the leader has ended; for use while waiting for it to become
    /// ready.
    pub fn must_live(&mut self) -> Result<()> {
        let Some(status) = self.exit_status()? else {
            return Ok(());
        };
        // What shells say of a program that is not there.
        ensure!(
            status.code() != Some(127),
            "{} is not installed; `cargo xtask test` installs what is missing",
            self.name
        );
        bail!(
            "{} ended early ({status}); its log ends:\n{}",
            self.name,
            self.log_tail()
        );
    }

    /// The last lines of the log.
    pub fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Asks the leader to end (SIGTERM) and waits for the whole group; kills it when it takes too
    /// long.
    pub fn terminate(&mut self) -> Result<()> {
        let _already_ended = kill_process(self.leader(), Signal::TERM);
        self.wait_or_kill()
    }

    /// Waits for a leader that was asked to end by other means; kills the group when it takes too
    /// long.
    pub fn wait_or_kill(&mut self) -> Result<()> {
        let name = self.name.clone();
        let _kill_settles_it = wait::until(&format!("the end of {name}"), Duration::from_secs(10), || {
            Ok(match self.exit_status()? {
                Some(_) => Seen::Ready(()),
                None => Seen::Not("it runs".to_owned()),
            })
        });
        self.kill()
    }

    /// Kills the whole group (SIGKILL) and waits until none of its processes is left.
    pub fn kill(&mut self) -> Result<()> {
        if self.gone {
            return Ok(());
        }
        let group = self.leader();
        let _group_gone = kill_process_group(group, Signal::KILL);
        self.child.wait()?;
        wait::until(&format!("the end of {}'s children", self.name), PATIENCE, || {
            let left = group_members(group)?;
            Ok(if left.is_empty() {
                Seen::Ready(())
            } else {
                Seen::Not(format!("processes {left:?}"))
            })
        })?;
        self.gone = true;
        groups().retain(|other| *other != group);
        Ok(())
    }

    fn leader(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _nothing_more_to_do = self.kill();
    }
}

/// Lets a process do nothing (SIGSTOP) until it is resumed.
pub fn pause(id: u32) -> Result<()> {
    send_signal(id, Signal::STOP)
}

/// Lets a paused process go on (SIGCONT).
pub fn resume(id: u32) -> Result<()> {
    send_signal(id, Signal::CONT)
}

/// Asks a process to end (SIGTERM).
pub fn ask_to_end(id: u32) -> Result<()> {
    send_signal(id, Signal::TERM)
}

fn send_signal(id: u32, signal: Signal) -> Result<()> {
    let process = i32::try_from(id).ok().and_then(Pid::from_raw);
    let process = process.with_context(|| format!("{id} is no process"))?;
    kill_process(process, signal).with_context(|| format!("cannot signal process {id}"))
}

/// Kills every process that a [`Process`] owns: what they were doing then fails, and their owners
/// clean up. For Ctrl-C, which does not reach the groups by itself.
pub fn kill_all() {
    for group in groups().iter() {
        let _group_gone = kill_process_group(*group, Signal::KILL);
    }
}

fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The live processes of a group; zombies that their parent has not collected yet do not count.
fn group_members(group: Pid) -> Result<Vec<i32>> {
    let mut members = Vec::new();
    for id in process_ids()? {
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
            continue;
        };
        // "pid (name) state parent group …"; the name may hold anything, so read from its closing
        // parenthesis.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, _parent, group_of) = (fields.next(), fields.next(), fields.next());
        if state != Some("Z") && group_of == Some(&group.as_raw_nonzero().to_string()) {
            members.push(id);
        }
    }
    Ok(members)
}

/// The processes whose executable is `program` and whose environment holds `variable`.
pub fn find(program: &Path, variable: &str) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for id in process_ids()? {
        let executable = fs::read_link(format!("/proc/{id}/exe"));
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        if executable.is_ok_and(|executable| executable == program)
            && environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == variable.as_bytes())
        {
            found.extend(Pid::from_raw(id));
        }
    }
    Ok(found)
}

fn process_ids() -> Result<impl Iterator<Item = i32>> {
    Ok(fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}
