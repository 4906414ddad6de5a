//! The registration of the page scripts.
//!
//! The bridge is listed first: it must listen before the hook, in the page's own world, calls it.
//! Registrations survive the browser's end, so pages are captured from their first script on even
//! while the background still starts.

use serde::Deserialize;
use wasm_bindgen::JsValue;

use super::chrome;

const BRIDGE: &str = "content/bridge.js";
const HOOK: &str = "content/hook.js";

#[derive(Deserialize)]
struct Registered {
    id: String,
    matches: Vec<String>,
}

#[derive(Deserialize)]
struct Tab {
    id: i64,
}

/// Those of the patterns for which the browser's permission is there.
pub async fn granted(patterns: &[String]) -> Vec<String> {
    let mut granted = Vec::new();
    for pattern in patterns {
        let wanted = chrome::object(&[("origins", chrome::list(&[pattern]))]);
        let answer = chrome::has_permissions(&wanted).await;
        if answer.is_ok_and(|answer| answer.is_truthy()) {
            granted.push(pattern.clone());
        }
    }
    granted
}

/// Lets the page scripts run under exactly these patterns, also in the pages that are open already.
///
/// Registered scripts are changed in place: a page that loads meanwhile is hooked by the old
/// patterns or by the new ones.
pub async fn register(patterns: &[String]) -> Result<(), JsValue> {
    let registered: Vec<Registered> =
        chrome::from_js(&chrome::registered_content_scripts().await?).unwrap_or_default();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let ids: Vec<&str> = registered.iter().map(|script| script.id.as_str()).collect();
    let unchanged = registered.iter().all(|script| {
        let mut matches = script.matches.clone();
        matches.sort_unstable();
        matches == patterns
    });
    let complete = ids.len() == 2;
    if patterns.is_empty() && ids.is_empty() || complete && unchanged {
        return Ok(());
    }
    if !ids.is_empty() && (patterns.is_empty() || !complete) {
        chrome::unregister_content_scripts(&chrome::object(&[("ids", chrome::list(&ids))])).await?;
    }
    if patterns.is_empty() {
        return Ok(());
    }
    let script = |id: &str, file: &str, world: &str| {
        chrome::object(&[
            ("id", id.into()),
            ("js", chrome::list(&[file])),
            ("matches", chrome::list(&patterns)),
            ("runAt", "document_start".into()),
            ("allFrames", true.into()),
            ("matchOriginAsFallback", true.into()),
            ("persistAcrossSessions", true.into()),
            ("world", world.into()),
        ])
    };
    let scripts = js_sys::Array::of2(
        &script("bridge", BRIDGE, "ISOLATED"),
        &script("hook", HOOK, "MAIN"),
    );
    if complete {
        chrome::update_content_scripts(&scripts).await?;
    } else {
        chrome::register_content_scripts(&scripts).await?;
    }
    hook_open_pages(&patterns).await
}

/// Pages that were there before their origin was enabled. A page that has the scripts already
/// ignores them.
async fn hook_open_pages(patterns: &[&str]) -> Result<(), JsValue> {
    let tabs = chrome::query_tabs(&chrome::object(&[("url", chrome::list(patterns))])).await?;
    for Tab { id } in chrome::from_js::<Vec<Tab>>(&tabs).unwrap_or_default() {
        for (file, world) in [(BRIDGE, "ISOLATED"), (HOOK, "MAIN")] {
            let target = chrome::object(&[("tabId", chrome::number(id)), ("allFrames", true.into())]);
            let injection = chrome::object(&[
                ("target", target),
                ("files", chrome::list(&[file])),
                ("world", world.into()),
                ("injectImmediately", true.into()),
            ]);
            // A tab may be closed or gone elsewhere meanwhile; the others still count.
            let _gone = chrome::execute_script(&injection).await;
        }
    }
    Ok(())
}
