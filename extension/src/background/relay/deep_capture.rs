//! Deep capture, as far as inspectors see it; `deep_capture.js` does it.

use protocol::inspect::DeepCapture;

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

    /// A worker of a tab has no hook although it should. The tab's documents of its origin name it.
    pub fn worker_missed(&mut self, tab: i64, url: &str) {
        let address = url.split(['?', '#']).next().unwrap_or_default();
        for port in self.bridges.readers_in(tab) {
            let origin = self.bridges.origin_of_reader(port).unwrap_or_default();
            let script = address.strip_prefix("blob:").unwrap_or(address);
            if script
                .strip_prefix(&*origin)
                .is_some_and(|path| path.starts_with('/'))
            {
                self.worker_seen(port, address);
            }
        }
    }
}
