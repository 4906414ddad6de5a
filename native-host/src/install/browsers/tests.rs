//! The tables of all systems, on any: with a made-up root, home and registry.

use super::*;
use crate::install::registry::Hive;
use crate::install::testing::{Machine, slashes};

const SYSTEMS: [System; 3] = [System::Xdg, System::Apple, System::Windows];

fn titles(browsers: &[Browser]) -> Vec<&str> {
    browsers.iter().map(|browser| browser.title.as_str()).collect()
}

/// The browser of this title.
fn titled(system: System, title: &str) -> Browser {
    let all = all(system).expect("a list");
    all.into_iter().find(|one| one.title == title).expect("listed")
}

fn directories(system: System, title: &str, scope: &Scope) -> Vec<String> {
    let machine = Machine::new(system);
    let found = titled(system, title).directories(scope, &machine.surroundings());
    let found = found.expect("places");
    found.iter().map(|path| slashes(&machine.below(path))).collect()
}

#[test]
fn list_has_each_browser_on_each_system() {
    let common = [
        "brave",
        "brave-beta",
        "chrome",
        "chrome-beta",
        "chrome-canary",
        "chrome-dev",
        "chromium",
        "edge",
        "edge-beta",
        "edge-dev",
        "firefox",
        "firefox-developer",
        "librewolf",
        "opera",
        "vivaldi",
        "waterfox",
        "zen",
    ];
    for system in SYSTEMS {
        let mut names: Vec<_> = all(system)
            .expect("a list")
            .into_iter()
            .map(|one| one.name)
            .collect();
        names.dedup();
        let own = if system == System::Xdg {
            "firefox-esr"
        } else {
            "arc"
        };
        let mut wanted = [&common[..], &[own]].concat();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "{system:?}");
    }
}

#[test]
fn each_place_can_be_resolved() {
    for system in SYSTEMS {
        let machine = Machine::new(system);
        for browser in all(system).expect("a list") {
            let mut places = 0;
            for scope in [Scope::User, Scope::System, Scope::Directory("/profile".into())] {
                let found = browser.directories(&scope, &machine.surroundings());
                places += found.expect("places").len();
            }
            let has_key = matches!(browser.package, Package::Windows(_));
            let cannot = browser.cannot().is_some();
            assert_eq!(places > 0, !has_key && !cannot, "{}", browser.title);
        }
    }
}

#[test]
fn firefox_of_lib64_is_served_there_too() {
    let machine = Machine::new(System::Xdg);
    let found = |title| {
        let found = titled(System::Xdg, title).directories(&Scope::System, &machine.surroundings());
        let found = found.expect("places");
        let found: Vec<_> = found.iter().map(|path| slashes(&machine.below(path))).collect();
        found
    };
    let own = "usr/lib/mozilla/native-messaging-hosts";
    assert_eq!(found("Firefox"), [own]);
    machine.directory("usr/lib64/firefox");
    assert_eq!(
        found("Firefox"),
        [own, "usr/lib64/mozilla/native-messaging-hosts"]
    );
    assert_eq!(found("LibreWolf"), ["usr/lib/librewolf/native-messaging-hosts"]);
    // What an `install` has made is found again, also without the browser.
    machine.directory("usr/lib64/librewolf/native-messaging-hosts");
    assert_eq!(found("LibreWolf").len(), 2);
}

#[test]
fn script_that_starts_a_snap_is_no_browser() {
    // As Ubuntu's package chromium-browser has it.
    const WRAPPER: &str = "#!/bin/sh\n\nif ! [ -x /snap/bin/chromium ]; then\n    exit 1\nfi\n\
        exec /snap/bin/chromium \"$@\"\n";
    let machine = Machine::new(System::Xdg);
    let presence = || titled(System::Xdg, "Chromium").presence(&machine.surroundings());
    let program = machine.file("bin/chromium-browser");
    let entry = machine.file("usr/share/applications/chromium-browser.desktop");
    assert_eq!(presence(), Presence::Installed);
    std::fs::write(&program, WRAPPER).expect("written");
    std::fs::write(&entry, "[Desktop Entry]\nExec=chromium-browser %U\n").expect("written");
    assert_eq!(presence(), Presence::Absent);
    // Debian's is a script, too.
    let own = "#!/bin/sh\n# Not /snap/bin/chromium.\nexec /usr/lib/chromium/chromium \"$@\"\n";
    std::fs::write(&program, own).expect("written");
    assert_eq!(presence(), Presence::Installed);
    std::fs::remove_file(&program).expect("removed");
    // A program that is elsewhere.
    assert_eq!(presence(), Presence::Installed);
    std::fs::write(&entry, "[Desktop Entry]\nExec=/snap/bin/chromium %U\n").expect("written");
    assert_eq!(presence(), Presence::Absent);
}

#[test]
fn linux_directories_are_those_of_the_vendors() {
    let user = |title| directories(System::Xdg, title, &Scope::User);
    let hosts = "home/.config/google-chrome/NativeMessagingHosts";
    assert_eq!(user("Google Chrome"), [hosts]);
    assert_eq!(user("Opera"), ["home/.config/opera/NativeMessagingHosts", hosts]);
    assert_eq!(user("Firefox"), ["home/.mozilla/native-messaging-hosts"]);
    assert_eq!(user("Zen"), user("Firefox"));
    assert_eq!(user("Firefox (Snap)"), user("Firefox"));
    assert_eq!(user("LibreWolf"), ["home/.librewolf/native-messaging-hosts"]);
    assert_eq!(
        user("Chromium (Flatpak)"),
        ["home/.var/app/org.chromium.Chromium/config/chromium/NativeMessagingHosts"]
    );
    assert_eq!(
        directories(System::Xdg, "Microsoft Edge Dev", &Scope::System),
        ["etc/opt/edge/native-messaging-hosts"]
    );
    let below = Scope::Directory("/profile".into());
    let machine = Machine::new(System::Xdg);
    let below = |title| titled(System::Xdg, title).directories(&below, &machine.surroundings());
    let below = |title| below(title).expect("places");
    assert_eq!(below("Chromium"), [Path::new("/profile/NativeMessagingHosts")]);
    assert_eq!(
        below("Firefox"),
        [Path::new("/profile/.mozilla/native-messaging-hosts")]
    );
}

#[test]
fn macos_directories_are_those_of_the_vendors() {
    let user = |title| directories(System::Apple, title, &Scope::User);
    let support = |rest: &str| format!("home/Library/Application Support/{rest}/NativeMessagingHosts");
    assert_eq!(user("Google Chrome Canary"), [support("Google/Chrome Canary")]);
    assert_eq!(user("Microsoft Edge"), [support("Microsoft Edge")]);
    assert_eq!(user("Arc"), [support("Arc/User Data")]);
    assert_eq!(
        user("Brave"),
        [support("BraveSoftware/Brave-Browser"), support("Google/Chrome")]
    );
    assert_eq!(user("Firefox Developer Edition"), [support("Mozilla")]);
    assert_eq!(
        directories(System::Apple, "Google Chrome", &Scope::System),
        ["Library/Google/Chrome/NativeMessagingHosts"]
    );
}

#[test]
fn windows_browsers_read_four_keys() {
    let mut keys: Vec<_> = all(System::Windows)
        .expect("a list")
        .into_iter()
        .filter_map(|browser| match browser.package {
            Package::Windows(windows) => Some(windows.key),
            _ => None,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(
        keys,
        [
            r"Software\Chromium\NativeMessagingHosts",
            r"Software\Google\Chrome\NativeMessagingHosts",
            r"Software\Microsoft\Edge\NativeMessagingHosts",
            r"Software\Mozilla\NativeMessagingHosts",
        ]
    );
}

#[test]
fn browser_is_found_before_its_first_start() {
    let found = |machine: &Machine| -> Vec<String> {
        let surroundings = machine.surroundings();
        let found = chosen(None, &Scope::User, &surroundings).unwrap_or_default();
        for browser in &found {
            assert_eq!(browser.presence(&surroundings), Presence::Installed);
        }
        found.into_iter().map(|browser| browser.title).collect()
    };
    let linux = Machine::new(System::Xdg);
    assert!(matches!(
        chosen(None, &Scope::User, &linux.surroundings()),
        Err(InstallError::NoBrowser)
    ));
    linux.file("bin/vivaldi-stable");
    linux.file("usr/share/applications/microsoft-edge.desktop");
    linux.directory("var/lib/flatpak/app/com.brave.Browser");
    linux.directory("snap/chromium");
    assert_eq!(
        found(&linux),
        ["Brave (Flatpak)", "Chromium (Snap)", "Microsoft Edge", "Vivaldi"]
    );

    let macos = Machine::new(System::Apple);
    macos.directory("Applications/Arc.app");
    macos.directory("home/Applications/Firefox Developer Edition.app");
    assert_eq!(found(&macos), ["Arc", "Firefox Developer Edition"]);

    let windows = Machine::new(System::Windows);
    windows.file("programs32/Microsoft/Edge/Application/msedge.exe");
    windows.file("local/Google/Chrome SxS/Application/chrome.exe");
    windows.set(Hive::Machine, r"Software\Mozilla\Mozilla Firefox", "");
    assert_eq!(
        found(&windows),
        ["Google Chrome Canary", "Microsoft Edge", "Firefox"]
    );
}

#[test]
fn browser_counts_as_used_once_it_was_started() {
    for (system, title, file) in [
        (System::Xdg, "Chromium", "home/.config/chromium/Local State"),
        (
            System::Xdg,
            "Firefox",
            "home/.config/mozilla/firefox/profiles.ini",
        ),
        (
            System::Apple,
            "Firefox",
            "home/Library/Application Support/Firefox/profiles.ini",
        ),
        (
            System::Windows,
            "Brave",
            "local/BraveSoftware/Brave-Browser/User Data/Local State",
        ),
        (System::Windows, "Zen", "roaming/zen/profiles.ini"),
        (
            System::Xdg,
            "Firefox (Flatpak)",
            "home/.var/app/org.mozilla.firefox/x",
        ),
        (System::Xdg, "Firefox (Snap)", "home/snap/firefox/common/x"),
    ] {
        let machine = Machine::new(system);
        assert_eq!(
            titled(system, title).presence(&machine.surroundings()),
            Presence::Absent
        );
        machine.file(file);
        let browser = titled(system, title);
        assert_eq!(
            browser.presence(&machine.surroundings()),
            Presence::Used,
            "{title}"
        );
    }
}

#[test]
fn manifests_alone_do_not_make_a_browser() {
    let machine = Machine::new(System::Xdg);
    machine.file("home/.config/chromium/NativeMessagingHosts/another.json");
    machine.file("home/.mozilla/native-messaging-hosts/another.json");
    assert!(matches!(
        chosen(None, &Scope::User, &machine.surroundings()),
        Err(InstallError::NoBrowser)
    ));
}

#[test]
fn named_browser_is_served_as_it_comes() {
    let machine = Machine::new(System::Xdg);
    let of = |name| chosen(Some(name), &Scope::User, &machine.surroundings()).expect("known");
    assert_eq!(titles(&of("firefox")), ["Firefox"]);
    assert!(of("all").iter().all(|browser| !browser.is_sandboxed()));
    machine.directory("home/.var/app/org.mozilla.firefox");
    assert_eq!(titles(&of("firefox")), ["Firefox (Flatpak)"]);
    // The Flatpak has no place for one profile, nor for everybody.
    for scope in [Scope::System, Scope::Directory("/profile".into())] {
        let found = chosen(Some("firefox"), &scope, &machine.surroundings()).expect("known");
        assert_eq!(titles(&found), ["Firefox"]);
        let none = chosen(None, &scope, &machine.surroundings());
        assert!(matches!(none, Err(InstallError::NoBrowser)));
    }
    machine.file("bin/firefox");
    assert_eq!(titles(&of("firefox")), ["Firefox", "Firefox (Flatpak)"]);
    assert!(matches!(
        chosen(Some("netscape"), &Scope::User, &machine.surroundings()),
        Err(InstallError::UnknownBrowser { .. })
    ));
}
