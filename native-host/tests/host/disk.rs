//! A disk that is full, and has space again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use protocol::wire::host::{ErrorCode, FromHost, HostError};

use crate::support::{
    CONTEXT, Host, Sandbox,
    body::{commit, put},
    hello, host_delivery, until,
};

/// A small file system, as long as it is there.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount one; the reason is printed.
    pub fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("made");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=40m,mode=700", "tmpfs"])
            .arg(at)
            .output();
        match output {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr).into_owned();
                eprintln!("NOT TESTED: this user may mount no small file system: {reason}");
                None
            }
            Err(error) => {
                eprintln!("NOT TESTED: mount cannot be run: {error}");
                None
            }
        }
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the host that uses it may end after this.
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A delivery whose event takes about 20 KB.
fn large(sequence: u64) -> String {
    let value = format!(r#"{{"n":{sequence},"text":"{}"}}"#, "x".repeat(20_000));
    host_delivery(CONTEXT, sequence, &commit(&[put("1", &value)]))
}

/// The last acknowledgement before an error, and the error.
fn until_error(host: &mut Host) -> (u64, HostError) {
    let mut last = 0;
    loop {
        match host.receive() {
            FromHost::Acknowledged { sequence, .. } => last = sequence,
            FromHost::Error(error) => return (last, error),
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until all are in the stream, each once, and the last one in Memcached.
fn assert_all(sandbox: &Sandbox, last: u64) {
    let events = sandbox.redis.await_stream(usize::try_from(last).expect("fits"));
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["after"]["n"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    let name = sandbox.key("1");
    until("Memcached has the last one", || {
        sandbox
            .memcached
            .get(&name)
            .is_some_and(|value| value.starts_with(&format!(r#"{{"n":{last},"#)))
    });
}

#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox.journal_directory()) else {
        return;
    };
    fs::write(disk.ballast(), vec![0; 38 << 20]).expect("written");
    let mut host = Host::start(&sandbox);
    for sequence in 1..=200 {
        host.send(&large(sequence));
    }
    let (acknowledged, error) = until_error(&mut host);
    assert!(acknowledged < 200, "{acknowledged}");
    assert_eq!(error.code, ErrorCode::JournalFailed);
    assert!(error.message.contains("is full"), "{error:?}");
    assert!(error.fix.contains("Free some disk space"), "{error:?}");
    let doctor = String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(doctor.contains("PROBLEM  journal"), "{doctor}");
    // The host goes on by itself, without a message from the browser.
    fs::remove_file(disk.ballast()).expect("removed");
    host.acknowledged(200);
    assert_all(&sandbox, 200);

    // Killed while it is full: what it has acknowledged is there, what it has not comes again.
    fs::write(disk.ballast(), vec![0; 64 << 20]).expect_err("full");
    for sequence in 201..=220 {
        host.send(&large(sequence));
    }
    let (acknowledged, _) = until_error(&mut host);
    host.kill();
    let mut refused = Host::silent(&sandbox);
    refused.send(&hello(protocol::PROTOCOL_VERSION));
    let started = refused.receive();
    drop(refused);
    fs::remove_file(disk.ballast()).expect("removed");
    assert!(
        matches!(&started, FromHost::Error(error) if error.code == ErrorCode::JournalFailed)
            || matches!(started, FromHost::Hello(_)),
        "{started:?}"
    );
    let mut host = Host::start(&sandbox);
    for sequence in acknowledged.max(200) + 1..=220 {
        host.send(&large(sequence));
    }
    host.acknowledged(220);
    assert_all(&sandbox, 220);
    assert!(host.close().success());
}

/// For every user: no file of the host may grow beyond a limit, until it may.
#[test]
fn a_file_that_may_not_grow_is_named_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    // Ignored, so that the write fails instead of the process; both are inherited by the host. In
    // blocks of 512 bytes.
    let mut host = Host::run(
        &sandbox,
        &["sh", "-c", "trap '' XFSZ; ulimit -S -f 1200; exec \"$0\" \"$@\""],
    );
    host.send(&hello(protocol::PROTOCOL_VERSION));
    assert!(matches!(host.receive(), FromHost::Hello(_)));
    for sequence in 1..=100 {
        host.send(&large(sequence));
    }
    let (acknowledged, error) = until_error(&mut host);
    assert!(acknowledged < 100, "{acknowledged}");
    assert_eq!(error.code, ErrorCode::JournalFailed);
    assert!(error.fix.contains("tries again by itself"), "{error:?}");
    let raised = Command::new("prlimit")
        .args(["--pid", &host.id().to_string(), "--fsize=unlimited"])
        .status()
        .expect("prlimit of util-linux");
    assert!(raised.success());
    host.acknowledged(100);
    assert_all(&sandbox, 100);
    assert!(host.close().success());
}
