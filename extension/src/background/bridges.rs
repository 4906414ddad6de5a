//! The documents that are connected, by the number of their port.

use std::collections::BTreeMap;

use protocol::message::Page;

/// What the browser says of the other end of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who it is.
    pub page: Page<'static>,
    /// Whether it is in a private window.
    pub incognito: bool,
}

/// How far a bridge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not known yet whether its origin is enabled.
    Waiting,
    /// Its deliveries are taken.
    Welcome,
    /// Its deliveries are not wanted.
    Refused,
}

/// A connected document.
#[derive(Debug)]
pub struct Bridge {
    /// Who it is.
    pub page: Page<'static>,
    /// The document's id; empty until it has introduced itself.
    pub context: String,
    /// Whether it may send.
    pub standing: Standing,
    /// The parts of a long delivery that have come so far, as messages for the host.
    pub parts: Vec<String>,
    /// When it last said something, on a clock that counts messages.
    last_heard: u64,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Bridges {
    bridges: BTreeMap<u32, Bridge>,
    clock: u64,
}

impl Bridges {
    /// A port was opened.
    pub fn open(&mut self, port: u32, page: Page<'static>) {
        self.clock += 1;
        let bridge = Bridge {
            page,
            context: String::new(),
            standing: Standing::Waiting,
            parts: Vec::new(),
            last_heard: self.clock,
        };
        self.bridges.insert(port, bridge);
    }

    /// A port was closed.
    pub fn close(&mut self, port: u32) {
        self.bridges.remove(&port);
    }

    /// The bridge at a port that has just said something.
    pub fn heard(&mut self, port: u32) -> Option<&mut Bridge> {
        self.clock += 1;
        let bridge = self.bridges.get_mut(&port)?;
        bridge.last_heard = self.clock;
        Some(bridge)
    }

    /// All that have introduced themselves.
    pub fn introduced(&mut self) -> impl Iterator<Item = (u32, &mut Bridge)> {
        self.bridges
            .iter_mut()
            .filter(|(_, bridge)| !bridge.context.is_empty())
            .map(|(port, bridge)| (*port, bridge))
    }

    /// The ports of a context: more than one while an old port's end is not known yet.
    pub fn ports_of(&self, context: &str) -> impl Iterator<Item = u32> {
        self.bridges
            .iter()
            .filter(move |(_, bridge)| bridge.context == context)
            .map(|(port, _)| *port)
    }

    /// A bridge that can read the databases of an origin: the one that was heard of last is the least likely to be frozen.
    pub fn reader_of(&self, origin: &str) -> Option<u32> {
        self.bridges
            .iter()
            .filter(|(_, bridge)| bridge.standing == Standing::Welcome && bridge.page.origin == origin)
            .max_by_key(|(_, bridge)| bridge.last_heard)
            .map(|(port, _)| *port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_the_welcome_bridge_of_the_origin_that_spoke_last() {
        let mut bridges = Bridges::default();
        let page = |origin: &'static str| Page {
            origin: origin.into(),
            tab: 1,
            frame: 0,
        };
        for (port, origin) in [(1, "http://a"), (2, "http://a"), (3, "http://b"), (4, "http://a")] {
            bridges.open(port, page(origin));
            bridges.heard(port).expect("open").context = format!("c{port}");
        }
        assert_eq!(bridges.reader_of("http://a"), None);
        for (port, bridge) in bridges.introduced() {
            if port != 4 {
                bridge.standing = Standing::Welcome;
            }
        }
        assert_eq!(bridges.reader_of("http://a"), Some(2));
        bridges.heard(1);
        assert_eq!(bridges.reader_of("http://a"), Some(1));
        bridges.close(1);
        assert_eq!(bridges.reader_of("http://a"), Some(2));
        assert_eq!(bridges.ports_of("c3").collect::<Vec<_>>(), [3]);
    }
}
