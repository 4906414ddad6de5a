//! Deep capture, as far as inspectors see it; `background/deep_capture.js` does it.

use protocol::wire::inspector::DeepCapture;

use super::Relay;

impl Relay {
    /// Deep capture of a tab has changed; `None`: it is off.
    pub fn deep_capture_changed(&mut self, tab: i64, state: Option<DeepCapture>) {
        match state {
            Some(state) => drop(self.deep_captures.insert(tab, state)),
            None => drop(self.deep_captures.remove(&tab)),
        }
        self.changed = true;
    }
}
