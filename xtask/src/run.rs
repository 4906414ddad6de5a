//! Running other programs so that a person sees what goes on.

use std::{
    env,
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

/// What was run so far and how long each took, for the table at the end of the tests.
static STEPS: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());

/// Notes how long something takes, from here to where this goes.
struct Step {
    name: String,
    began: Instant,
}

impl Step {
    fn begin(name: &str) -> Self {
        announce(name);
        Self {
            name: name.to_owned(),
            began: Instant::now(),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut steps = STEPS.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push((std::mem::take(&mut self.name), self.began.elapsed()));
    }
}

/// What was run so far, and how long each took.
pub fn steps() -> Vec<(String, Duration)> {
    STEPS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The cargo that runs us, at the top of the source tree.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Says what is being done.
pub fn announce(what: &str) {
    let (bold, plain) = if io::stderr().is_terminal() {
        ("\x1b[1;36m", "\x1b[0m")
    } else {
        ("", "")
    };
    eprintln!("{bold}▸ {what}{plain}");
}

/// Does something itself that takes a while.
pub fn step<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let _step = Step::begin(what);
    work()
}

/// Runs a program that shows its own progress.
pub fn visibly(what: &str, mut command: Command) -> Result<()> {
    let _step = Step::begin(what);
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(&command));
    Ok(())
}

/// Runs a program that shows its own progress; what it writes to its output.
pub fn read(what: &str, command: Command) -> Result<String> {
    let _step = Step::begin(what);
    output(command)
}

/// Runs a program; what it writes to its output.
pub fn output(mut command: Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    ensure!(
        output.status.success(),
        "{} failed ({})",
        shown(&command),
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("what {} writes is no text", shown(&command)))
}

/// Runs a program that has nothing to say unless it fails; the time it takes is shown meanwhile.
pub fn quietly(what: &str, mut command: Command) -> Result<()> {
    let _step = Step::begin(what);
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    let (done, ended) = mpsc::channel::<()>();
    let clock = thread::spawn(move || {
        let terminal = io::stderr().is_terminal();
        while terminal && ended.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {
            eprint!("\r  {} s", start.elapsed().as_secs());
            let _cosmetic = io::stderr().flush();
        }
        if terminal {
            eprint!("\r\x1b[K");
        }
    });
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    let status = child.wait()?;
    drop(done);
    let _cosmetic = clock.join();
    if !status.success() {
        bail!("{} failed ({status}):\n{said}", shown(&command));
    }
    Ok(())
}

/// Becomes another program: its exit status is ours, and Ctrl-C reaches it alone.
pub fn becoming(what: &str, mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    announce(what);
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", shown(&command)))
}

/// The command line as one would type it.
pub fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
