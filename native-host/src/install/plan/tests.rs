//! Written, found as it is, replaced and taken back, on all systems with a made-up home.

use super::{super::browsers::all, *};
use crate::{directories::System, install::testing::Machine};

const CHROME: &str = r"Software\Google\Chrome\NativeMessagingHosts\dev.idb_relay.host";
const EDGE: &str = r"Software\Microsoft\Edge\NativeMessagingHosts\dev.idb_relay.host";

/// No key is gone already.
const NONE: BTreeSet<PathBuf> = BTreeSet::new();

fn plans(machine: &Machine, system: System, program: &Path) -> Vec<Plan> {
    let browsers: Vec<_> = all(system)
        .expect("a list")
        .into_iter()
        .filter(|browser| browser.cannot().is_none())
        .collect();
    plan(&browsers, &Scope::User, &machine.surroundings(), program).expect("plans")
}

fn of<'a>(plans: &'a [Plan], title: &str) -> &'a Plan {
    plans.iter().find(|plan| plan.browser == title).expect("planned")
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn everything_written_is_taken_back() {
    for system in [System::Xdg, System::Apple, System::Windows] {
        let machine = Machine::new(system);
        let registry = machine.surroundings().registry;
        let program = machine.file("programs of mine/idb-relay");
        let before = files(&machine.path(""));
        let plans = plans(&machine, system, &program);
        for plan in &plans {
            plan.write(&*registry).expect("written");
        }
        let written = files(&machine.path(""));
        assert!(written.len() > before.len(), "{system:?}");
        // Again: nothing changes.
        for plan in &plans {
            assert_eq!(plan.write(&*registry).expect("written"), Outcome::default());
        }
        assert_eq!(files(&machine.path("")), written);
        for plan in &plans {
            let said = plan.remove(&*registry, &plans, &NONE, false).expect("asked");
            assert_eq!(
                said,
                plan.remove(&*registry, &plans, &NONE, true).expect("removed")
            );
        }
        assert_eq!(files(&machine.path("")), before, "{system:?}");
        assert_eq!((machine.get(CHROME), machine.get(EDGE)), (None, None));
        for plan in &plans {
            assert_eq!(
                plan.remove(&*registry, &plans, &NONE, true).expect("removed"),
                Outcome::default()
            );
        }
    }
}

#[test]
fn windows_key_names_the_manifest_beside_the_program() {
    let machine = Machine::new(System::Windows);
    let registry = machine.surroundings().registry;
    let program = machine.file("home/idb-relay/idb-relay.exe");
    let plans = plans(&machine, System::Windows, &program);
    of(&plans, "Brave").write(&*registry).expect("written");
    of(&plans, "Microsoft Edge").write(&*registry).expect("written");
    let manifest = program.with_file_name("dev.idb_relay.host.chromium.json");
    let named = Some(Value::Text(manifest.to_str().expect("UTF-8").to_owned()));
    assert_eq!(
        (machine.get(CHROME), machine.get(EDGE)),
        (named.clone(), named.clone())
    );
    let said: Said = serde_json::from_slice(&fs::read(&manifest).expect("written")).expect("JSON");
    assert_eq!(said.path, program);
    // Edge's key still names the file.
    of(&plans, "Brave")
        .remove(&*registry, &plans, &NONE, true)
        .expect("removed");
    assert_eq!((machine.get(CHROME), machine.get(EDGE)), (None, named));
    assert!(manifest.exists());
    of(&plans, "Microsoft Edge")
        .remove(&*registry, &plans, &NONE, true)
        .expect("removed");
    assert!(!manifest.exists() && program.exists());
}

#[test]
fn moved_program_is_taken_back_from_its_old_place() {
    let machine = Machine::new(System::Windows);
    let registry = machine.surroundings().registry;
    let old = machine.file("Downloads/idb-relay-1/idb-relay.exe");
    let new = machine.file("Downloads/idb-relay-2/idb-relay.exe");
    let before = files(&machine.path(""));
    of(&plans(&machine, System::Windows, &old), "Zen")
        .write(&*registry)
        .expect("written");
    let plans = plans(&machine, System::Windows, &new);
    of(&plans, "Zen")
        .remove(&*registry, &plans, &NONE, true)
        .expect("removed");
    assert_eq!(files(&machine.path("")), before);
}

#[test]
fn key_of_another_type_is_replaced_but_not_removed() {
    let machine = Machine::new(System::Windows);
    let registry = machine.surroundings().registry;
    let program = machine.file("idb-relay.exe");
    let plans = plans(&machine, System::Windows, &program);
    let plan = of(&plans, "Google Chrome");
    machine.set_other(CHROME);
    let left = plan.remove(&*registry, &plans, &NONE, true).expect("left");
    assert!(
        left.changed.is_empty() && left.notes[0].contains("not a string"),
        "{left:?}"
    );
    let written = plan.write(&*registry).expect("written");
    assert!(written.notes[0].contains("was not a string"), "{written:?}");
    // Another program's manifest.
    machine.set(Hive::User, CHROME, r"C:\other\manifest.json");
    let left = plan.remove(&*registry, &plans, &NONE, true).expect("left");
    assert!(left.notes[0].contains(r"C:\other\manifest.json"), "{left:?}");
    assert!(machine.get(CHROME).is_some());
}

#[test]
fn key_without_permission_is_named() {
    let machine = Machine::new(System::Windows);
    let surroundings = machine.surroundings();
    let program = machine.file("idb-relay.exe");
    let browsers = all(System::Windows).expect("a list");
    let plans = plan(&browsers, &Scope::System, &surroundings, &program).expect("plans");
    let error = plans[0]
        .write(&*surroundings.registry)
        .expect_err("no permission");
    assert!(error.to_string().contains(r"HKLM\Software\"), "{error}");
    let profile = Scope::Directory("profile".into());
    let refused = plan(&browsers, &profile, &surroundings, &program);
    assert!(matches!(refused, Err(InstallError::NoPlace { .. })));
}

#[test]
fn foreign_manifest_is_neither_replaced_nor_removed() {
    let machine = Machine::new(System::Xdg);
    let registry = machine.surroundings().registry;
    let program = machine.file("bin/idb-relay");
    let plans = plans(&machine, System::Xdg, &program);
    let plan = of(&plans, "Chromium");
    let path = machine.file("home/.config/chromium/NativeMessagingHosts/dev.idb_relay.host.json");
    assert_eq!(plan.manifests[0].path, path);
    let foreign = r#"{"name":"dev.idb_relay.host","path":"/bin/other","allowed_origins":[]}"#;
    for (text, is_foreign) in [(foreign, true), ("[]", true), ("{\"name\": \"dev.", false)] {
        fs::write(&path, text).expect("written");
        let left = plan.remove(&*registry, &plans, &NONE, true).expect("left");
        assert!(left.changed.is_empty() && left.notes.len() == 1, "{left:?}");
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
        match plan.write(&*registry) {
            Err(InstallError::Foreign(named)) => assert!(is_foreign && named == path),
            // Half a manifest is of use to no browser.
            written => assert!(!is_foreign && written.expect("written").notes[0].contains("no manifest")),
        }
    }
    // Of an earlier place of this program.
    let older = manifest::host("chromium", Path::new("/old/idb-relay")).expect("a manifest");
    fs::write(&path, older).expect("written");
    let written = plan.write(&*registry).expect("written");
    assert!(written.notes[0].contains("/old/idb-relay"), "{written:?}");
}

#[test]
#[cfg(unix)]
fn link_in_the_place_is_replaced_but_not_removed() {
    let machine = Machine::new(System::Apple);
    let registry = machine.surroundings().registry;
    let program = machine.file("bin/idb-relay");
    let plans = plans(&machine, System::Apple, &program);
    let plan = of(&plans, "Vivaldi");
    let path = &plan.manifests[0].path;
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    let aim = machine.file("aim");
    // Also one that leads to exactly what is to be written.
    for text in ["precious", plan.manifests[0].content.as_str()] {
        fs::write(&aim, text).expect("written");
        std::os::unix::fs::symlink(&aim, path).expect("a link");
        let left = plan.remove(&*registry, &plans, &NONE, true).expect("left");
        assert!(left.notes[0].contains("is a link"), "{left:?}");
        plan.write(&*registry).expect("written");
        assert!(!is_link(path) && fs::read_to_string(&aim).expect("there") == text);
        plan.remove(&*registry, &plans, &NONE, true).expect("removed");
        assert!(!path.exists() && aim.exists());
    }
}

#[test]
#[cfg(unix)]
fn flatpak_starts_the_host_by_a_wrapper() {
    use std::process::Command;
    let machine = Machine::new(System::Xdg);
    let registry = machine.surroundings().registry;
    // A stand-in for the host: says what it was given.
    let program = machine.file("it's mine/idb-relay");
    write_new(&program, "#!/bin/sh\necho \"$@\"; cat\n", true).expect("written");
    let plans = plans(&machine, System::Xdg, &program);
    let plan = of(&plans, "Firefox (Flatpak)");
    assert_eq!(plan.flatpak.as_deref(), Some("org.mozilla.firefox"));
    plan.write(&*registry).expect("written");
    let wrapper = plan.manifests[0].wrapper.as_ref().expect("a wrapper");
    let said: Said =
        serde_json::from_slice(&fs::read(&plan.manifests[0].path).expect("written")).expect("JSON");
    assert_eq!(said.path, wrapper.path);
    // A stand-in for the program that leaves the sandbox: starts the given command.
    let bin = machine.file("bin/flatpak-spawn");
    write_new(
        &bin,
        "#!/bin/sh\n[ \"$1 $2\" = '--host --watch-bus' ] && shift 2 && exec \"$@\"\n",
        true,
    )
    .expect("written");
    let output = Command::new(&wrapper.path)
        .args(["a manifest.json", "id@x"])
        .env("PATH", format!("{}:/usr/bin:/bin", machine.path("bin").display()))
        .output()
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a manifest.json id@x\n");
    // Another's script in its place stays.
    fs::write(&wrapper.path, "#!/bin/sh\n").expect("written");
    plan.remove(&*registry, &plans, &NONE, true).expect("removed");
    assert!(wrapper.path.exists() && !plan.manifests[0].path.exists());
}

#[test]
fn foreign_manifest_leaves_the_wrapper_as_it_is() {
    let machine = Machine::new(System::Xdg);
    let registry = machine.surroundings().registry;
    let plans = plans(&machine, System::Xdg, &machine.file("bin/idb-relay"));
    let manifest = &of(&plans, "Firefox (Flatpak)").manifests[0];
    let wrapper = manifest.wrapper.as_ref().expect("a wrapper");
    let plan = of(&plans, "Firefox (Flatpak)");
    fs::create_dir_all(manifest.path.parent().expect("a directory")).expect("made");
    let old = manifest::wrapper(Path::new("/old/idb-relay")).expect("UTF-8");
    let is_left = || {
        assert_eq!(fs::read_to_string(&wrapper.path).expect("there"), old);
        assert!(manifest.path.exists());
    };
    fs::write(&manifest.path, "[]").expect("written");
    fs::write(&wrapper.path, &old).expect("written");
    let error = plan.write(&*registry).expect_err("refused");
    assert!(matches!(error, InstallError::Foreign(_)), "{error}");
    is_left();
    plan.remove(&*registry, &plans, &NONE, true).expect("left");
    is_left();
    // Ours again.
    fs::remove_file(&manifest.path).expect("removed");
    plan.write(&*registry).expect("written");
    let removed = plan.remove(&*registry, &plans, &NONE, true).expect("removed");
    assert_eq!(removed.changed, [manifest.path.clone(), wrapper.path.clone()]);
}

#[test]
fn foreign_wrapper_is_not_replaced() {
    let machine = Machine::new(System::Xdg);
    let registry = machine.surroundings().registry;
    let plans = plans(&machine, System::Xdg, &machine.file("bin/idb-relay"));
    let plan = of(&plans, "Firefox (Flatpak)");
    let wrapper = plan.manifests[0].wrapper.as_ref().expect("a wrapper");
    fs::create_dir_all(wrapper.path.parent().expect("a directory")).expect("made");
    fs::write(&wrapper.path, "#!/bin/sh\n").expect("written");
    let error = plan.write(&*registry).expect_err("refused");
    assert!(matches!(error, InstallError::ForeignWrapper(_)), "{error}");
    assert_eq!(fs::read_to_string(&wrapper.path).expect("there"), "#!/bin/sh\n");
    assert!(!plan.manifests[0].path.exists());
}

#[test]
fn manifest_stays_while_a_key_of_either_hive_names_it() {
    let machine = Machine::new(System::Windows);
    let registry = machine.surroundings().registry;
    let program = machine.file("idb-relay.exe");
    let plans = plans(&machine, System::Windows, &program);
    let chrome = of(&plans, "Google Chrome");
    let manifest = &chrome.manifests[0].path;
    // As an administrator, and as another way of writing it.
    let shouted = manifest.to_str().expect("UTF-8").to_uppercase();
    for (hive, key) in [(Hive::Machine, CHROME), (Hive::User, EDGE)] {
        chrome.write(&*registry).expect("written");
        machine.set(hive, key, &shouted);
        let gone = BTreeSet::from([PathBuf::from(key_name(hive, key))]);
        let said = chrome.remove(&*registry, &plans, &gone, false).expect("asked");
        assert!(said.changed.contains(manifest), "{said:?}");
        let said = chrome.remove(&*registry, &plans, &NONE, true).expect("removed");
        assert!(!said.changed.contains(manifest) && manifest.exists(), "{said:?}");
        assert_eq!(machine.get(CHROME), None);
        registry.delete(hive, key).expect("there");
    }
}

#[test]
fn key_stays_when_its_manifest_cannot_be_removed() {
    let machine = Machine::new(System::Windows);
    let registry = machine.surroundings().registry;
    let program = machine.file("idb-relay.exe");
    let plans = plans(&machine, System::Windows, &program);
    let plan = of(&plans, "Google Chrome");
    plan.write(&*registry).expect("written");
    let manifest = &plan.manifests[0].path;
    fs::write(manifest, "[]").expect("written");
    let left = plan.remove(&*registry, &plans, &NONE, true).expect("left");
    assert!(left.notes[0].contains("another program"), "{left:?}");
    assert!(machine.get(CHROME).is_some());
    // Not to be read.
    fs::remove_file(manifest).expect("removed");
    fs::create_dir(manifest).expect("made");
    plan.remove(&*registry, &plans, &NONE, true)
        .expect_err("it is a directory");
    assert!(machine.get(CHROME).is_some());
}
