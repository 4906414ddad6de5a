//! `install`, `uninstall`, and what `doctor` makes of them, as a person uses them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{Sandbox, output};

const MANIFEST: &str = "dev.idb_relay.host.json";

/// The host manifest in a directory below the home.
fn manifest(sandbox: &Sandbox, directory: &str) -> PathBuf {
    sandbox.directory.path().join(directory).join(MANIFEST)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("written")).expect("JSON")
}

/// A file below the home, which a browser makes when it is started.
fn used(sandbox: &Sandbox, file: &str) {
    let path = sandbox.directory.path().join(file);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, "{}").expect("written");
}

/// What `doctor` says of browsers.
fn examined(output: &Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    let browsers = checks.iter().filter(|check| check["area"] == "browser");
    browsers.cloned().collect()
}

#[test]
fn install_writes_what_browsers_read() {
    let sandbox = Sandbox::new();
    let firefox = manifest(&sandbox, ".mozilla/native-messaging-hosts");
    let dry = sandbox.print(&["install", "--browser", "firefox", "--dry-run"]);
    assert!(dry.contains(firefox.to_str().expect("UTF-8")) && !firefox.exists());
    assert_eq!(dry.lines().count(), 1, "{dry}");
    let dry = sandbox.print(&["install", "--browser", "firefox", "--dry-run", "--verbose"]);
    assert!(
        dry.contains("\"allowed_extensions\"") && !firefox.exists(),
        "{dry}"
    );
    let refused = sandbox.run(&["install", "--browser", "firefox", "--verbose"]);
    assert_eq!(refused.status.code(), Some(2));

    let printed = sandbox.print(&["install", "--browser", "firefox"]);
    assert_eq!(printed, format!("Firefox: wrote {}\n", firefox.display()));
    let said = json(&firefox);
    assert_eq!(said["name"], "dev.idb_relay.host");
    assert_eq!(said["type"], "stdio");
    assert_eq!(said["allowed_extensions"][0], "idb-relay@idb-relay.dev");
    let program = said["path"].as_str().expect("a path");
    assert!(
        program.ends_with("idb-relay") && program.starts_with('/'),
        "{program}"
    );
    let printed = sandbox.print(&["install", "--browser", "firefox"]);
    assert!(printed.starts_with("Firefox: has it already"), "{printed}");

    // Without a name all that was written is taken back.
    let dry = sandbox.print(&["uninstall", "--dry-run"]);
    assert_eq!(dry, format!("Firefox: would remove {}\n", firefox.display()));
    assert!(firefox.exists());
    let printed = sandbox.print(&["uninstall"]);
    assert_eq!(printed, format!("Firefox: removed {}\n", firefox.display()));
    assert!(!firefox.exists());
    assert!(sandbox.print(&["uninstall"]).starts_with("no browser had a host"));
    let printed = sandbox.print(&["uninstall", "--browser", "opera"]);
    assert!(printed.starts_with("Opera: nothing at"), "{printed}");

    let profile = sandbox.directory.path().join("profile");
    let directory = profile.to_str().expect("UTF-8");
    sandbox.print(&["install", "--browser", "chromium", "--user-data-dir", directory]);
    let said = json(&profile.join("NativeMessagingHosts").join(MANIFEST));
    let origin = said["allowed_origins"][0].as_str().expect("an origin");
    assert!(
        origin.starts_with("chrome-extension://") && origin.len() == 19 + 32 + 1,
        "{origin}"
    );

    let unknown = sandbox.run(&["install", "--browser", "netscape"]);
    let text = String::from_utf8_lossy(&unknown.stderr);
    assert!(text.contains("chromium, edge") && text.contains("zen"), "{text}");
}

#[test]
fn install_serves_the_browsers_that_are_there() {
    let sandbox = Sandbox::new();
    used(&sandbox, ".config/vivaldi/Local State");
    used(&sandbox, ".var/app/org.mozilla.firefox/config/x");
    used(&sandbox, "snap/chromium/common/x");
    let printed = sandbox.print(&["install"]);
    let vivaldi = manifest(&sandbox, ".config/vivaldi/NativeMessagingHosts");
    assert!(printed.contains(&format!("Vivaldi: wrote {}\n", vivaldi.display())));
    assert!(printed.contains("Chromium (Snap): skipped:"), "{printed}");
    assert!(
        printed.contains("flatpak override --user --talk-name=org.freedesktop.Flatpak org.mozilla.firefox")
    );
    assert!(
        !printed.contains("Opera") && !printed.contains("LibreWolf"),
        "{printed}"
    );
    let hosts = ".var/app/org.mozilla.firefox/.mozilla/native-messaging-hosts";
    let wrapper = manifest(&sandbox, hosts).with_extension("sh");
    assert_eq!(
        json(&manifest(&sandbox, hosts))["path"],
        wrapper.to_str().expect("UTF-8")
    );

    let checks = examined(&sandbox.run(&["doctor", "--json"]));
    let of = |title: &str| {
        let begins = |check: &&Value| {
            check["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(title))
        };
        checks.iter().find(begins).expect("looked at")
    };
    assert_eq!(of("Vivaldi")["verdict"], "ok");
    let flatpak = of("Firefox (Flatpak)");
    assert!(flatpak["verdict"] == "note" && flatpak["fix"].as_str().expect("a fix").contains("override"));
    assert_eq!(of("Chromium (Snap)")["verdict"], "note");
    // Allowed as `flatpak override` does it.
    let overrides = ".local/share/flatpak/overrides/org.mozilla.firefox";
    used(&sandbox, overrides);
    let text = "[Session Bus Policy]\norg.freedesktop.Flatpak=talk\n";
    fs::write(sandbox.directory.path().join(overrides), text).expect("written");
    let checks = examined(&sandbox.run(&["doctor", "--json"]));
    let flatpak = checks.iter().find(|check| {
        check["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Firefox (Flatpak)"))
    });
    assert_eq!(flatpak.expect("looked at")["verdict"], "ok");

    sandbox.print(&["uninstall"]);
    assert!(!vivaldi.exists() && !wrapper.exists());
}

#[test]
fn install_goes_on_after_a_browser_that_cannot_be_served() {
    let sandbox = Sandbox::new();
    used(&sandbox, ".config/chromium/Local State");
    used(&sandbox, ".config/vivaldi/Local State");
    let foreign = manifest(&sandbox, ".config/chromium/NativeMessagingHosts");
    fs::create_dir_all(foreign.parent().expect("a directory")).expect("made");
    fs::write(
        &foreign,
        "{\"name\": \"dev.idb_relay.host\", \"path\": \"/bin/other\"}",
    )
    .expect("written");
    let output = sandbox.run(&["install"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        printed.contains("Chromium: failed:") && printed.contains("Vivaldi: wrote"),
        "{printed}"
    );
    assert!(
        text.contains("belongs to another program") && text.contains("fix: See"),
        "{text}"
    );
    // `install` again would fail again.
    let checks = examined(&sandbox.run(&["doctor", "--json"]));
    let chromium = checks.iter().find(|check| {
        check["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Chromium:"))
    });
    let fix = chromium.expect("looked at")["fix"].as_str().expect("a fix");
    assert!(fix.starts_with("See what it is for."), "{fix}");
}

#[test]
fn program_that_was_moved_is_noticed() {
    let sandbox = Sandbox::new();
    used(&sandbox, ".config/chromium/Local State");
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", sandbox.directory.path())
            .env("IDB_RELAY_CONFIG", sandbox.config_path())
            .args(arguments);
        output(&mut command)
    };
    let place = |name: &str| {
        let directory = sandbox.directory.path().join("Downloads").join(name);
        fs::create_dir_all(&directory).expect("made");
        directory.join("idb-relay")
    };
    let (old, new) = (place("idb-relay-1"), place("idb-relay-2"));
    fs::copy(env!("CARGO_BIN_EXE_idb-relay"), &old).expect("copied");
    assert!(run(&old, &["install", "--browser", "chromium"]).status.success());
    fs::rename(&old, &new).expect("moved");
    let chromium = |program: &Path| -> (String, String) {
        let checks = examined(&run(program, &["doctor", "--json"]));
        let found = checks.into_iter().find(|check| {
            let message = check["message"].as_str().expect("text");
            message.starts_with("Chromium:")
        });
        let check = found.expect("looked at");
        let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("message"))
    };
    let (verdict, message) = chromium(&new);
    assert_eq!(verdict, "problem");
    assert!(
        message.contains("was it moved?") && message.contains("idb-relay-2"),
        "{message}"
    );

    // The cure that lasts.
    let printed = run(&new, &["install", "--browser", "chromium", "--copy"]);
    let printed = String::from_utf8_lossy(&printed.stdout);
    let copy = sandbox.directory.path().join(".local/bin/idb-relay");
    assert!(
        printed.contains(&format!("copied this program to {}", copy.display())),
        "{printed}"
    );
    assert!(
        printed.contains("it started") && printed.contains("before"),
        "{printed}"
    );
    let (verdict, message) = chromium(&new);
    assert!(
        verdict == "note" && message.contains("not this program"),
        "{message}"
    );
    fs::remove_file(&new).expect("removed");
    assert_eq!(chromium(&copy).0, "ok");
    // An older copy is replaced, also by itself.
    assert!(
        run(&copy, &["install", "--browser", "chromium", "--copy"])
            .status
            .success()
    );
    assert!(run(&copy, &["uninstall", "--copy"]).status.success());
    let hosts = manifest(&sandbox, ".config/chromium/NativeMessagingHosts");
    assert!(!copy.exists() && !hosts.exists());
}
