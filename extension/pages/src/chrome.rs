//! The extension API, as far as these pages use it. Chromium and Firefox (Manifest V3) both know it as `chrome`, with promises.

use js_sys::Function;
use wasm_bindgen::prelude::*;

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

    /// An event that listeners can be added to.
    pub type Event;

    #[wasm_bindgen(method, js_name = addListener)]
    pub fn add_listener(this: &Event, listener: &Function);

    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = connect)]
    pub fn connect(info: &JsValue) -> Port;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "runtime"], js_name = openOptionsPage)]
    pub async fn open_options_page() -> Result<JsValue, JsValue>;

    /// The address of a file of ours.
    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = getURL)]
    pub fn url(path: &str) -> String;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = create)]
    pub async fn open_tab(tab: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = get)]
    pub async fn tab(id: f64) -> Result<JsValue, JsValue>;

    /// Not `async`: Firefox grants only what is asked for while the click is being handled, not a microtask later.
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

/// An object as the API takes it.
pub fn object(members: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in members {
        // A new object takes every member.
        let _set = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// A whole number, such as a tab's, as the API takes it.
pub fn number(number: i64) -> JsValue {
    #[expect(clippy::cast_precision_loss, reason = "the API's numbers are JavaScript's")]
    JsValue::from_f64(number as f64)
}

/// A list of texts as the API takes it.
pub fn list(texts: &[&str]) -> JsValue {
    let list = js_sys::Array::new();
    for text in texts {
        list.push(&JsValue::from_str(text));
    }
    list.into()
}

/// What the API answered; `None` if it is not of the form that is expected.
pub fn from_js<T: serde::de::DeserializeOwned>(value: &JsValue) -> Option<T> {
    let text: String = js_sys::JSON::stringify(value).ok()?.into();
    protocol::json::read(&text).ok()
}
