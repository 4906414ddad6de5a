//! The host for Windows, under Wine, beside the servers of a sandbox.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{Host, Sandbox, hello, output};

/// Debian's package puts no link into `PATH`.
const WINE: [&str; 3] = ["/usr/lib/wine/wine64", "/usr/bin/wine64", "/usr/bin/wine"];

/// Where Wine's own libraries are.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows",
    "/usr/lib/wine/x86_64-windows",
];

/// A made-up Windows with one user.
pub struct Desk<'a> {
    pub sandbox: &'a Sandbox,
    wine: &'static str,
    /// The program, in a directory whose name has a space and letters that are not ASCII.
    program: PathBuf,
}

impl<'a> Desk<'a> {
    /// With a configuration at the platform's place, in the platform's line ends.
    pub fn beside(sandbox: &'a Sandbox) -> Self {
        let find = |paths: &[&'static str]| paths.iter().copied().find(|path| Path::new(path).exists());
        let cure = "run `cargo xtask test windows`, which installs Wine and builds the host for Windows";
        let wine = find(&WINE).unwrap_or_else(|| panic!("Wine is not here: {cure}"));
        let libraries = find(&LIBRARIES).unwrap_or_else(|| panic!("Wine's libraries are not here: {cure}"));
        let build = Path::new(env!("CARGO_BIN_EXE_idb-relay"))
            .ancestors()
            .nth(2)
            .expect("the target directory")
            .join("x86_64-pc-windows-gnu/debug");
        let directory = sandbox.directory.path().join("Programme für Zoë");
        fs::create_dir(&directory).expect("made");
        for name in ["idb-relay.exe", "bcryptprimitives.dll"] {
            let file = build.join(name);
            assert!(file.exists(), "there is no {}: {cure}", file.display());
            symlink(file, directory.join(name)).expect("a link");
        }
        // A prefix that Wine fills itself takes ten seconds and 700 MB.
        let desk = Self {
            sandbox,
            wine,
            program: directory.join("idb-relay.exe"),
        };
        let windows = desk.prefix().join("drive_c/windows");
        fs::create_dir_all(&windows).expect("made");
        symlink(libraries, windows.join("system32")).expect("a link");
        fs::write(desk.prefix().join(".update-timestamp"), "disable").expect("written");
        // Makes the user.
        desk.print(&["--version"]);
        let config = fs::read_to_string(sandbox.config_path()).expect("a file");
        let journal = format!("directory = \"{}\"\n", sandbox.journal_directory().display());
        assert!(config.contains(&journal), "{config}");
        let config = config.replace(&journal, "").replace('\n', "\r\n");
        let path = desk
            .home()
            .join("AppData/Roaming/idb-relay/idb-relay/config/config.toml");
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, config).expect("written");
        desk
    }

    fn prefix(&self) -> PathBuf {
        self.sandbox.directory.path().join("wine")
    }

    /// The user's directory, as Linux sees it.
    pub fn home(&self) -> PathBuf {
        let users = fs::read_dir(self.prefix().join("drive_c/users")).expect("users");
        let mut users = users.map(|entry| entry.expect("an entry").path());
        users.find(|path| !path.ends_with("Public")).expect("a user")
    }

    /// The directory of the program, as Linux sees it.
    pub fn directory(&self) -> &Path {
        self.program.parent().expect("a directory")
    }

    /// What Windows calls a path of Linux.
    pub fn windows(path: &Path) -> String {
        format!("Z:{}", path.display().to_string().replace('/', "\\"))
    }

    /// A program of Windows.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(self.wine);
        command
            .env_clear()
            .env("HOME", self.sandbox.directory.path())
            .env("LANG", "C.UTF-8")
            .env("WINEPREFIX", self.prefix())
            .env("WINEDEBUG", "-all")
            .arg(program);
        command
    }

    /// Runs a command of the host to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        output(self.command(&self.program).args(arguments))
    }

    /// What a command prints; it must succeed.
    pub fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Windows's own tool for the registry; `None`: it failed, as it does on keys that are not
    /// there.
    pub fn registry(&self, arguments: &[&str]) -> Option<String> {
        let output = output(self.command(Path::new("reg.exe")).args(arguments));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(printed)
    }

    /// A key as Windows's own tool exports it, if it is there: `@="the default value"`.
    pub fn exported(&self, key: &str) -> Option<String> {
        let file = self.sandbox.directory.path().join("exported.reg");
        // What it prints instead is in the code page of a console.
        self.registry(&["export", key, &Self::windows(&file), "/y"])?;
        let bytes = fs::read(&file).expect("exported");
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        Some(String::from_utf16(&units).expect("UTF-16"))
    }

    /// Starts the host and exchanges hellos.
    pub fn host(&self) -> Host {
        let mut host = Host::spawn(self.command(&self.program));
        host.send(&hello(protocol::PROTOCOL_VERSION));
        let _hello = host.receive();
        host
    }
}
