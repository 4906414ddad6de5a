//! A profile that Firefox has been started on once, to start copies of it.
//!
//! An empty profile costs 1.5 seconds of processor time more: Firefox compiles its own scripts,
//! makes a dozen databases and sets up what its extensions need. In the template this is done.
//!
//! **Invariant:** nothing of idb-relay's extension is in it. It is made with another extension,
//! which is gone before Firefox ends. What is left out below could tell a test of that run: its
//! session, its cache, its telemetry, its address book of extensions.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{super::Kind, Launch, PREFERENCES, Profile, install, launch};
use crate::{
    directories,
    process::Process,
    wait::{self, PATIENCE, Seen},
};

/// The extension that the template is made with. It uses what idb-relay's uses, so that Firefox has
/// compiled the scripts behind it.
const EXTENSION: &str = "template@idb-relay-tests.invalid";
const BACKGROUND: &str = "Promise.all([
    browser.storage.local.get(),
    browser.scripting.getRegisteredContentScripts(),
    browser.permissions.getAll(),
    browser.tabs.query({}),
]);";

/// What a copy does without: locks and ports of the run, what it visited and reported, and files
/// that name its directory.
const LEFT_OUT: [&str; 14] = [
    ".parentlock",
    "WebDriverBiDiServer.json",
    "bookmarkbackups",
    "cache2",
    "crashes",
    "datareporting",
    "lock",
    "minidumps",
    "pkcs11.txt",
    "sessionCheckpoints.json",
    "sessionstore-backups",
    "sessionstore.jsonlz4",
    "urlCache.bin",
    "user.js",
];

/// Preferences that name every extension that ever was in a profile.
const EXTENSIONS_EVER: &str = "\"extensions.webextensions.";

/// The file that says what a template was made from.
const ORIGIN: &str = "made-from";

/// Fills the directory of a profile. The first caller makes the template, for all later ones.
pub(crate) fn copy_to(profile: &Path) -> Result<()> {
    let template = template().context("cannot make the template of Firefox profiles")?;
    copy(&template.join("profile"), profile)
}

fn template() -> Result<PathBuf> {
    let target = directories::target_directory()?;
    let template = target.join("firefox-template");
    let made_from = origin()?;
    let is_current =
        || fs::read_to_string(template.join(ORIGIN)).is_ok_and(|made_before| made_before == made_from);
    // Other tests, in processes of their own, wait here until it is made.
    let lock = File::create(target.join("firefox-template.lock"))?;
    lock.lock()?;
    if !is_current() {
        let profile = make()?;
        if template.exists() {
            fs::remove_dir_all(&template)?;
        }
        copy(&profile.directory(), &template.join("profile"))?;
        // Written last: what was interrupted is made again.
        fs::write(template.join(ORIGIN), made_from)?;
    }
    Ok(template)
}

/// What a template depends on: the browser, its settings, and this file.
fn origin() -> Result<String> {
    let version = std::process::Command::new(Kind::Firefox.program())
        .arg("--version")
        .output()
        .context("cannot run Firefox")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    Ok(format!("{version}{PREFERENCES}{}", include_str!("template.rs")))
}

/// Starts Firefox on an empty profile, uses an extension and a page, and ends it.
fn make() -> Result<Profile> {
    let profile = Profile::empty(Kind::Firefox)?;
    let extension = profile.home().join("extension");
    fs::create_dir(&extension)?;
    let manifest = json!({
        "manifest_version": 3,
        "name": "template",
        "version": "1",
        "browser_specific_settings": {"gecko": {"id": EXTENSION}},
        "background": {"scripts": ["background.js"]},
        "permissions": ["nativeMessaging", "scripting", "storage", "webNavigation"],
        "host_permissions": ["http://localhost/*"],
    });
    fs::write(extension.join("manifest.json"), manifest.to_string())?;
    fs::write(extension.join("background.js"), BACKGROUND)?;

    let (mut process, mut rpc) = launch(&profile, &Launch::default())?;
    let installed = install(&mut rpc, &extension)?;
    let tab = rpc.call("browsingContext.create", json!({"type": "tab"}), None)?;
    let page = json!({"context": tab["context"], "url": "data:text/html,", "wait": "complete"});
    rpc.call("browsingContext.navigate", page, None)?;
    rpc.call("webExtension.uninstall", json!({"extension": installed}), None)?;
    rpc.call("browser.close", json!({}), None)?;
    // What it has compiled it writes as it ends.
    ended(&mut process)?;

    let preferences = profile.directory().join("prefs.js");
    let text = fs::read_to_string(&preferences)?;
    let kept = text.lines().filter(|line| !line.contains(EXTENSIONS_EVER));
    fs::write(&preferences, kept.collect::<Vec<_>>().join("\n"))?;
    Ok(profile)
}

fn ended(process: &mut Process) -> Result<()> {
    wait::until("Firefox to end", PATIENCE, || {
        Ok(match process.exit_status()? {
            Some(_) => Seen::Ready(()),
            None => Seen::Not("it runs".to_owned()),
        })
    })
}

/// Copies a directory, without what is [`LEFT_OUT`].
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let copied = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &copied)?;
        } else {
            fs::copy(entry.path(), &copied)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
