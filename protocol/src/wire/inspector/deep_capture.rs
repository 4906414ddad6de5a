//! Deep capture: workers are hooked by the browser's debugger.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// How far it is, of one tab. `extension/background/deep_capture.js` makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeepCapture {
    /// The tab's id.
    pub tab: i64,
    /// Whether workers are hooked before they start.
    pub state: DeepCaptureState,
    /// How many workers have a hook.
    pub hooked: u32,
    /// Why it has ended, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The states of [`DeepCapture`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeepCaptureState {
    /// The debugger is being attached.
    Attaching,
    /// Workers are hooked before they start.
    On,
    /// The debugger is not attached any more, or could not be.
    Ended,
}
