//! Firefox over WebDriver BiDi.

mod template;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Driver, Key, Launch, Profile, rpc::Rpc};
use crate::{
    process::Process,
    wait::{self, PATIENCE, Seen},
};

pub(super) use template::copy_to as fill;

/// The extension's id, as `manifests/extension.firefox.json` has it.
const EXTENSION: &str = "idb-relay@idb-relay.dev";

/// Where the extension's pages are, as [`PREFERENCES`] has it.
pub(super) const ADDRESS: &str = "6f1f1a5e-2f0b-4b57-9a51-1d6b7a5e0c11";

/// Settings that a profile starts with. Firefox takes an extension that was loaded from a directory
/// away when it ends, so it is installed again at each start: its storage has to outlast that, and
/// its internal address has to stay the same, or the storage would not be found again (a killed
/// browser may not have saved the address it made up). Clocks tell all they know, for the
/// benchmarks.
const PREFERENCES: &str = r#"
user_pref("extensions.webextensions.keepStorageOnUninstall", true);
user_pref("extensions.webextensions.keepUuidOnUninstall", true);
user_pref("extensions.webextensions.uuids", "{\"idb-relay@idb-relay.dev\":\"6f1f1a5e-2f0b-4b57-9a51-1d6b7a5e0c11\"}");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.page", 0);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.sessionstore.resume_from_crash", false);
user_pref("browser.tabs.warnOnClose", false);
user_pref("toolkit.startup.max_resumed_crashes", -1);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("dom.disable_open_during_load", false);
user_pref("privacy.reduceTimerPrecision", false);
user_pref("privacy.userContext.enabled", true);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
"#;

/// By the manifest of a managed storage (MDN, "Native manifests").
pub(super) fn prescribe(profile: &Profile, policy: &Value) -> Result<()> {
    let directory = profile.home().join(".mozilla/managed-storage");
    fs::create_dir_all(&directory)?;
    let manifest = json!({"name": EXTENSION, "description": "A policy", "type": "storage", "data": policy});
    fs::write(directory.join(format!("{EXTENSION}.json")), manifest.to_string())?;
    Ok(())
}

/// The preferences of a profile beside [`PREFERENCES`].
fn further_preferences(profile: &Profile) -> PathBuf {
    profile.home().join("preferences.js")
}

pub(super) fn set_preference(profile: &Profile, name: &str, value: &Value) -> Result<()> {
    let file = further_preferences(profile);
    let before = fs::read_to_string(&file).unwrap_or_default();
    fs::write(file, format!("{before}user_pref({name:?}, {value});\n"))?;
    Ok(())
}

pub(super) fn start(profile: &Profile, how: &Launch) -> Result<(Process, Box<dyn Driver>)> {
    let (process, mut rpc) = launch(profile, how)?;
    if let Some(extension) = &how.extension {
        install(&mut rpc, extension)?;
    }
    Ok((process, Box::new(Firefox { rpc })))
}

/// Installs an unpacked extension until the browser ends; its id.
fn install(rpc: &mut Rpc, extension: &Path) -> Result<String> {
    let data = json!({"extensionData": {"type": "path", "path": extension}});
    let answer = rpc.call("webExtension.install", data, None)?;
    text(&answer, "extension")
}

/// Starts the browser and connects to it.
fn launch(profile: &Profile, launch: &Launch) -> Result<(Process, Rpc)> {
    let directory = profile.directory();
    let further = fs::read_to_string(further_preferences(profile)).unwrap_or_default();
    fs::write(directory.join("user.js"), format!("{PREFERENCES}{further}"))?;
    // Written by the browser once it listens; one left by a killed browser names a dead port.
    let port_file = directory.join("WebDriverBiDiServer.json");
    let _not_there = fs::remove_file(&port_file);

    let mut command = profile.command(launch);
    command
        // The second gives access to the browser's own scripts, see `registered_scripts`.
        .args(["--remote-debugging-port", "0", "--remote-allow-system-access"])
        .args(["--no-remote", "--profile"])
        .arg(&directory);
    if !launch.window {
        command.arg("--headless");
    }
    let mut process = Process::start("firefox", &command, &profile.log())?;
    let port = wait::until("Firefox's BiDi port", PATIENCE, || {
        process.must_live()?;
        let text = fs::read_to_string(&port_file).unwrap_or_default();
        let port = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|value| value["ws_port"].as_u64())
            .and_then(|port| u16::try_from(port).ok());
        Ok(match port {
            Some(port) => Seen::Ready(port),
            None => Seen::Not(format!("{} holds {text:?}", port_file.display())),
        })
    })?;
    let mut rpc = Rpc::connect(port, "/session")?;
    // A dialog that a test opens stays open until the test closes it.
    let prompts = json!({"default": "ignore"});
    rpc.call(
        "session.new",
        json!({"capabilities": {"alwaysMatch": {"unhandledPromptBehavior": prompts}}}),
        None,
    )?;
    rpc.call(
        "session.subscribe",
        json!({"events": ["browsingContext.userPromptOpened"]}),
        None,
    )?;
    Ok((process, rpc))
}

struct Firefox {
    rpc: Rpc,
}

impl Firefox {
    /// Evaluates in the browser's own window what follows on the extension.
    fn evaluate_of_extension(&mut self, rest: &str) -> Result<Value> {
        let extension = format!("WebExtensionPolicy.getByID('{EXTENSION}')?.extension");
        self.evaluate_in_window(&format!("{extension}{rest}"))
    }

    /// Evaluates something in the browser's own window.
    fn evaluate_in_window(&mut self, expression: &str) -> Result<Value> {
        let tree = self
            .rpc
            .call("browsingContext.getTree", json!({"moz:scope": "chrome"}), None)?;
        let window = text(&tree["contexts"][0], "context")?;
        self.evaluate_in(&window, expression)
    }

    fn tabs(&mut self) -> Result<Vec<String>> {
        let tree = self.rpc.call("browsingContext.getTree", json!({}), None)?;
        let tabs = tree["contexts"].as_array().into_iter().flatten();
        tabs.map(|tab| text(tab, "context")).collect()
    }

    fn evaluate_in(&mut self, context: &str, expression: &str) -> Result<Value> {
        let mut answer = self.rpc.call(
            "script.evaluate",
            // What a test presses in a page counts as a person's doing.
            json!({"expression": expression, "target": {"context": context}, "awaitPromise": true, "userActivation": true}),
            None,
        )?;
        if answer["type"] == "exception" {
            let details = &answer["exceptionDetails"];
            bail!("it threw {}", details["text"].as_str().unwrap_or("something"));
        }
        Ok(answer["result"].take())
    }
}

impl Driver for Firefox {
    fn open(&mut self, url: &str) -> Result<String> {
        let answer = self
            .rpc
            .call("browsingContext.create", json!({"type": "tab"}), None)?;
        let page = text(&answer, "context")?;
        self.navigate(&page, url)?;
        Ok(page)
    }

    fn open_private(&mut self, url: &str) -> Result<String> {
        let known = self.tabs()?;
        self.evaluate_in_window(&format!(
            "void openTrustedLinkIn({url:?}, 'window', {{ private: true }})"
        ))?;
        wait::until("the page in a private window", PATIENCE, || {
            let mut tabs = self.tabs()?.into_iter();
            let Some(tab) = tabs.find(|tab| !known.contains(tab)) else {
                return Ok(Seen::Not("no new tab".to_owned()));
            };
            let loaded = format!("location.href === {url:?} && document.readyState === 'complete'");
            // While it is between documents nothing can be evaluated.
            Ok(match self.evaluate_in(&tab, &loaded) {
                Ok(answer) if answer["value"] == true => Seen::Ready(tab),
                Ok(_) => Seen::Not("another page, or half of it".to_owned()),
                Err(error) => Seen::Not(format!("{error:#}")),
            })
        })
    }

    fn open_in_container(&mut self, url: &str) -> Result<String> {
        let container = self.rpc.call("browser.createUserContext", json!({}), None)?;
        let tab = json!({"type": "tab", "userContext": container["userContext"]});
        let answer = self.rpc.call("browsingContext.create", tab, None)?;
        let page = text(&answer, "context")?;
        self.navigate(&page, url)?;
        Ok(page)
    }

    fn navigate(&mut self, page: &str, url: &str) -> Result<()> {
        self.rpc.call(
            "browsingContext.navigate",
            json!({"context": page, "url": url, "wait": "complete"}),
            None,
        )?;
        Ok(())
    }

    fn reload(&mut self, page: &str) -> Result<()> {
        self.rpc.call(
            "browsingContext.reload",
            json!({"context": page, "wait": "complete"}),
            None,
        )?;
        Ok(())
    }

    fn activate(&mut self, page: &str) -> Result<()> {
        self.rpc
            .call("browsingContext.activate", json!({"context": page}), None)?;
        Ok(())
    }

    fn close(&mut self, page: &str) -> Result<()> {
        self.rpc
            .call("browsingContext.close", json!({"context": page}), None)?;
        Ok(())
    }

    fn evaluate(&mut self, page: &str, expression: &str) -> Result<String> {
        let value = self.evaluate_in(page, expression)?;
        text(&value, "value")
    }

    fn registered_scripts(&mut self) -> Result<u64> {
        let count = self.evaluate_of_extension("?.registeredContentScripts.size ?? 0")?;
        Ok(count["value"].as_u64().unwrap_or_default())
    }

    fn running_background(&mut self) -> Result<Option<String>> {
        let state = self.evaluate_of_extension("?.backgroundState ?? ''")?;
        let version = self.evaluate_of_extension("?.version ?? ''")?;
        Ok((state["value"] == "running").then(|| version["value"].to_string()))
    }

    fn end_background(&mut self) -> Result<bool> {
        let state = self.evaluate_of_extension("?.backgroundState ?? ''")?;
        self.evaluate_of_extension("?.terminateBackground().then(() => '')")?;
        Ok(state["value"] == "running")
    }

    fn evaluate_in_background(&mut self, _expression: &str) -> Result<Option<String>> {
        Ok(None)
    }

    fn resize(&mut self, page: &str, width: u32, height: u32) -> Result<()> {
        self.rpc.call(
            "browsingContext.setViewport",
            json!({"context": page, "viewport": {"width": width, "height": height}}),
            None,
        )?;
        Ok(())
    }

    fn press(&mut self, page: &str, key: Key, control: bool) -> Result<()> {
        // WebDriver, "Keyboard actions": keys that write nothing have code points of their own.
        let value = match key {
            Key::Character(char) => char,
            Key::Down => '\u{E015}',
            Key::Up => '\u{E013}',
            Key::End => '\u{E010}',
            Key::Home => '\u{E011}',
            Key::Enter => '\u{E007}',
            Key::Escape => '\u{E00C}',
        };
        let mut strokes = Vec::new();
        if control {
            strokes.push(json!({"type": "keyDown", "value": CONTROL}));
        }
        strokes.push(json!({"type": "keyDown", "value": value}));
        strokes.push(json!({"type": "keyUp", "value": value}));
        if control {
            strokes.push(json!({"type": "keyUp", "value": CONTROL}));
        }
        self.rpc.call(
            "input.performActions",
            json!({"context": page, "actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}),
            None,
        )?;
        Ok(())
    }

    fn crash(&mut self, page: &str) -> Result<()> {
        let module = "chrome://remote/content/shared/NavigableManager.sys.mjs";
        let process = self.evaluate_in_window(&format!(
            "ChromeUtils.importESModule({module:?}).NavigableManager.getBrowsingContextById({page:?}).currentWindowGlobal.osPid"
        ))?;
        let process = process["value"]
            .as_i64()
            .and_then(|process| Pid::from_raw(i32::try_from(process).ok()?))
            .with_context(|| format!("a tab has no process: {process}"))?;
        kill_process(process, Signal::KILL)
            .with_context(|| format!("cannot kill a tab's process {process:?}"))
    }

    fn devtools(&mut self, _page: &str, _method: &str, _params: &Value) -> Result<()> {
        bail!("Firefox speaks no DevTools protocol");
    }

    fn open_dialog(&mut self, page: &str, script: &str) -> Result<()> {
        self.rpc.forget_events();
        self.evaluate_in(page, script)?;
        self.rpc.event("browsingContext.userPromptOpened", None)?;
        Ok(())
    }

    fn close_dialog(&mut self, page: &str) -> Result<()> {
        self.rpc
            .call("browsingContext.handleUserPrompt", json!({"context": page}), None)?;
        Ok(())
    }

    fn screenshot(&mut self, page: &str) -> Result<String> {
        let answer = self.rpc.call(
            "browsingContext.captureScreenshot",
            json!({"context": page}),
            None,
        )?;
        text(&answer, "data")
    }

    fn quit(&mut self) -> Result<()> {
        self.rpc.call("browser.close", json!({}), None)?;
        Ok(())
    }
}

/// The control key, as WebDriver writes it.
const CONTROL: char = '\u{E009}';

fn text(answer: &Value, name: &str) -> Result<String> {
    match answer[name].as_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("Firefox's answer has no {name}: {answer}"),
    }
}
