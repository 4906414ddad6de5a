//! The extension API, as far as it is used. Chromium and Firefox (Manifest V3) both know it as
//! `chrome`, with promises.

use js_sys::Function;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `chrome.runtime.Port`.
    pub type Port;

    #[wasm_bindgen(method, catch, js_name = postMessage)]
    pub fn post_message(this: &Port, message: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method)]
    pub fn disconnect(this: &Port);

    #[wasm_bindgen(method, getter, js_name = onMessage)]
    pub fn on_message(this: &Port) -> Event;

    #[wasm_bindgen(method, getter, js_name = onDisconnect)]
    pub fn on_disconnect(this: &Port) -> Event;

    /// Firefox's way to say why a port was closed; Chromium has `runtime.lastError`.
    #[wasm_bindgen(method, getter)]
    pub fn error(this: &Port) -> JsValue;

    /// An event that listeners can be added to.
    pub type Event;

    #[wasm_bindgen(method, js_name = addListener)]
    pub fn add_listener(this: &Event, listener: &Function);

    /// `chrome.runtime.connectNative`; `background.js` remembers the port, to close it if this
    /// module traps.
    #[wasm_bindgen(catch, js_name = idbRelayConnectHost)]
    pub fn connect_native(host: &str) -> Result<Port, JsValue>;

    /// A function that the browser may call: what comes out of this module as an exception makes
    /// `background.js` start it again.
    #[wasm_bindgen(js_name = idbRelayGuarded)]
    pub fn guarded(enter: &JsValue) -> Function;

    /// Tells `background.js` which delivery is being worked on; without a context none.
    #[wasm_bindgen(js_name = idbRelayInHand)]
    pub fn in_hand(context: &str, sequence: f64);

    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = get)]
    pub async fn storage_get(names: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = set)]
    pub async fn storage_set(items: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "managed"], js_name = get)]
    pub async fn managed_get(names: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "permissions"], js_name = contains)]
    pub async fn has_permissions(permissions: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "scripting"], js_name = getRegisteredContentScripts)]
    pub async fn registered_content_scripts() -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "scripting"], js_name = registerContentScripts)]
    pub async fn register_content_scripts(scripts: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "scripting"], js_name = updateContentScripts)]
    pub async fn update_content_scripts(scripts: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "scripting"], js_name = unregisterContentScripts)]
    pub async fn unregister_content_scripts(filter: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "scripting"], js_name = executeScript)]
    pub async fn execute_script(injection: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = query)]
    pub async fn query_tabs(filter: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = setBadgeText)]
    pub async fn set_badge_text(details: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = setTitle)]
    pub async fn set_title(details: &JsValue) -> Result<JsValue, JsValue>;

    /// What a page's databases hold; `background.js` has it.
    #[wasm_bindgen(catch, js_name = lookInto)]
    pub async fn look_into(place: &JsValue, request: &str) -> Result<JsValue, JsValue>;

    /// Captures the workers of a tab as they write, or does so no more; `background.js` has it.
    #[wasm_bindgen(js_name = idbRelayDeepCapture)]
    pub fn capture_deeply(tab: &JsValue, is_wanted: bool);

    /// Page scripts are registered, and wake the background; `background.js` has it.
    #[wasm_bindgen(js_name = scriptsRegistered)]
    pub fn scripts_registered();

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub fn random_values(bytes: &mut [u8]);

    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    pub fn random_uuid() -> String;

    #[wasm_bindgen(js_namespace = navigator, js_name = userAgent, thread_local_v2)]
    pub static USER_AGENT: String;

    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(callback: &JsValue, milliseconds: f64) -> JsValue;
}

/// Lets no content script look into our storage, where the browser has a way to say so: their
/// process is the page's.
pub fn keep_storage_to_ourselves() {
    let get = |owner: JsValue, name: &str| js_sys::Reflect::get(&owner, &name.into());
    let local = get(js_sys::global().into(), "chrome")
        .and_then(|chrome| get(chrome, "storage"))
        .and_then(|storage| get(storage, "local"));
    let Ok(local) = local else { return };
    if let Ok(function) = get(local.clone(), "setAccessLevel")
        && let Some(function) = function.dyn_ref::<Function>()
    {
        let level = object(&[("accessLevel", "TRUSTED_CONTEXTS".into())]);
        let _ignored = function.call1(&local, &level);
    }
}

/// An object as the API takes it.
pub fn object(members: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in members {
        // A new object takes every member.
        let _set = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// A list of texts as the API takes it.
pub fn list(texts: &[&str]) -> JsValue {
    let list = js_sys::Array::new();
    for text in texts {
        list.push(&JsValue::from_str(text));
    }
    list.into()
}

/// A whole number, such as a tab's, as the API takes it.
pub fn number(number: i64) -> JsValue {
    #[expect(clippy::cast_precision_loss, reason = "the API's numbers are JavaScript's")]
    JsValue::from_f64(number as f64)
}

/// A value of ours as the API keeps it.
pub fn to_js<T: serde::Serialize>(value: &T) -> JsValue {
    let text = serde_json::to_string(value).unwrap_or_default();
    js_sys::JSON::parse(&text).unwrap_or(JsValue::NULL)
}

/// What the API answered; `None` if it is not of the form that is expected.
pub fn from_js<T: serde::de::DeserializeOwned>(value: &JsValue) -> Option<T> {
    let text: String = js_sys::JSON::stringify(value).ok()?.into();
    protocol::json::read(&text).ok()
}

/// An error's message, or what was thrown instead of an error.
pub fn message_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => js_sys::Reflect::get(error, &"message".into())
            .ok()
            .and_then(|message| message.as_string())
            .unwrap_or_default(),
    }
}

/// `chrome.runtime.lastError`'s message; empty without one.
pub fn last_error() -> String {
    let get = |owner: JsValue, name: &str| js_sys::Reflect::get(&owner, &name.into());
    get(js_sys::global().into(), "chrome")
        .and_then(|chrome| get(chrome, "runtime"))
        .and_then(|runtime| get(runtime, "lastError"))
        .and_then(|error| get(error, "message"))
        .ok()
        .and_then(|message| message.as_string())
        .unwrap_or_default()
}
