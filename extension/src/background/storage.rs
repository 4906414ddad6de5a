//! What outlives the background: the profile's id and what the user switched on.

use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::JsValue;

use super::chrome;

/// The stored items.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Stored {
    /// Random id of this browser profile; names the host's journal.
    pub profile: String,
    /// The origins that the user enabled.
    pub origins: Vec<String>,
}

/// Reads the items; the first time, the profile gets its id.
pub async fn load() -> Result<Stored, JsValue> {
    let items = chrome::storage_get(&chrome::to_js(&json!(["profile", "origins"]))).await?;
    let mut stored: Stored = chrome::from_js(&items).unwrap_or_default();
    if stored.profile.is_empty() {
        stored.profile = chrome::random_uuid();
        chrome::storage_set(&chrome::to_js(&json!({ "profile": stored.profile }))).await?;
    }
    Ok(stored)
}
