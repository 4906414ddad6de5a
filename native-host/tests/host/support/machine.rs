//! Another machine, or another user: a home and journals of its own beside the servers of a
//! sandbox.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use super::{Host, Sandbox, hello, output};

/// A home with a configuration that names a sandbox's servers.
pub struct Machine {
    home: TempDir,
}

impl Machine {
    /// With no journal.
    pub fn beside(sandbox: &Sandbox) -> Self {
        let machine = Self {
            home: tempfile::tempdir().expect("a directory"),
        };
        let config = fs::read_to_string(sandbox.config_path()).expect("a file");
        let theirs = sandbox.journal_directory();
        let ours = machine.journal_directory();
        fs::create_dir(&ours).expect("made");
        let config = config.replace(theirs.to_str().expect("UTF-8"), ours.to_str().expect("UTF-8"));
        fs::write(machine.config_path(), config).expect("written");
        machine
    }

    /// With what the sandbox's journals hold now, as if the machine had been copied while it ran.
    pub fn copy_of(sandbox: &Sandbox) -> Self {
        let machine = Self::beside(sandbox);
        for entry in fs::read_dir(sandbox.journal_directory()).expect("a directory") {
            let path = entry.expect("an entry").path();
            // What SQLite shares between processes is made again from the log.
            if path.is_file() && path.extension().is_none_or(|extension| extension != "sqlite-shm") {
                let name = path.file_name().expect("a name");
                fs::copy(&path, machine.journal_directory().join(name)).expect("copied");
            }
        }
        machine
    }

    fn config_path(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    pub fn journal_directory(&self) -> PathBuf {
        self.home.path().join("journal")
    }

    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_idb-relay"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("IDB_RELAY_CONFIG", self.config_path());
        command
    }

    /// A host that waits a tenth of the usual time.
    pub fn hasty(&self) -> Host {
        let mut program = self.program();
        program.env("IDB_RELAY_PACE", "10");
        let mut host = Host::spawn(program);
        host.send(&hello(protocol::PROTOCOL_VERSION));
        let _hello = host.receive();
        host
    }

    /// What a command prints.
    pub fn print(&self, arguments: &[&str]) -> String {
        let output = output(self.program().args(arguments));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What `status` says of a sink of the only profile.
    pub fn sink(&self, name: &str) -> Value {
        let status: Value = serde_json::from_str(&self.print(&["status", "--json"])).expect("JSON");
        status["profiles"][0]["sinks"][name].clone()
    }
}
