//! A browser that starts for the first time: how soon its pages can be captured, and whether that
//! waits for the managed policy.

use anyhow::{Context as _, Result};
use lab::{
    Rig,
    artifacts::ExtensionCopy,
    browser::Kind,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

use crate::statistics;

/// How many starts.
const STARTS: usize = 12;

/// Notes when the background's script begins, and when what it waits for has come.
const MARK: &str = "
globalThis.marks = { began: performance.timeOrigin + performance.now() };
const mark = (name) => (marks[name] ??= performance.timeOrigin + performance.now());
const { managed } = chrome.storage;
const getPolicy = managed.get;
managed.get = (...given) => {
    const answer = getPolicy.apply(managed, given);
    answer.then(() => mark('policy'), () => mark('policy'));
    return answer;
};
const connect = chrome.runtime.connectNative;
chrome.runtime.connectNative = (...given) => {
    mark('connected');
    const port = connect.apply(chrome.runtime, given);
    port.onMessage.addListener(() => mark('hello'));
    return port;
};
const register = chrome.scripting.registerContentScripts;
chrome.scripting.registerContentScripts = (...given) => {
    const answer = register.apply(chrome.scripting, given);
    answer.then(() => mark('registered'));
    return answer;
};
";

/// Starts browsers on empty profiles, with a policy that says nothing.
pub fn measure(kind: Kind) -> Result<Value> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start(kind)?);
    }
    let after_began = |name: &str| -> Result<Value> {
        let times = starts.iter().map(|marks| {
            let (began, at) = (marks["began"].as_f64(), marks[name].as_f64());
            at.zip(began).map(|(at, began)| at - began).context("a mark")
        });
        let times: Vec<f64> = times.collect::<Result<_>>()?;
        let [least, median, most] =
            [0.0, 0.5, 1.0].map(|share| statistics::rounded(statistics::percentile(&times, share)));
        Ok(json!({"least": least, "p50": median, "most": most}))
    };
    Ok(json!({
        "bench": "start",
        "browser": kind.name(),
        "starts": STARTS,
        "background_to_host_started_ms": after_began("connected")?,
        "background_to_hello_ms": after_began("hello")?,
        "background_to_scripts_registered_ms": after_began("registered")?,
        "background_to_policy_ms": after_began("policy")?,
    }))
}

fn start(kind: Kind) -> Result<Value> {
    let rig = Rig::on_empty_profile(kind)?;
    // With one the browser takes the time for it that browsers take.
    rig.profile.prescribe(&json!({"origins": []}))?;
    let extension = ExtensionCopy::of(kind)?;
    extension.run_first(MARK)?;
    let browser = rig.browser_with(&extension.path())?;
    let background = browser.background()?;
    wait::until("all marks", PATIENCE, || {
        let marks = background.call("({ marks }) => marks")?;
        Ok(
            if marks["policy"].is_number() && marks["registered"].is_number() {
                Seen::Ready(marks)
            } else {
                Seen::Not(marks.to_string())
            },
        )
    })
}
