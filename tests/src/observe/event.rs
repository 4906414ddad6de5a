//! A published event, as a reader in any language would see it.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A change event. It is read as plain JSON on purpose, not with the types that wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event(Value);

impl Event {
    /// Reads an event from its text.
    pub fn parse(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text).with_context(|| format!("an event is not JSON: {text}"))?;
        Ok(Self(value))
    }

    /// The whole event.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The operation's letter.
    pub fn op(&self) -> &str {
        self.0["op"].as_str().unwrap_or_default()
    }

    /// Which database it happened in.
    pub fn database(&self) -> &str {
        self.0["source"]["database"].as_str().unwrap_or_default()
    }

    /// Its number in its profile.
    pub fn sequence(&self) -> u64 {
        self.0["source"]["sequence"].as_u64().unwrap_or_default()
    }

    /// The transaction's id.
    pub fn transaction(&self) -> Option<&str> {
        self.0["transaction"]["id"].as_str()
    }

    /// `c shop/orders 42 {"total":3}`: what a test expects, on one line that reads well in a
    /// difference.
    pub fn line(&self) -> String {
        let source = &self.0["source"];
        let key = self.0.get("key").map(|key| format!(" {key}")).unwrap_or_default();
        let after = match self.op() {
            "d" | "t" => String::new(),
            "s" => format!(" {}", self.0["schema"]),
            _ => format!(" {}", self.0["after"]),
        };
        format!(
            "{} {}/{}{key}{after}",
            self.op(),
            source["database"].as_str().unwrap_or_default(),
            source["store"].as_str().unwrap_or_default()
        )
    }
}
