//! Rules for what must not leave the browser.

use serde::{Deserialize, Serialize};

/// A rule: which fields of which records are not to leave the browser as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The database's name; empty for every one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// The store's name; empty for every one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub store: String,
    /// JSON Pointers (RFC 6901) into the value; `*` stands for every member or element. An empty one means the whole value.
    pub fields: Vec<String>,
    /// What happens to them.
    pub how: How,
}

/// What happens to a redacted field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is left out; an element of an array is `null`.
    Drop,
    /// `"***"` stands for it.
    Mask,
    /// A hash stands for it that is the same for the same value, in this browser profile only.
    Hash,
}
