//! The host for Windows, for real, under Wine: the registry, frames over pipes, the platform's
//! places.

use std::{fs, io::Write as _, path::Path};

use serde_json::Value;

use crate::support::{
    CONTEXT, Desk, ORIGIN, Sandbox, assert_stream,
    body::{commit, delete, put},
    host_delivery,
};

const HOST: &str = r"NativeMessagingHosts\dev.idb_relay.host";
const KEYS: [&str; 4] = [
    r"HKCU\Software\Google\Chrome",
    r"HKCU\Software\Chromium",
    r"HKCU\Software\Microsoft\Edge",
    r"HKCU\Software\Mozilla",
];

/// What `doctor` says of Google Chrome.
fn chrome(desk: &Desk<'_>) -> (String, String) {
    let report: Value = serde_json::from_slice(&desk.run(&["doctor", "--json"]).stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    let text = |check: &Value, field: &str| check[field].as_str().unwrap_or_default().to_owned();
    let found = checks
        .iter()
        .find(|check| text(check, "message").starts_with("Google Chrome"));
    let check = found.expect("looked at");
    (text(check, "verdict"), text(check, "message"))
}

#[test]
fn install_makes_registry_keys_and_uninstall_removes_them() {
    let sandbox = Sandbox::new();
    let desk = Desk::beside(&sandbox);
    let query = |key: &str| desk.exported(&format!(r"{key}\{HOST}"));
    let used = desk
        .home()
        .join("AppData/Local/Google/Chrome/User Data/Local State");
    fs::create_dir_all(used.parent().expect("a directory")).expect("made");
    fs::write(used, "{}").expect("written");
    let (verdict, message) = chrome(&desk);
    assert!(
        verdict == "problem" && message.ends_with("does not know this host"),
        "{message}"
    );

    // Only what is there.
    let printed = desk.print(&["install"]);
    assert!(printed.starts_with("Google Chrome: wrote HKCU"), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(query(KEYS[0]).is_some() && query(KEYS[1]).is_none());
    desk.print(&["install", "--browser", "all"]);
    let manifests = ["chromium", "chromium", "chromium", "firefox"]
        .map(|family| desk.directory().join(format!("dev.idb_relay.host.{family}.json")));
    for (key, manifest) in KEYS.iter().zip(&manifests) {
        let value = query(key).expect("a key");
        let path = Desk::windows(manifest).replace('\\', r"\\");
        assert!(value.contains(&format!("@=\"{path}\"")), "{value}");
        let said: Value = serde_json::from_slice(&fs::read(manifest).expect("written")).expect("JSON");
        let program = Desk::windows(&desk.directory().join("idb-relay.exe"));
        assert_eq!(said["path"], program.as_str());
    }
    assert_eq!(chrome(&desk).0, "ok");

    // A value of another type is named, and replaced.
    let key = format!(r"{}\{HOST}", KEYS[0]);
    desk.registry(&["add", &key, "/ve", "/t", "REG_DWORD", "/d", "7", "/f"])
        .expect("set");
    let (verdict, message) = chrome(&desk);
    assert!(
        verdict == "problem" && message.contains("is not a string"),
        "{message}"
    );
    let printed = desk.print(&["install", "--browser", "chrome"]);
    assert!(printed.contains("was not a string"), "{printed}");
    assert_eq!(chrome(&desk).0, "ok");

    // Windows has no place for one profile.
    let refused = desk.run(&["install", "--browser", "chrome", "--user-data-dir", "p"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in the registry alone"));

    // The copy is named from then on, and taken back as well.
    desk.print(&["install", "--copy", "--browser", "firefox"]);
    let programs = desk.home().join("AppData/Local/Programs/idb-relay");
    assert!(programs.join("idb-relay.exe").exists());
    assert!(
        query(KEYS[3])
            .expect("a key")
            .contains(r"AppData\\Local\\Programs\\idb-relay")
    );
    let printed = desk.print(&["uninstall", "--copy"]);
    assert!(printed.contains("Firefox: removed"), "{printed}");
    assert!(KEYS.iter().all(|key| query(key).is_none()));
    let left: Vec<_> = fs::read_dir(&programs).expect("a directory").collect();
    assert!(left.is_empty() && !manifests[0].exists(), "{left:?}");
    // Nor that beside the program, which no key named any more.
    assert!(!manifests[3].exists() && desk.print(&["uninstall"]).starts_with("no browser"));
}

#[test]
fn frames_over_pipes_reach_redis_and_memcached() {
    let sandbox = Sandbox::new();
    let desk = Desk::beside(&sandbox);
    let mut host = desk.host();
    // Line ends that a text mode would change, and more than a pipe holds at once.
    let long = format!("\"\\r\\n\u{1a}{}\"", "x".repeat(100_000)).replace('\u{1a}', "\\u001a");
    let delivery = host_delivery(
        CONTEXT,
        1,
        &commit(&[put("1", &long), put("\"\u{20ac}\"", "\"ü\"")]),
    );
    let mut frame = u32::try_from(delivery.len())
        .expect("small")
        .to_ne_bytes()
        .to_vec();
    frame.extend(delivery.as_bytes());
    // Inside of the length, and anywhere else.
    for piece in [
        &frame[..1],
        &frame[1..3],
        &frame[3..77],
        &frame[77..70_001],
        &frame[70_001..],
    ] {
        host.stdin().write_all(piece).expect("written");
        host.stdin().flush().expect("flushed");
    }
    host.acknowledged(1);
    sandbox.await_cached("1", Some(&long));
    sandbox.await_cached("\"\u{20ac}\"", Some("\"ü\""));
    // A length of 10 is a line end in a text mode.
    for sequence in 2..=40 {
        host.deliver(sequence, &commit(&[put("2", &sequence.to_string())]));
    }
    host.deliver(41, &commit(&[delete("\"\u{20ac}\"")]));
    host.acknowledged(41);
    sandbox.await_cached("2", Some("40"));
    sandbox.await_cached("\"\u{20ac}\"", None);
    assert_eq!(sandbox.redis.await_stream(42).len(), 42);
    // EOF.
    assert!(host.close().success());

    let journal = desk.home().join("AppData/Local/idb-relay/idb-relay/data/journal");
    let files: Vec<_> = fs::read_dir(&journal)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        files
            .iter()
            .any(|name| Path::new(name) == Path::new("profile-1.sqlite")),
        "{files:?}"
    );
    let status: Value = serde_json::from_str(&desk.print(&["status", "--json"])).expect("JSON");
    assert_eq!(status["profiles"][0]["running"], false);
    let report: Value = serde_json::from_slice(&desk.run(&["doctor", "--json"]).stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    let problems: Vec<_> = checks
        .iter()
        .filter(|check| check["verdict"] == "problem")
        .collect();
    assert!(problems.is_empty(), "{problems:?}");
    assert!(desk.print(&["ls"]).contains(ORIGIN));
    assert!(desk.run(&["verify"]).status.success());
}

#[test]
fn killed_host_goes_on_where_it_was() {
    let sandbox = Sandbox::new();
    let desk = Desk::beside(&sandbox);
    let mut host = desk.host();
    for sequence in 1..=20 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged(20);
    let status: Value = serde_json::from_str(&desk.print(&["status", "--json"])).expect("JSON");
    assert_eq!(status["profiles"][0]["running"], true);
    host.kill();
    let mut host = desk.host();
    // The browser repeats what it had no answer for, and goes on.
    for sequence in 11..=30 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged_past_requests(30);
    sandbox.await_cached("1", Some("30"));
    assert_stream(&sandbox, 1..=30);
    // While the host runs, other processes read its journal.
    let printed = desk.print(&["tail", "--no-follow", "-n", "100", "--json"]);
    assert_eq!(printed.lines().count(), 30, "{printed}");
    assert!(desk.print(&["status"]).contains("profile-1"));
    assert!(host.close().success());
}
