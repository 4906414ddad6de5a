//! Workers that are not observed: inspectors show them, and the host tells of them.

use protocol::wire::{
    bridge::{MAX_WORKER_URL, MAX_WORKERS},
    host::{OriginWorker, ToHost},
};

use super::{Link, Relay};

impl Relay {
    /// A document has a worker.
    pub(super) fn worker_seen(&mut self, port: u32, url: &str) {
        let Some(bridge) = self.bridges.get_mut(port) else {
            return;
        };
        let is_new = !bridge.workers.iter().any(|known| known == url);
        if !is_new || bridge.workers.len() == MAX_WORKERS || url.len() > MAX_WORKER_URL {
            return;
        }
        bridge.workers.push(url.to_owned());
        self.changed = true;
        if self.link == Link::Up
            && let Some(origin) = self.bridges.origin_of_reader(port)
        {
            self.tell_worker(&origin, url);
        }
    }

    /// Tells a host that has just been greeted.
    pub(super) fn tell_workers(&mut self) {
        let workers: Vec<(String, String)> = self
            .bridges
            .admitted()
            .flat_map(|(_, bridge)| {
                let origin = bridge.page().origin.to_string();
                bridge
                    .workers
                    .iter()
                    .map(move |url| (origin.clone(), url.clone()))
            })
            .collect();
        for (origin, url) in workers {
            self.tell_worker(&origin, &url);
        }
    }

    fn tell_worker(&mut self, origin: &str, url: &str) {
        self.tell_host(&ToHost::<()>::Worker(OriginWorker {
            origin: origin.into(),
            url: url.into(),
        }));
    }
}
