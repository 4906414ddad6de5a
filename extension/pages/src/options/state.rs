//! What the options page knows.

use std::{cell::RefCell, rc::Rc};

use protocol::{redact::Rule, wire::inspector::Background};

#[derive(Default)]
pub struct State {
    pub background: Background,
    /// The profile's secret for hashes.
    pub secret: [u8; 32],
    /// The index of the user's rule that is in the form.
    pub edited_rule: Option<usize>,
    /// The next press on "Back to the defaults" confirms it.
    pub is_reset_requested: bool,
}

pub type SharedState = Rc<RefCell<State>>;

impl State {
    pub fn user_rules(&self) -> Vec<Rule> {
        self.background.rules.get("user").cloned().unwrap_or_default()
    }
}

/// Who made an entry, in words.
pub fn author_label(who: &str) -> &'static str {
    match who {
        "policy" => "managed policy",
        "configuration" => "host's configuration",
        _ => "you",
    }
}
