//! What outlives the background: the profile's id, what the user decided, and what an administrator
//! prescribes.

use protocol::{json::read, redact::Rule};
use serde::Deserialize;
use serde_json::value::RawValue;
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
    policy_origins: Vec<String>,
    redact: Option<Box<RawValue>>,
    paused: bool,
    secret: Vec<u8>,
}

/// Reads the items; the first time, the profile gets its id and its secret.
pub async fn load() -> Result<Stored, JsValue> {
    chrome::keep_storage_to_ourselves();
    let names = chrome::list(&[
        "profile",
        "origins",
        "host_origins",
        "policy_origins",
        "redact",
        "paused",
        "secret",
    ]);
    let items = chrome::storage_get(&names).await?;
    let mut items: Items = chrome::from_js(&items).unwrap_or_default();
    if items.profile.is_empty() {
        items.profile = chrome::random_uuid();
        let profile = JsValue::from_str(&items.profile);
        chrome::storage_set(&chrome::object(&[("profile", profile)])).await?;
    }
    let rules: Vec<Rule> = match items.redact {
        None => Vec::new(),
        // Another version's, perhaps. What they were to keep here must not leave.
        Some(rules) => read(rules.get())
            .map_err(|error| format!("the stored redaction rules cannot be read: {error}"))?,
    };
    let secret = if let Ok(secret) = Secret::try_from(items.secret) {
        secret
    } else {
        let mut secret = Secret::default();
        chrome::random_values(&mut secret);
        let numbers = chrome::to_js(&secret.as_slice());
        chrome::storage_set(&chrome::object(&[("secret", numbers)])).await?;
        secret
    };
    Ok(Stored {
        secret,
        profile: items.profile,
        decisions: Decisions {
            origins: items.origins,
            host_origins: items.host_origins,
            policy_origins: items.policy_origins,
            rules,
            paused: items.paused,
        },
    })
}

/// Keeps what was decided.
pub async fn save(decisions: &Decisions) -> Result<(), JsValue> {
    let items = chrome::object(&[
        ("origins", chrome::to_js(&decisions.origins)),
        ("host_origins", chrome::to_js(&decisions.host_origins)),
        ("policy_origins", chrome::to_js(&decisions.policy_origins)),
        ("redact", chrome::to_js(&decisions.rules)),
        ("paused", decisions.paused.into()),
    ]);
    chrome::storage_set(&items).await.map(drop)
}

/// What is prescribed; Chromium takes seconds to say after its start.
///
/// Where it cannot be read there may be redaction rules: then nothing leaves.
pub async fn policy() -> Policy {
    /// What Firefox says where nothing is prescribed (its `ext-storage.js`).
    const NONE: &str = "manifest not found";

    let unreadable = |reason: String| Policy {
        redact: Err(reason),
        ..Policy::default()
    };
    match chrome::managed_get(&chrome::list(&["origins", "redact"])).await {
        Ok(items) => match chrome::from_js::<Prescribed>(&items) {
            Some(items) => items.into(),
            None => unreadable("it is no object".to_owned()),
        },
        Err(error) => match chrome::message_of(&error) {
            message if message.contains(NONE) => Policy::default(),
            message => unreadable(message),
        },
    }
}

/// The managed items.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Prescribed {
    origins: Option<Box<RawValue>>,
    redact: Option<Box<RawValue>>,
}

impl From<Prescribed> for Policy {
    fn from(items: Prescribed) -> Self {
        Self {
            // What is no list enables nothing.
            origins: items
                .origins
                .and_then(|origins| read(origins.get()).ok())
                .unwrap_or_default(),
            redact: match items.redact {
                None => Ok(Vec::new()),
                Some(rules) => read(rules.get()).map_err(|error| error.to_string()),
            },
        }
    }
}
