//! What outlives the background: the profile's id, what the user decided, and what an administrator prescribes.

use protocol::redact::Rule;
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::JsValue;

use super::{
    chrome,
    relay::{Decisions, Policy, Secret},
};

/// The stored items.
pub struct Stored {
    /// Random id of this browser profile; names the host's journal.
    pub profile: String,
    /// What the user decided.
    pub decisions: Decisions,
    /// What makes this profile's hashes its own.
    pub secret: Secret,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Items {
    profile: String,
    origins: Vec<String>,
    host_origins: Vec<String>,
    redact: serde_json::Value,
    paused: bool,
    secret: Vec<u8>,
}

/// Reads the items; the first time, the profile gets its id and its secret.
pub async fn load() -> Result<Stored, JsValue> {
    chrome::keep_storage_to_ourselves();
    let names = json!(["profile", "origins", "host_origins", "redact", "paused", "secret"]);
    let items = chrome::storage_get(&chrome::to_js(&names)).await?;
    let mut items: Items = chrome::from_js(&items).unwrap_or_default();
    if items.profile.is_empty() {
        items.profile = chrome::random_uuid();
        chrome::storage_set(&chrome::to_js(&json!({ "profile": items.profile }))).await?;
    }
    let rules: Vec<Rule> = match items.redact {
        serde_json::Value::Null => Vec::new(),
        // Another version's, perhaps. What they were to keep here must not leave.
        rules => serde_json::from_value(rules)
            .map_err(|error| format!("the stored redaction rules cannot be read: {error}"))?,
    };
    let secret = if let Ok(secret) = Secret::try_from(items.secret) {
        secret
    } else {
        let mut secret = Secret::default();
        chrome::random_values(&mut secret);
        chrome::storage_set(&chrome::to_js(&json!({ "secret": secret }))).await?;
        secret
    };
    Ok(Stored {
        secret,
        profile: items.profile,
        decisions: Decisions {
            origins: items.origins,
            host_origins: items.host_origins,
            rules,
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
        Ok(items) => chrome::from_js::<Prescribed>(&items)
            .map(Policy::from)
            .unwrap_or_default(),
        Err(_nothing) => Policy::default(),
    }
}

/// The managed items.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Prescribed {
    origins: serde_json::Value,
    redact: serde_json::Value,
}

impl From<Prescribed> for Policy {
    fn from(items: Prescribed) -> Self {
        Self {
            // What is no list enables nothing.
            origins: serde_json::from_value(items.origins).unwrap_or_default(),
            redact: match items.redact {
                serde_json::Value::Null => Ok(Vec::new()),
                rules => serde_json::from_value(rules).map_err(|error| error.to_string()),
            },
        }
    }
}
