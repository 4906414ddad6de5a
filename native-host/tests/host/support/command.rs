//! Commands that are run to their end.

use std::{
    io::Read,
    process::{Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use super::PATIENCE;

/// How long a command may take. `verify` may itself wait that long for a host that fills a server.
const LIMIT: Duration = PATIENCE.saturating_mul(2);

/// Runs a command to its end, as [`Command::output`] does, but not for longer than [`LIMIT`].
pub fn output(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let deadline = Instant::now() + LIMIT;
    let [stdout, stderr] = [stdout, stderr].map(|collected| {
        let patience = deadline.saturating_duration_since(Instant::now());
        collected.recv_timeout(patience)
    });
    if stdout.is_err() || stderr.is_err() {
        let _ended = child.kill();
    }
    let status = child.wait().expect("a child");
    let whole = |bytes: Result<Vec<u8>, RecvTimeoutError>| {
        bytes.unwrap_or_else(|_| panic!("{command:?} had not ended after {LIMIT:?}"))
    };
    Output {
        status,
        stdout: whole(stdout),
        stderr: whole(stderr),
    }
}

/// All that comes, once it has come.
fn collect(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, collected) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("read");
        // Its reader may have given up.
        let _unread = sender.send(bytes);
    });
    collected
}
