//! The extension API as far as the panel uses it, apart from the port to the background.
//!
//! Inside `DevTools` the panel has `chrome.devtools` and, in Firefox, little else of the API. In a
//! tab it has all but `chrome.devtools`; there its address names the inspected tab:
//! `panel.html?tab=7`. So each function checks whether the API is present, and does without it: the
//! popup can ask for permissions, for example.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The value at the end of a path of members; `None` if that is undefined or null.
fn member(owner: &JsValue, path: &[&str]) -> Option<JsValue> {
    path.iter().try_fold(owner.clone(), |owner, name| {
        Reflect::get(&owner, &(*name).into())
            .ok()
            .filter(|value| !value.is_undefined() && !value.is_null())
    })
}

/// A member of `chrome`.
fn api(path: &[&str]) -> Option<JsValue> {
    member(&member(&js_sys::global(), &["chrome"])?, path)
}

/// Calls a function of the API. `None`: it is missing or threw.
fn call(path: &[&str], arguments: &Array) -> Option<JsValue> {
    let (name, owner) = path.split_last()?;
    let owner = api(owner)?;
    let function: Function = member(&owner, &[name])?.dyn_into().ok()?;
    function.apply(&owner, arguments).ok()
}

fn add_listener(path: &[&str], listener: &Function) {
    let _added = call(&[path, &["addListener"]].concat(), &Array::of1(listener));
}

fn object(name: &str, value: &JsValue) -> Object {
    let object = Object::new();
    let _set = Reflect::set(&object, &name.into(), value);
    object
}

/// A parameter of this page's address.
fn parameter(name: &str) -> Option<String> {
    let search = web_sys::window()?.location().search().ok()?;
    web_sys::UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// The tab that is inspected.
pub fn inspected_tab() -> Option<i64> {
    match api(&["devtools", "inspectedWindow", "tabId"]) {
        #[allow(clippy::cast_possible_truncation, reason = "tab ids are whole numbers")]
        Some(tab) => Some(tab.as_f64()? as i64),
        None => parameter("tab")?.parse().ok(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "tab ids are small")]
fn number(tab: i64) -> JsValue {
    JsValue::from_f64(tab as f64)
}

/// Reports whether `DevTools` is dark, now and at each change. The system may have another theme.
pub fn on_theme_change(report: impl Fn(bool) + 'static) {
    let panels = ["devtools", "panels"];
    let Some(theme) = api(&[&panels[..], &["themeName"]].concat()).and_then(|theme| theme.as_string()) else {
        return;
    };
    report(theme == "dark");
    let changed = Closure::<dyn Fn(JsValue)>::new(move |theme: JsValue| {
        report(theme.as_string().as_deref() == Some("dark"));
    })
    .into_js_value();
    // Firefox has an event, Chromium a setter for a single handler.
    add_listener(
        &[&panels[..], &["onThemeChanged"]].concat(),
        changed.unchecked_ref(),
    );
    let _set = call(
        &[&panels[..], &["setThemeChangeHandler"]].concat(),
        &Array::of1(&changed),
    );
}

/// Reports the origin of the inspected page, now and at each navigation.
pub fn on_origin_change(report: impl Fn(Option<String>) + 'static) {
    if let Some(origin) = parameter("origin") {
        report(Some(origin));
    } else if api(&["devtools"]).is_some() {
        watch_origin_by_devtools(report);
    } else if let Some(tab) = inspected_tab() {
        watch_origin_by_tab(tab, report);
    }
}

fn watch_origin_by_devtools(report: impl Fn(Option<String>) + 'static) {
    let on_result =
        Closure::<dyn Fn(JsValue)>::new(move |origin: JsValue| report(origin.as_string())).into_js_value();
    let ask = Closure::<dyn Fn()>::new(move || {
        let _asked = call(
            &["devtools", "inspectedWindow", "eval"],
            &Array::of2(&"location.origin".into(), &on_result),
        );
    })
    .into_js_value();
    let ask: Function = ask.unchecked_into();
    let _first = ask.call0(&JsValue::NULL);
    add_listener(&["devtools", "network", "onNavigated"], &ask);
}

fn watch_origin_by_tab(tab: i64, report: impl Fn(Option<String>) + 'static) {
    let report = std::rc::Rc::new(report);
    let ask = move || {
        let report = std::rc::Rc::clone(&report);
        let Some(asked) = call(&["tabs", "get"], &Array::of1(&number(tab))) else {
            return;
        };
        wasm_bindgen_futures::spawn_local(async move {
            let url = match JsFuture::from(asked.unchecked_into::<Promise>()).await {
                Ok(tab) => member(&tab, &["url"]).and_then(|url| url.as_string()),
                Err(_) => None,
            };
            report(
                url.and_then(|url| web_sys::Url::new(&url).ok())
                    .map(|url| url.origin()),
            );
        });
    };
    ask();
    let updated = Closure::<dyn Fn(JsValue)>::new(move |updated: JsValue| {
        if updated == number(tab) {
            ask();
        }
    })
    .into_js_value();
    add_listener(&["tabs", "onUpdated"], updated.unchecked_ref());
}

pub fn reload_inspected_page() {
    if call(&["devtools", "inspectedWindow", "reload"], &Array::new()).is_none()
        && let Some(tab) = inspected_tab()
    {
        let _reloading = call(&["tabs", "reload"], &Array::of1(&number(tab)));
    }
}

/// Asks the browser for the permission for the sites of a match pattern. Call it while a click is
/// handled.
///
/// Where the panel cannot ask, it opens the popup, which can.
pub fn request_permission(pattern: &str) {
    let wanted = object("origins", &Array::of1(&pattern.into()));
    // If the user declines, the site stays enabled, and popup and panel name the missing
    // permission.
    if call(&["permissions", "request"], &Array::of1(&wanted)).is_none() {
        let tab = inspected_tab().map_or_else(String::new, |tab| format!("?tab={tab}"));
        open_page(&format!("ui/popup.html{tab}"));
    }
}

/// Shows a location in the Sources panel. False: the browser has no function for it. Line and
/// column count from 1.
pub fn show_source(url: &str, line: u32, column: u32) -> bool {
    // In Chromium's API both count from 0.
    let zero_based = |number: u32| JsValue::from_f64(f64::from(number.saturating_sub(1)));
    let arguments = Array::of3(&url.into(), &zero_based(line), &zero_based(column));
    call(&["devtools", "panels", "openResource"], &arguments).is_some()
}

pub fn open_options_page() {
    if call(&["runtime", "openOptionsPage"], &Array::new()).is_none() {
        open_page("ui/options.html");
    }
}

/// Opens a page of the extension in a tab.
fn open_page(path: &str) {
    let url = call(&["runtime", "getURL"], &Array::of1(&path.into())).and_then(|url| url.as_string());
    if let (Some(url), Some(window)) = (url, web_sys::window()) {
        let _opened = window.open_with_url_and_target(&url, "_blank");
    }
}

/// The names by which the browser identifies itself, and the platform.
pub fn browser_names_and_platform() -> (Vec<String>, String) {
    let text = |path: &[&str]| member(&js_sys::global(), path).and_then(|value| value.as_string());
    let brands = member(&js_sys::global(), &["navigator", "userAgentData", "brands"])
        .map(|brands| Array::from(&brands))
        .unwrap_or_default();
    let mut names: Vec<String> = brands
        .iter()
        .filter_map(|brand| member(&brand, &["brand"])?.as_string())
        .collect();
    names.extend(text(&["navigator", "userAgent"]));
    if member(&js_sys::global(), &["navigator", "brave"]).is_some() {
        names.push("Brave".to_owned());
    }
    (names, text(&["navigator", "platform"]).unwrap_or_default())
}
