//! The program as a browser starts it.

use std::{
    io::Write as _,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use idb_relay::messaging::frame;
use protocol::wire::{
    host::{ErrorCode, FromHost, HostError},
    inspector::{Answer, Problem},
};
use test_servers::process;

use super::{PATIENCE, Sandbox, until};

/// The origin of the page that delivers.
pub const ORIGIN: &str = "http://localhost:8080";
/// The id of the document that delivers.
pub const CONTEXT: &str = "context-1";
/// The id of the browser profile.
const PROFILE: &str = "profile-1";

/// A running host. It is killed when this goes.
pub struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<FromHost>,
    /// The last `servers` message, kept for a caller that waited for another one.
    servers: Vec<Problem>,
}

impl Host {
    /// Starts the host without saying hello.
    pub fn silent(sandbox: &Sandbox) -> Self {
        Self::spawn(sandbox.program())
    }

    /// Starts the host, without saying hello, by the words of a command that takes the program's
    /// path and arguments.
    pub fn run(sandbox: &Sandbox, by: &[&str]) -> Self {
        let program = sandbox.program();
        let mut command = Command::new(by[0]);
        command.args(&by[1..]).arg(program.get_program());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        Self::spawn(command)
    }

    /// Starts the program of this command as a browser would.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .args(["chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh/"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut stdout = child.stdout.take().expect("piped");
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(Some(bytes)) = frame::read(&mut stdout, protocol::MAX_MESSAGE_FROM_HOST) {
                let message = serde_json::from_slice(&bytes).expect("a message");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            messages,
            servers: Vec::new(),
        }
    }

    /// Starts the host and exchanges hellos.
    pub fn start(sandbox: &Sandbox) -> Self {
        let mut host = Self::silent(sandbox);
        host.send(&hello(protocol::PROTOCOL_VERSION));
        match host.receive() {
            FromHost::Hello(hello) => assert_eq!(hello.origins, [ORIGIN]),
            other => panic!("no hello: {other:?}"),
        }
        host
    }

    /// One that waits a tenth of the usual time.
    pub fn hasty(sandbox: &Sandbox) -> Self {
        let mut program = sandbox.program();
        program.env("IDB_RELAY_PACE", "10");
        let mut host = Self::spawn(program);
        host.send(&hello(protocol::PROTOCOL_VERSION));
        let _hello = host.receive();
        host
    }

    /// One of a browser profile that waits a quarter of the usual time, as
    /// [`Apply::hasty`](super::Apply::hasty) does.
    pub fn hasty_of(sandbox: &Sandbox, profile: &str) -> Self {
        let mut program = sandbox.program();
        program.env("IDB_RELAY_PACE", "4");
        let mut host = Self::spawn(program);
        host.send(&hello_of(profile));
        let _hello = host.receive();
        host
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it do nothing until it is resumed.
    pub fn pause(&self) {
        process::pause(self.id()).expect("it runs");
    }

    pub fn resume(&self) {
        process::resume(self.id()).expect("it runs");
    }

    pub fn stdin(&mut self) -> &mut ChildStdin {
        self.stdin.as_mut().expect("open")
    }

    /// Sends a message; the host may have ended already.
    pub fn send(&mut self, message: &str) {
        let _ended = frame::write(self.stdin(), message.as_bytes(), usize::MAX);
    }

    /// Sends a delivery of the usual document.
    pub fn deliver(&mut self, sequence: u64, body: &str) {
        self.deliver_as(CONTEXT, sequence, body);
    }

    pub fn deliver_as(&mut self, context: &str, sequence: u64, body: &str) {
        self.send(&delivery(context, sequence, body));
    }

    /// The next message, but for those about servers.
    pub fn receive(&mut self) -> FromHost {
        self.await_message("a message", Some)
    }

    /// What `pick` makes of the first message that it takes; those before it are dropped, and so
    /// are those about servers. However many come, all of it takes [`PATIENCE`] at most.
    pub fn await_message<T>(&mut self, what: &str, mut pick: impl FnMut(FromHost) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let (mut dropped, mut errors) = (0, Vec::new());
        loop {
            let patience = deadline.saturating_duration_since(Instant::now());
            let message = match self.messages.recv_timeout(patience) {
                Ok(message) if !patience.is_zero() => message,
                other => {
                    let end = match other {
                        Err(RecvTimeoutError::Disconnected) => "the host has ended".to_owned(),
                        _ => format!("{PATIENCE:?} passed"),
                    };
                    panic!("{end} before {what} came; {dropped} other messages did, and errors {errors:?}")
                }
            };
            match message {
                FromHost::Servers { problems } => self.servers = problems,
                message => {
                    if let FromHost::Error(error) = &message {
                        errors.push(error.message.clone());
                    }
                    if let Some(picked) = pick(message) {
                        return picked;
                    }
                }
            }
            dropped += 1;
        }
    }

    /// What it has said last of servers by now.
    pub fn servers(&mut self) -> &[Problem] {
        while let Ok(message) = self.messages.try_recv() {
            if let FromHost::Servers { problems } = message {
                self.servers = problems;
            }
        }
        &self.servers
    }

    /// The next message, if one comes in this time; an error once the host has closed its output.
    pub fn receive_within(&mut self, patience: Duration) -> Result<Option<FromHost>, RecvTimeoutError> {
        match self.messages.recv_timeout(patience) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(ended) => Err(ended),
        }
    }

    /// Waits until the usual document's deliveries up to this one are acknowledged.
    pub fn acknowledged(&mut self, sequence: u64) {
        self.acknowledged_as(CONTEXT, sequence);
    }

    pub fn acknowledged_as(&mut self, context: &str, sequence: u64) {
        self.acknowledged_past(context, sequence, |_| false);
    }

    /// The same where the host may ask, at its own time, for everything to be read.
    pub fn acknowledged_past_requests(&mut self, sequence: u64) {
        self.acknowledged_past(CONTEXT, sequence, |message| {
            matches!(message, FromHost::Snapshot { .. })
        });
    }

    /// The limit measures lack of progress: many deliveries may take longer on a busy machine.
    fn acknowledged_past(&mut self, context: &str, sequence: u64, is_dropped: impl Fn(&FromHost) -> bool) {
        let mut reached = 0;
        while reached < sequence {
            let what = format!("the acknowledgement of {context}'s delivery {sequence}, after {reached}");
            reached = self.await_message(&what, |message| match message {
                message if is_dropped(&message) => None,
                FromHost::Acknowledged {
                    context: of,
                    sequence: last,
                } if of == context => {
                    assert!(last <= sequence, "{last} was never sent");
                    Some(last).filter(|last| *last > reached)
                }
                FromHost::Acknowledged { .. } => None,
                other => panic!("{other:?} came instead of {what}"),
            });
        }
    }

    /// Waits for an error and returns it; other messages before it are dropped.
    pub fn error(&mut self, code: ErrorCode) -> HostError {
        let error = self.await_message(&format!("the error {code:?}"), |message| match message {
            FromHost::Error(error) => Some(error),
            _ => None,
        });
        assert_eq!(error.code, code, "{error:?}");
        assert!(!error.message.is_empty() && !error.fix.is_empty(), "{error:?}");
        error
    }

    /// Waits for a message of the host's own accord that is no acknowledgement.
    pub fn request(&mut self) -> FromHost {
        self.await_message("a request", |message| match message {
            FromHost::Acknowledged { .. } | FromHost::Error(_) => None,
            other => Some(other),
        })
    }

    /// Asks a question of an inspector.
    pub fn ask(&mut self, id: u64, question: &str) {
        self.send(&format!(r#"{{"ask":{{"id":{id},"question":{question}}}}}"#));
    }

    /// Waits for the next answer; acknowledgements before it are dropped.
    pub fn answer(&mut self) -> Answer {
        self.await_message("an answer to an inspector's question", |message| match message {
            FromHost::Answer(answer) => Some(answer),
            FromHost::Acknowledged { .. } => None,
            other => panic!("{other:?} came instead of an answer"),
        })
    }

    /// Closes stdin, as a browser does.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Closes stdin and waits for the end.
    pub fn close(mut self) -> ExitStatus {
        self.close_stdin();
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the host has ended", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("ended")
    }

    /// Kills it without warning.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The hello of another browser profile.
pub fn hello_of(profile: &str) -> String {
    hello(protocol::PROTOCOL_VERSION).replace(PROFILE, profile)
}

pub fn hello(protocol: u32) -> String {
    format!(
        r#"{{"hello":{{"protocol":{protocol},"version":"0.1.0","browser":"chromium/156","profile":"{PROFILE}"}}}}"#
    )
}

pub fn delivery(context: &str, sequence: u64, body: &str) -> String {
    format!(
        r#"{{"delivery":{{"context":"{context}","sequence":{sequence},"page":{{"origin":"{ORIGIN}","tab":1,"frame":0}},"body":{body}}}}}"#
    )
}

/// Writes many deliveries without waiting for anything.
pub fn pour(stdin: &mut ChildStdin, deliveries: impl Iterator<Item = String>) {
    let mut bytes = Vec::new();
    for delivery in deliveries {
        frame::write(&mut bytes, delivery.as_bytes(), usize::MAX).expect("fits");
        if bytes.len() > 1 << 18 {
            stdin.write_all(&bytes).expect("written");
            bytes.clear();
        }
    }
    stdin.write_all(&bytes).expect("written");
}
