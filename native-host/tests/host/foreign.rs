//! Text that a page, a server or a file made: no terminal and no log takes orders from it, and no
//! secret is in it.

use std::{fmt::Write as _, fs};

use serde_json::{Value, json};

use crate::support::{
    Host, ORIGIN, Sandbox,
    body::{commit, now, put},
    until,
};

/// A name that would set a terminal's title, clear it, and begin a line of its own; with marks that
/// turn directions, and one that has no width.
const NAME: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\nERROR forged \u{9b}31m\u{7f}\u{2028}\u{202e}\u{2066}\u{200b}";

/// Whether a character acts on a terminal, or is not seen.
fn acts(char: char) -> bool {
    char.is_control() || "\u{2028}\u{2029}\u{202e}\u{2066}\u{200b}".contains(char)
}

/// A commit of one record in a database and a store of that name.
fn commit_in(name: &str, key: &Value, value: &Value) -> String {
    let at = now();
    json!({"commit": {
        "database": name, "version": 1, "began_at": at, "committed_at": at,
        "operations": [{"put": {"store": name, "key": key, "value": value}}],
    }})
    .to_string()
}

#[test]
fn commands_print_foreign_names_as_numbers() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit_in(NAME, &json!(NAME), &json!({ NAME: NAME })));
    host.acknowledged(1);
    until("the sinks are up to date", || {
        let sinks = &crate::support::status(&sandbox)["profiles"][0]["sinks"];
        sinks["redis"]["state"] == "running" && sinks["memcached"]["behind"] == 0
    });
    for name in sandbox.memcached.keys() {
        sandbox.memcached.delete(&name);
    }
    let store = ["--origin", ORIGIN, "--database", NAME, "--store", NAME];
    let key = serde_json::to_string(NAME).expect("JSON");
    let record = [&store[..], &["--key", &key]].concat();
    let commands: Vec<Vec<&str>> = vec![
        vec!["ls"],
        vec!["ls", "--json"],
        [&["ls"], &store[..]].concat(),
        [&["ls", "--json"], &store[..]].concat(),
        [&["get"], &record[..]].concat(),
        [&["get", "--plain"], &record[..]].concat(),
        [&["get", "--json"], &record[..]].concat(),
        vec!["tail", "--no-follow"],
        vec!["tail", "--no-follow", "--json"],
        vec!["verify"],
        vec!["verify", "--json"],
        vec!["status"],
        vec!["status", "--json"],
        vec!["doctor"],
        vec!["resync"],
        // Errors repeat what was asked for.
        vec![
            "get",
            "--origin",
            ORIGIN,
            "--database",
            NAME,
            "--store",
            "\u{202e}",
            "--key",
            "1",
        ],
        vec!["resync", "--origin", NAME],
        vec!["tail", "--no-follow", "--profile", NAME],
        vec!["ls", "--profile", NAME],
    ];
    for command in commands {
        let output = sandbox.run(&command);
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8(text).expect("UTF-8");
            for line in text.lines() {
                // Between a key and a value stands a tab.
                let line = line.replace('\t', " ");
                assert!(!line.contains(acts), "{command:?} printed {line:?}");
                assert!(!line.starts_with("ERROR"), "{command:?} printed {line:?}");
            }
        }
    }
    // JSON reads as before.
    let listed: Value = serde_json::from_str(&sandbox.print(&["ls", "--json"])).expect("JSON");
    assert_eq!(
        (&listed["database"], &listed["store"]),
        (&json!(NAME), &json!(NAME))
    );
    let value: Value = serde_json::from_str(&sandbox.print(&[&["get"], &record[..]].concat())).expect("JSON");
    assert_eq!(value, json!({ NAME: NAME }));
    // For a program the name is the real one.
    let name = sandbox.print(&[&["key"], &record[..]].concat());
    assert!(name.contains('\u{202e}'), "{name:?}");
}

#[test]
fn names_that_begin_with_a_dash_can_be_asked_for() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit_in("-x", &json!(-1), &json!("found")));
    host.acknowledged(1);
    let printed = sandbox.print(&[
        "get",
        "--origin",
        ORIGIN,
        "--database=-x",
        "--store=-x",
        "--key=-1",
    ]);
    assert_eq!(printed, "\"found\"\n");
}

#[test]
fn no_log_and_no_message_tells_a_key_or_a_value() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let at = now();
    // Invalid keys, bodies of another form, invalid messages, and a reason of two lines.
    let bodies = [
        commit(&[put(r#"{"hunter2":"hunter2"}"#, "1")]),
        commit(&[put(r#"[1,{"$date":"hunter2"}]"#, "1")]),
        commit(&[r#"{"put":{"store":"orders","key":1,"value":1,"hunter2":1}}"#.to_owned()]),
        commit(&[r#"{"hunter2":{"store":"orders"}}"#.to_owned()]),
        format!(
            r#"{{"commit":{{"database":"shop","version":"hunter2","began_at":{at},"committed_at":{at},"operations":[]}}}}"#
        ),
        r#"{"snapshot":"hunter2"}"#.to_owned(),
        json!({"gap": {"reason": NAME, "stores": []}}).to_string(),
    ];
    for (body, sequence) in bodies.iter().zip(1..) {
        host.deliver(sequence, body);
    }
    host.send(r#"{"delivery":{"context":"hunter2","sequence":"hunter2"}}"#);
    host.send(r#"{"hunter2":"hunter2"}"#);
    host.send(r#"{"ask":{"id":7,"question":{"record":{"hunter2":1}}}}"#);
    let mut replies = String::new();
    // Unknown members are ignored, and the gap is valid.
    while replies.matches("MalformedDelivery").count() < 5
        || replies.matches("MalformedMessage").count() < 2
        || !replies.contains("MalformedQuestion")
    {
        writeln!(replies, "{:?}", host.receive()).expect("a text grows");
    }
    host.close();
    let log = fs::read_to_string(sandbox.log("idb-relay.log")).expect("a log");
    assert!(log.contains("was dropped"), "{log}");
    for text in [&replies, &log] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(
        log.contains("commits of http://localhost:8080 were lost"),
        "{log}"
    );
    for line in log.lines() {
        assert!(!line.contains(acts) && line.contains(" pid="), "{line:?}");
    }
}

#[test]
#[cfg(unix)]
fn doctor_notes_a_password_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let note = || {
        let output = sandbox.run(&["doctor", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checks = report["checks"].as_array().expect("checks").clone();
        checks
            .into_iter()
            .find(|check| check["fix"].as_str().is_some_and(|fix| fix.contains("chmod")))
    };
    let mode = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(sandbox.config_path(), permissions).expect("set");
    };
    mode(0o644);
    assert!(note().is_none(), "there is no password in it");
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    let login = "[memcached]\nuser = \"relay\"\npassword = \"s3cr3t-word\"";
    let in_url = config.replace("redis://", "redis://relay:s3cr3t-word@");
    let off = in_url.replace("[redis]", "[redis]\nenabled = false");
    let beside = config.replace("[memcached]", login);
    let both = in_url.replace("[memcached]", &format!("{login}\nmode = \"off\""));
    for (config, keys) in [
        (&in_url, "redis.url"),
        (&off, "redis.url"),
        (&beside, "memcached.password"),
        (&both, "redis.url and memcached.password"),
    ] {
        mode(0o644);
        sandbox.write_config(config);
        let found = note().unwrap_or_else(|| panic!("no note on {keys}"));
        assert_eq!(
            (&found["area"], &found["verdict"]),
            (&json!("configuration"), &json!("note"))
        );
        let message = found["message"].as_str().expect("text");
        assert!(message.contains(&format!(" of {keys},")), "{message}");
        let fix = found["fix"].as_str().expect("text");
        let path = sandbox.config_path().display().to_string();
        assert!(fix.contains(&format!("chmod 600 {path}")), "{fix}");
        assert!(!found.to_string().contains("s3cr3t"), "{found}");
        mode(0o640);
        assert!(note().is_some(), "its group can read it");
        mode(0o600);
        assert!(note().is_none());
    }
}

#[test]
#[cfg(unix)]
fn doctor_notes_a_journal_directory_that_others_can_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let directory = sandbox.journal_directory();
    fs::create_dir(&directory).expect("made");
    let note = |mode| {
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("set");
        String::from_utf8(sandbox.run(&["doctor"]).stdout)
            .expect("UTF-8")
            .contains("chmod go-w")
    };
    assert!(note(0o777) && note(0o720) && !note(0o755) && !note(0o700));
}

#[test]
#[cfg(unix)]
fn install_follows_no_link() {
    let sandbox = Sandbox::new();
    let directory = sandbox.directory.path().join("profile/NativeMessagingHosts");
    fs::create_dir_all(&directory).expect("made");
    let aim = sandbox.directory.path().join("aim");
    fs::write(&aim, "precious").expect("written");
    for name in ["dev.idb_relay.host.json", "dev.idb_relay.host.json.new"] {
        std::os::unix::fs::symlink(&aim, directory.join(name)).expect("a link");
    }
    let profile = sandbox.directory.path().join("profile");
    let profile = profile.to_str().expect("UTF-8");
    sandbox.print(&["install", "--browser", "chromium", "--user-data-dir", profile]);
    assert_eq!(fs::read_to_string(&aim).expect("there"), "precious");
    let manifest = directory.join("dev.idb_relay.host.json");
    assert!(fs::symlink_metadata(&manifest).expect("there").is_file());
    let left: Vec<_> = fs::read_dir(&directory).expect("a directory").collect();
    assert_eq!(left.len(), 2, "the manifest and the link: {left:?}");
}

#[test]
#[cfg(unix)]
fn program_in_directory_that_is_no_utf8_is_named() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, process::Command};
    let sandbox = Sandbox::new();
    let directory = sandbox.directory.path().join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&directory).expect("made");
    let program = directory.join("idb-relay");
    fs::copy(env!("CARGO_BIN_EXE_idb-relay"), &program).expect("copied");
    let profile = sandbox.directory.path().join(OsStr::from_bytes(b"profile-\xe9"));
    let used = sandbox.directory.path().join(".config/chromium");
    fs::create_dir_all(&used).expect("made");
    fs::write(used.join("Local State"), "{}").expect("written");
    let run = |program: &std::path::Path, arguments: &[&OsStr]| {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", sandbox.directory.path())
            .env("IDB_RELAY_CONFIG", sandbox.config_path())
            .args(arguments);
        command.output().expect("it runs")
    };
    let words = ["--browser", "chromium", "--user-data-dir"].map(OsStr::new);
    for name in ["install", "uninstall"] {
        let arguments = [&[OsStr::new(name)], &words[..], &[profile.as_os_str()]].concat();
        let output = run(&program, &arguments);
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("is not UTF-8") && text.contains("fix: Move"),
            "{text}"
        );
    }
    let output = run(&program, &[OsStr::new("doctor")]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.contains("is not UTF-8") && !text.contains("panicked"),
        "{text}"
    );
    // A browser's directory may have any name.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_idb-relay"));
    let arguments = [&[OsStr::new("install")], &words[..], &[profile.as_os_str()]].concat();
    assert!(run(program, &arguments).status.success());
    assert!(
        profile
            .join("NativeMessagingHosts/dev.idb_relay.host.json")
            .exists()
    );
}

#[test]
fn doctor_quotes_the_journal_in_its_command() {
    let sandbox = Sandbox::new();
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    let directory = sandbox.directory.path().join("journal; id");
    sandbox.write_config(&config.replace(
        sandbox.journal_directory().to_str().expect("UTF-8"),
        directory.to_str().expect("UTF-8"),
    ));
    let host = Host::start(&sandbox);
    assert!(host.close().success());
    let log = directory.join("profile-1.sqlite-wal");
    // Nothing of it is in the file, but it is long.
    fs::File::create(&log)
        .and_then(|log| log.set_len(200 << 20))
        .expect("made");
    let printed = String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8");
    let word = format!("`fuser -v '{}'`", directory.join("profile-1.sqlite").display());
    assert!(printed.contains(&word), "{printed}");
}
