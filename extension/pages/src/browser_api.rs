//! The extension API as far as the pages use it.
//!
//! Chromium and Firefox (Manifest V3) both have it as `chrome`, with promises.

use js_sys::Function;
use protocol::origin::OriginPattern;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

#[wasm_bindgen]
extern "C" {
    /// `chrome.runtime.Port`.
    pub type Port;

    #[wasm_bindgen(method, catch, js_name = postMessage)]
    pub fn post_message(this: &Port, message: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, getter, js_name = onMessage)]
    pub fn on_message(this: &Port) -> Event;

    #[wasm_bindgen(method, getter, js_name = onDisconnect)]
    pub fn on_disconnect(this: &Port) -> Event;

    pub type Event;

    #[wasm_bindgen(method, js_name = addListener)]
    pub fn add_listener(this: &Event, listener: &Function);

    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = connect)]
    pub fn connect(info: &JsValue) -> Port;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "runtime"], js_name = openOptionsPage)]
    pub async fn open_options_page() -> Result<JsValue, JsValue>;

    /// The URL of a file of the extension.
    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = getURL)]
    pub fn url(path: &str) -> String;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = create)]
    pub async fn open_tab(tab: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = get)]
    pub async fn tab(id: f64) -> Result<JsValue, JsValue>;

    /// Not `async`: Firefox refuses a request that is made a microtask after the click was handled.
    #[wasm_bindgen(catch, js_namespace = ["chrome", "permissions"], js_name = request)]
    pub fn request_permissions(permissions: &JsValue) -> Result<js_sys::Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "permissions"], js_name = remove)]
    pub async fn remove_permissions(permissions: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = get)]
    pub async fn storage_get(names: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = query)]
    pub async fn query_tabs(filter: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(callback: &JsValue, milliseconds: f64) -> JsValue;
}

/// Asks for the permission for this origin only. Call it while a click is handled.
pub fn request_permission(pattern: &OriginPattern) {
    let origins = list(&[&pattern.match_pattern()]);
    if let Ok(request) = request_permissions(&object(&[("origins", origins)])) {
        // If the user declines, the site stays enabled, and the page names the missing permission.
        spawn_local(async move { drop(JsFuture::from(request).await) });
    }
}

/// An object for the API.
pub fn object(members: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in members {
        // A new object takes every member.
        let _set = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// A whole number for the API, such as the id of a tab.
pub fn number(number: i64) -> JsValue {
    #[expect(clippy::cast_precision_loss, reason = "the API's numbers are JavaScript's")]
    JsValue::from_f64(number as f64)
}

/// A list of texts for the API.
pub fn list(texts: &[&str]) -> JsValue {
    let list = js_sys::Array::new();
    for text in texts {
        list.push(&JsValue::from_str(text));
    }
    list.into()
}

/// An answer of the API. `None`: it has another form than expected.
pub fn from_js<T: serde::de::DeserializeOwned>(value: &JsValue) -> Option<T> {
    let text: String = js_sys::JSON::stringify(value).ok()?.into();
    protocol::json::read(&text).ok()
}
