//! What the browser tells of the page that is inspected, and what it does for us.
//!
//! Inside DevTools a page of ours has `chrome.devtools` and, in Firefox, little else of the extension API. In a tab it has all of it but that;
//! then its address says what is inspected: `panel.html?tab=7`. So every part of the API is looked for before it is used, and what is not there
//! has another way: the popup as a page of its own can ask for permissions, for one.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// What stands at the end of a path of members, if there is something.
fn member(owner: &JsValue, path: &[&str]) -> Option<JsValue> {
    path.iter().try_fold(owner.clone(), |owner, name| {
        Reflect::get(&owner, &(*name).into())
            .ok()
            .filter(|value| !value.is_undefined() && !value.is_null())
    })
}

/// `chrome.…`
fn api(path: &[&str]) -> Option<JsValue> {
    member(&member(&js_sys::global(), &["chrome"])?, path)
}

/// Calls a function of the API; nothing if it isn't there or refuses.
fn call(path: &[&str], arguments: &Array) -> Option<JsValue> {
    let (name, owner) = path.split_last()?;
    let owner = api(owner)?;
    let function: Function = member(&owner, &[name])?.dyn_into().ok()?;
    function.apply(&owner, arguments).ok()
}

fn listen(path: &[&str], listener: &Function) {
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

/// Tells whether `DevTools` is dark, which need not be what the system is, now and whenever it changes.
pub fn on_theme(told: impl Fn(bool) + 'static) {
    let panels = ["devtools", "panels"];
    let Some(theme) = api(&[&panels[..], &["themeName"]].concat()).and_then(|theme| theme.as_string()) else {
        return;
    };
    told(theme == "dark");
    let changed = Closure::<dyn Fn(JsValue)>::new(move |theme: JsValue| {
        told(theme.as_string().as_deref() == Some("dark"));
    })
    .into_js_value();
    // Firefox has an event, Chromium one place for a handler.
    listen(
        &[&panels[..], &["onThemeChanged"]].concat(),
        changed.unchecked_ref(),
    );
    let _set = call(
        &[&panels[..], &["setThemeChangeHandler"]].concat(),
        &Array::of1(&changed),
    );
}

/// Tells the origin of the inspected page, now and whenever it navigates.
pub fn on_origin(told: impl Fn(Option<String>) + 'static) {
    if let Some(origin) = parameter("origin") {
        told(Some(origin));
    } else if api(&["devtools"]).is_some() {
        of_devtools(told);
    } else if let Some(tab) = inspected_tab() {
        of_tab(tab, told);
    }
}

fn of_devtools(told: impl Fn(Option<String>) + 'static) {
    let heard =
        Closure::<dyn Fn(JsValue)>::new(move |origin: JsValue| told(origin.as_string())).into_js_value();
    let ask = Closure::<dyn Fn()>::new(move || {
        let _asked = call(
            &["devtools", "inspectedWindow", "eval"],
            &Array::of2(&"location.origin".into(), &heard),
        );
    })
    .into_js_value();
    let ask: Function = ask.unchecked_into();
    let _first = ask.call0(&JsValue::NULL);
    listen(&["devtools", "network", "onNavigated"], &ask);
}

fn of_tab(tab: i64, told: impl Fn(Option<String>) + 'static) {
    let told = std::rc::Rc::new(told);
    let ask = move || {
        let told = std::rc::Rc::clone(&told);
        let Some(asked) = call(&["tabs", "get"], &Array::of1(&number(tab))) else {
            return;
        };
        wasm_bindgen_futures::spawn_local(async move {
            let url = match JsFuture::from(asked.unchecked_into::<Promise>()).await {
                Ok(tab) => member(&tab, &["url"]).and_then(|url| url.as_string()),
                Err(_) => None,
            };
            told(
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
    listen(&["tabs", "onUpdated"], updated.unchecked_ref());
}

/// Loads the inspected page again.
pub fn reload() {
    if call(&["devtools", "inspectedWindow", "reload"], &Array::new()).is_none()
        && let Some(tab) = inspected_tab()
    {
        let _reloading = call(&["tabs", "reload"], &Array::of1(&number(tab)));
    }
}

/// Asks the browser for the permission for sites that fit a match pattern. Has to be called while a click is being handled. Whether it
/// could be asked here; if not, the popup opens, where it can.
pub fn request_permission(pattern: &str) {
    let wanted = object("origins", &Array::of1(&pattern.into()));
    // Without it the site stays enabled and says what is missing.
    if call(&["permissions", "request"], &Array::of1(&wanted)).is_none() {
        let tab = inspected_tab().map_or_else(String::new, |tab| format!("?tab={tab}"));
        open(&format!("ui/popup.html{tab}"));
    }
}

/// Shows a place in Sources; whether the browser can do that for us. Line and column are from 1.
pub fn show_source(url: &str, line: u32, column: u32) -> bool {
    // In Chromium's API both are from 0.
    let zero_based = |number: u32| JsValue::from_f64(f64::from(number.saturating_sub(1)));
    let arguments = Array::of3(&url.into(), &zero_based(line), &zero_based(column));
    call(&["devtools", "panels", "openResource"], &arguments).is_some()
}

/// Opens the options page.
pub fn open_options() {
    if call(&["runtime", "openOptionsPage"], &Array::new()).is_none() {
        open("ui/options.html");
    }
}

/// Opens a page of ours in a tab.
fn open(path: &str) {
    let url = call(&["runtime", "getURL"], &Array::of1(&path.into())).and_then(|url| url.as_string());
    if let (Some(url), Some(window)) = (url, web_sys::window()) {
        let _opened = window.open_with_url_and_target(&url, "_blank");
    }
}

/// What the browser calls itself, and what it calls the system.
pub fn names() -> (Vec<String>, String) {
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
