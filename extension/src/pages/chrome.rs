//! The extension API, as far as our pages use it.

use wasm_bindgen::prelude::*;

use crate::background::chrome::Port;

#[wasm_bindgen]
extern "C" {
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
}
