//! Chromium over the DevTools protocol.

use std::{collections::HashMap, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Driver, Key, Launch, Profile, rpc::Rpc};
use crate::{
    process::Process,
    wait::{self, PATIENCE, Seen},
};

/// Keep the browser from doing anything of its own accord.
const QUIET: [&str; 13] = [
    "--disable-gpu",
    // For the benchmarks: what the heap holds, without what is only not collected yet.
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-crash-restore-bubble",
    "--window-size=1280,900",
];

/// Chromium reads policies among the tasks that wait until its first tab is idle, which takes
/// seconds. With this nothing waits for that tab.
const STARTED_AT_ONCE: &str = "--enable-features=ImprovedStartupBestEffortDelay:\
    StartupDelayFailsafeTimeout/0s/StartupDelayVisibleTabTimeout/0s";

/// The extension's id, which follows from the `key` in `manifests/extension.chromium.json`.
pub(super) const EXTENSION: &str = "ndefadnengepkgocommelgoinckbccbk";

/// Where Debian's Chromium looks for policies.
const POLICIES: &str = "/etc/chromium";

/// Becomes a program that sees other policies than everybody else on the machine.
const PRESCRIBED: &str = r#"mount -t tmpfs none "$1" && cp -r "$2" "$1/policies" && shift 2 && exec "$@""#;

/// A program in a mount namespace of its own, of which it is root.
fn unshared() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount"]);
    command
}

pub(super) fn prescribe(profile: &Profile, policy: &Value) -> Result<bool> {
    let possible = unshared()
        .args(["mount", "-t", "tmpfs", "none", POLICIES])
        .output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return Ok(false);
    }
    let managed = policies(profile).join("managed");
    fs::create_dir_all(&managed)?;
    let policies = json!({"3rdparty": {"extensions": {EXTENSION: policy}}});
    fs::write(managed.join("idb-relay.json"), policies.to_string())?;
    Ok(true)
}

fn policies(profile: &Profile) -> PathBuf {
    profile.home().join("policies")
}

/// Chromium, with the policies that the profile has.
pub(super) fn program(profile: &Profile) -> Command {
    let policies = policies(profile);
    if !policies.exists() {
        return Command::new(profile.kind().program());
    }
    let mut command = unshared();
    command
        .args(["sh", "-c", PRESCRIBED, "sh", POLICIES])
        .arg(policies)
        .arg(profile.kind().program());
    command
}

pub(super) fn start(profile: &Profile, launch: &Launch) -> Result<(Process, Box<dyn Driver>)> {
    let directory = profile.directory();
    // Written by the browser once it listens; one left by a killed browser names a dead port.
    let port_file = directory.join("DevToolsActivePort");
    let _not_there = fs::remove_file(&port_file);

    let mut command = profile.command(launch);
    command
        .arg(format!("--user-data-dir={}", directory.display()))
        .arg("--remote-debugging-port=0")
        .args(QUIET);
    // A browser with a policy takes the time that browsers take.
    if !policies(profile).exists() {
        command.arg(STARTED_AT_ONCE);
    }
    if !launch.window {
        command.arg("--headless=new");
    }
    if rustix::process::geteuid().is_root() {
        command.arg("--no-sandbox");
    }
    if let Some(extension) = &launch.extension {
        command
            .arg(format!("--disable-extensions-except={}", extension.display()))
            .arg(format!("--load-extension={}", extension.display()));
    }
    command.arg("about:blank");

    let mut process = Process::start("chromium", &command, &profile.log())?;
    let (port, path) = wait::until("Chromium's DevTools port", PATIENCE, || {
        process.must_live()?;
        let text = fs::read_to_string(&port_file).unwrap_or_default();
        let mut lines = text.lines();
        Ok(
            match (lines.next().and_then(|port| port.parse().ok()), lines.next()) {
                (Some(port), Some(path)) => Seen::Ready((port, path.to_owned())),
                _ => Seen::Not(format!("{} holds {text:?}", port_file.display())),
            },
        )
    })?;
    let rpc = Rpc::connect(port, &path)?;
    Ok((
        process,
        Box::new(Chromium {
            rpc,
            sessions: HashMap::new(),
        }),
    ))
}

struct Chromium {
    rpc: Rpc,
    /// The session attached to each tab, by target id.
    sessions: HashMap<String, String>,
}

impl Chromium {
    /// The extension's service worker, if it runs.
    fn worker(&mut self) -> Result<Option<String>> {
        let targets = self.rpc.call("Target.getTargets", json!({}), None)?;
        let worker = targets["targetInfos"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|target| {
                target["type"] == "service_worker"
                    && target["url"]
                        .as_str()
                        .is_some_and(|url| url.starts_with("chrome-extension:"))
            });
        worker.map(|worker| text(worker, "targetId")).transpose()
    }

    fn session(&self, page: &str) -> Result<String> {
        self.sessions.get(page).cloned().context("the tab is closed")
    }

    /// Evaluates in a session of any kind.
    fn evaluate_in(&mut self, session: &str, expression: &str) -> Result<Value> {
        let mut answer = self.rpc.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}),
            Some(session),
        )?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            let exception = &thrown["exception"];
            bail!(
                "it threw {}",
                exception["description"]
                    .as_str()
                    .or(thrown["text"].as_str())
                    .unwrap_or("something")
            );
        }
        Ok(answer["result"].take())
    }

    /// Evaluates in the extension's service worker, if it runs.
    fn evaluate_in_worker(&mut self, expression: &str) -> Result<Option<Value>> {
        let Some(worker) = self.worker()? else {
            return Ok(None);
        };
        let attached = self.rpc.call(
            "Target.attachToTarget",
            json!({"targetId": worker, "flatten": true}),
            None,
        )?;
        let session = text(&attached, "sessionId")?;
        let value = self.evaluate_in(&session, expression);
        // An attached debugger would keep the worker alive.
        self.rpc
            .call("Target.detachFromTarget", json!({"sessionId": session}), None)?;
        value.map(Some)
    }

    /// Makes a tab, attaches to it and loads a page there.
    fn open_in(&mut self, target: Value, url: &str) -> Result<String> {
        let target = self.rpc.call("Target.createTarget", target, None)?;
        let page = text(&target, "targetId")?;
        let attached = self.rpc.call(
            "Target.attachToTarget",
            json!({"targetId": page, "flatten": true}),
            None,
        )?;
        let session = text(&attached, "sessionId")?;
        self.rpc.call("Page.enable", json!({}), Some(&session))?;
        self.sessions.insert(page.clone(), session);
        self.navigate(&page, url)?;
        Ok(page)
    }

    /// Runs a call that makes the tab load something, and waits for `load`.
    fn load(&mut self, page: &str, method: &str, params: Value) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.forget_events();
        let answer = self.rpc.call(method, params, Some(&session))?;
        if let Some(error) = answer["errorText"].as_str() {
            bail!("the page did not load: {error}");
        }
        self.rpc.event("Page.loadEventFired", Some(&session))?;
        Ok(())
    }
}

impl Driver for Chromium {
    fn open(&mut self, url: &str) -> Result<String> {
        self.open_in(json!({"url": "about:blank"}), url)
    }

    fn open_private(&mut self, url: &str) -> Result<String> {
        let context = self.rpc.call("Target.createBrowserContext", json!({}), None)?;
        let target = json!({"url": "about:blank", "browserContextId": context["browserContextId"]});
        self.open_in(target, url)
    }

    fn open_in_container(&mut self, _url: &str) -> Result<String> {
        bail!("Chromium has no containers")
    }

    fn navigate(&mut self, page: &str, url: &str) -> Result<()> {
        self.load(page, "Page.navigate", json!({"url": url}))
    }

    fn reload(&mut self, page: &str) -> Result<()> {
        self.load(page, "Page.reload", json!({}))
    }

    fn activate(&mut self, page: &str) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.call("Page.bringToFront", json!({}), Some(&session))?;
        Ok(())
    }

    fn close(&mut self, page: &str) -> Result<()> {
        self.sessions.remove(page);
        self.rpc
            .call("Target.closeTarget", json!({"targetId": page}), None)?;
        // It takes a while, and then another tab comes to the front: not one behind which a page
        // was opened meanwhile.
        wait::until("the tab to be closed", PATIENCE, || {
            let targets = self.rpc.call("Target.getTargets", json!({}), None)?;
            let mut open = targets["targetInfos"].as_array().into_iter().flatten();
            Ok(if open.any(|target| target["targetId"] == page) {
                Seen::Not("it is open".to_owned())
            } else {
                Seen::Ready(())
            })
        })
    }

    fn evaluate(&mut self, page: &str, expression: &str) -> Result<String> {
        let session = self.session(page)?;
        let value = self.evaluate_in(&session, expression)?;
        text(&value, "value")
    }

    fn registered_scripts(&mut self) -> Result<u64> {
        // Right after its start the worker has no APIs yet.
        let count = self.evaluate_in_worker(
            "globalThis.chrome?.scripting?.getRegisteredContentScripts().then((scripts) => scripts.length)",
        )?;
        // The worker comes and goes; when it is gone, the caller asks again.
        Ok(count
            .and_then(|count| count["value"].as_u64())
            .unwrap_or_default())
    }

    fn evaluate_in_background(&mut self, expression: &str) -> Result<Option<String>> {
        let value = self.evaluate_in_worker(expression)?.context("the worker rests")?;
        text(&value, "value").map(Some)
    }

    fn running_background(&mut self) -> Result<Option<String>> {
        self.worker()
    }

    fn end_background(&mut self) -> Result<bool> {
        let Some(worker) = self.worker()? else {
            return Ok(false);
        };
        self.rpc
            .call("Target.closeTarget", json!({"targetId": worker}), None)?;
        Ok(true)
    }

    fn resize(&mut self, page: &str, width: u32, height: u32) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
            Some(&session),
        )?;
        Ok(())
    }

    fn press(&mut self, page: &str, key: Key, control: bool) -> Result<()> {
        let session = self.session(page)?;
        // UI Events: `key`, and the old `keyCode` that default actions still hang on.
        let (name, code) = match key {
            Key::Character(char) => (char.to_string(), u32::from(char.to_ascii_uppercase())),
            Key::Down => ("ArrowDown".to_owned(), 40),
            Key::Up => ("ArrowUp".to_owned(), 38),
            Key::End => ("End".to_owned(), 35),
            Key::Home => ("Home".to_owned(), 36),
            Key::Enter => ("Enter".to_owned(), 13),
            Key::Escape => ("Escape".to_owned(), 27),
        };
        let modifiers = if control { 2 } else { 0 };
        let mut down =
            json!({"type": "keyDown", "key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers});
        match key {
            Key::Character(char) if !control => down["text"] = char.to_string().into(),
            // Without it no button is pressed.
            Key::Enter => down["text"] = "\r".into(),
            _ => {}
        }
        self.rpc.call("Input.dispatchKeyEvent", down, Some(&session))?;
        let up = json!({"type": "keyUp", "key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers});
        self.rpc.call("Input.dispatchKeyEvent", up, Some(&session))?;
        Ok(())
    }

    fn crash(&mut self, page: &str) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.call("Inspector.enable", json!({}), Some(&session))?;
        self.rpc.forget_events();
        // Its answer does not come.
        self.rpc.send("Page.crash", json!({}), Some(&session))?;
        self.rpc.event("Inspector.targetCrashed", Some(&session))?;
        Ok(())
    }

    fn devtools(&mut self, page: &str, method: &str, params: &Value) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.call(method, params.clone(), Some(&session))?;
        Ok(())
    }

    fn open_dialog(&mut self, page: &str, script: &str) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.forget_events();
        self.evaluate_in(&session, script)?;
        self.rpc.event("Page.javascriptDialogOpening", Some(&session))?;
        Ok(())
    }

    fn close_dialog(&mut self, page: &str) -> Result<()> {
        let session = self.session(page)?;
        self.rpc.call(
            "Page.handleJavaScriptDialog",
            json!({"accept": true}),
            Some(&session),
        )?;
        Ok(())
    }

    fn screenshot(&mut self, page: &str) -> Result<String> {
        let session = self.session(page)?;
        let answer = self
            .rpc
            .call("Page.captureScreenshot", json!({"format": "png"}), Some(&session))?;
        text(&answer, "data")
    }

    fn quit(&mut self) -> Result<()> {
        self.rpc.call("Browser.close", json!({}), None)?;
        Ok(())
    }
}

fn text(answer: &Value, name: &str) -> Result<String> {
    match answer[name].as_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("Chromium's answer has no {name}: {answer}"),
    }
}
