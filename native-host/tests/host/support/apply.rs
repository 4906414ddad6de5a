//! A process of `idb-relay apply`.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use serde_json::Value;
use test_servers::process;

use super::{
    Host, PATIENCE, Sandbox,
    body::{commit, put},
    until,
};

/// A running process. It is killed when this goes.
pub struct Apply {
    child: Child,
    lines: Receiver<Value>,
    /// The lines that it has printed and the test has not asked for yet.
    said: VecDeque<Value>,
}

impl Apply {
    pub fn start(sandbox: &Sandbox, consumer: &str) -> Self {
        Self::start_with(sandbox, consumer, &[])
    }

    /// With more options.
    pub fn start_with(sandbox: &Sandbox, consumer: &str, options: &[&str]) -> Self {
        Self::spawn(sandbox.program(), consumer, options)
    }

    /// One that waits a quarter of the usual time. Lease and fences keep theirs.
    pub fn hasty(sandbox: &Sandbox, consumer: &str, options: &[&str]) -> Self {
        let mut program = sandbox.program();
        program.env("IDB_RELAY_PACE", "4");
        Self::spawn(program, consumer, options)
    }

    fn spawn(mut program: Command, consumer: &str, options: &[&str]) -> Self {
        let mut child = program
            .args(["apply", "--json", "--consumer", consumer])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.expect("UTF-8");
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            said: VecDeque::new(),
        }
    }

    /// Has a host write something, so that there is a stream, and waits until a process writes.
    pub fn after_first_event(sandbox: &Sandbox, host: &mut Host) -> Self {
        host.deliver(1, &commit(&[put("\"first\"", "0")]));
        host.acknowledged(1);
        sandbox.redis.await_stream(1);
        Self::writing(sandbox, "one")
    }

    /// Starts it and waits until it writes.
    pub fn writing(sandbox: &Sandbox, consumer: &str) -> Self {
        let mut apply = Self::start(sandbox, consumer);
        apply.state("applying");
        apply
    }

    /// The next thing it says under this name; what comes before is dropped.
    pub fn says(&mut self, name: &str) -> Value {
        self.says_where(name, |_| true)
    }

    /// Waits for a state.
    pub fn state(&mut self, state: &str) -> Value {
        self.says_where("state", |details| details["state"] == state)
    }

    /// Waits for a trouble of this name.
    pub fn trouble(&mut self, state: &str) -> Value {
        let trouble = self.says_where("trouble", |details| details["state"] == state);
        assert!(trouble["fix"].as_str().is_some_and(|fix| !fix.is_empty()));
        trouble
    }

    pub fn says_where(&mut self, name: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.said.pop_front().unwrap_or_else(|| {
                let patience = deadline.saturating_duration_since(Instant::now());
                self.lines
                    .recv_timeout(patience)
                    .unwrap_or_else(|error| panic!("it never said {name}: {error}"))
            });
            if line.get(name).is_some_and(&condition) {
                return line[name].clone();
            }
        }
    }

    /// All lines with this name that the test has not asked for yet.
    pub fn said(&mut self, name: &str) -> Vec<Value> {
        self.said.extend(self.lines.try_iter());
        self.said
            .iter()
            .filter_map(|line| line.get(name).cloned())
            .collect()
    }

    /// All lines that the test has not asked for yet, except those about single records.
    pub fn unread_lines(&mut self) -> Vec<&Value> {
        self.said.extend(self.lines.try_iter());
        self.said
            .iter()
            .filter(|line| line.get("applied").is_none())
            .collect()
    }

    /// The most memory that it has ever had, in MB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next());
        kilobytes.expect("a number").parse::<u64>().expect("a number") / 1024
    }

    /// Stops it in its tracks.
    pub fn pause(&self) {
        process::pause(self.child.id()).expect("it runs");
    }

    /// Lets it go on as if nothing had happened.
    pub fn resume(&self) {
        process::resume(self.child.id()).expect("it runs");
    }

    /// Kills it without warning.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Asks it to end.
    pub fn end(mut self) -> ExitStatus {
        self.ask_to_end();
        self.wait()
    }

    /// Asks it to end, without waiting for it.
    pub fn ask_to_end(&self) {
        process::ask_to_end(self.child.id()).expect("it runs");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("it has ended", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("ended")
    }
}

impl Drop for Apply {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
