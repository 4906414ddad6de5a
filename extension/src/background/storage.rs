//! What outlives the background: the profile's id, what the user decided, and what an administrator prescribes.

use protocol::redact::Rule;
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::JsValue;

use super::{
    chrome,
    relay::{Decisions, Policy},
};

/// The stored items.
pub struct Stored {
    /// Random id of this browser profile; names the host's journal.
    pub profile: String,
    /// What the user decided.
    pub decisions: Decisions,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Items {
    profile: String,
    origins: Vec<String>,
    host_origins: Vec<String>,
    redact: Vec<Rule>,
    paused: bool,
}

/// Reads the items; the first time, the profile gets its id.
pub async fn load() -> Result<Stored, JsValue> {
    let names = json!(["profile", "origins", "host_origins", "redact", "paused"]);
    let items = chrome::storage_get(&chrome::to_js(&names)).await?;
    let mut items: Items = chrome::from_js(&items).unwrap_or_default();
    if items.profile.is_empty() {
        items.profile = chrome::random_uuid();
        chrome::storage_set(&chrome::to_js(&json!({ "profile": items.profile }))).await?;
    }
    Ok(Stored {
        profile: items.profile,
        decisions: Decisions {
            origins: items.origins,
            host_origins: items.host_origins,
            rules: items.redact,
            paused: items.paused,
        },
    })
}

/// Keeps what was decided.
pub async fn save(decisions: &Decisions) -> Result<(), JsValue> {
    let items = json!({
        "origins": decisions.origins,
        "host_origins": decisions.host_origins,
        "redact": decisions.rules,
        "paused": decisions.paused,
    });
    chrome::storage_set(&chrome::to_js(&items)).await.map(drop)
}

/// What is prescribed. Firefox refuses to say where nothing is.
pub async fn policy() -> Policy {
    match chrome::managed_get(&chrome::to_js(&json!(["origins", "redact"]))).await {
        Ok(items) => chrome::from_js(&items).unwrap_or_default(),
        Err(_nothing) => Policy::default(),
    }
}
