//! The documents that are connected, by the number of their port.

use protocol::{inspect::Document, message::Page, table::Table};

use super::status::Problem;

/// What the browser says of the other end of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who it is.
    pub page: Page<'static>,
    /// Whether it is in a private window.
    pub incognito: bool,
    /// The URL of the page in the tab, of which this document may be a frame; `None` if we may not know it.
    pub top: Option<String>,
}

impl Sender {
    /// Whether it is a frame in another site's page. Browsers give such a frame databases of its own, apart from those that the
    /// origin has in its own pages; taken for the same, they would overwrite each other in the caches.
    pub fn is_embedded_elsewhere(&self) -> bool {
        self.page.frame > 0
            && self
                .top
                .as_deref()
                .is_none_or(|top| host_of(top) != host_of(&self.page.origin))
    }
}

/// The host in a URL, which for our purpose is its site: frames of another host of the same site are left out with the others.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let end = if host.starts_with('[') {
        host.find(']')? + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    host.get(..end).filter(|host| !host.is_empty())
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
    /// Hooked after the page's own scripts may have run.
    pub late: bool,
    /// Whether it may send.
    pub standing: Standing,
    /// Why it may not.
    pub refused: Option<Problem>,
    /// The parts of a long delivery's body that have come so far.
    pub parts: Vec<String>,
    /// How many bytes they take.
    pub part_bytes: usize,
    /// The delivery that there was no room for: what else comes of it is dropped.
    pub turned_away: Option<u64>,
    /// Whether it was told to tell where writes are called from.
    pub traced: bool,
    /// The stacks of deliveries that are about to come, by their numbers.
    pub stacks: Table<u64, Vec<String>>,
    /// How many bytes they take.
    pub stack_bytes: usize,
    /// When it last said something, on a clock that counts messages.
    last_heard: u64,
}

impl Bridge {
    /// As inspectors are told.
    fn document(&self) -> Document {
        Document {
            context: self.context.clone(),
            origin: self.page.origin.clone().into_owned(),
            tab: self.page.tab,
            frame: self.page.frame,
            late: self.late,
            refused: self.refused.clone().map(Into::into),
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Bridges {
    connected: Table<u32, Bridge>,
    /// The documents that were turned away, by tab and frame, until something else is there. Nobody says when a tab goes.
    refused: Table<(i64, i64), Document>,
    clock: u64,
}

/// How many documents that were turned away are remembered.
const MAX_REFUSED: usize = 256;

impl Bridges {
    /// A port was opened.
    pub fn open(&mut self, port: u32, page: Page<'static>) {
        self.clock += 1;
        self.refused.remove(&(page.tab, page.frame));
        let bridge = Bridge {
            page,
            context: String::new(),
            late: false,
            standing: Standing::Waiting,
            refused: None,
            parts: Vec::new(),
            part_bytes: 0,
            turned_away: None,
            traced: false,
            stacks: Table::new(),
            stack_bytes: 0,
            last_heard: self.clock,
        };
        self.connected.insert(port, bridge);
    }

    /// A port was closed.
    pub fn close(&mut self, port: u32) {
        if let Some(bridge) = self.connected.remove(&port)
            && bridge.refused.is_some()
        {
            if self.refused.len() == MAX_REFUSED {
                self.refused.pop_first();
            }
            let place = (bridge.page.tab, bridge.page.frame);
            self.refused.insert(place, bridge.document());
        }
    }

    /// Documents that were turned away and would not be now are captured once they are loaded again.
    pub fn reconsider(&mut self, allowed: impl Fn(&str) -> bool) {
        for document in self
            .refused
            .values_mut()
            .filter(|document| allowed(&document.origin))
        {
            document.refused = Some(Problem::loaded_before(&document.origin).into());
        }
    }

    /// The documents of a tab, or of all.
    pub fn documents(&self, tab: Option<i64>) -> Vec<Document> {
        let connected = self
            .connected
            .values()
            .filter(|bridge| !bridge.context.is_empty() || bridge.refused.is_some())
            .map(Bridge::document);
        let mut documents: Vec<Document> = connected
            .chain(self.refused.values().cloned())
            .filter(|document| tab.is_none_or(|tab| document.tab == tab))
            .collect();
        documents.sort_by(|a, b| (a.tab, a.frame, &a.context).cmp(&(b.tab, b.frame, &b.context)));
        // An old port whose end is not known yet.
        documents.dedup_by(|a, b| a.context == b.context && a.tab == b.tab);
        documents
    }

    /// The bridge at a port that has just said something.
    pub fn heard(&mut self, port: u32) -> Option<&mut Bridge> {
        self.clock += 1;
        let bridge = self.connected.get_mut(&port)?;
        bridge.last_heard = self.clock;
        Some(bridge)
    }

    /// How many bytes of deliveries have come that are not whole yet.
    pub fn part_bytes(&self) -> usize {
        self.connected.values().map(|bridge| bridge.part_bytes).sum()
    }

    /// All that have introduced themselves.
    pub fn introduced(&mut self) -> impl Iterator<Item = (u32, &mut Bridge)> {
        self.connected
            .iter_mut()
            .filter(|(_, bridge)| !bridge.context.is_empty())
            .map(|(port, bridge)| (*port, bridge))
    }

    /// All whose deliveries are taken.
    pub fn admitted(&mut self) -> impl Iterator<Item = (u32, &mut Bridge)> {
        self.connected
            .iter_mut()
            .filter(|(_, bridge)| bridge.standing == Standing::Welcome)
            .map(|(port, bridge)| (*port, bridge))
    }

    /// The ports of all whose deliveries are taken.
    pub fn welcome(&self) -> Vec<u32> {
        self.connected
            .iter()
            .filter(|(_, bridge)| bridge.standing == Standing::Welcome)
            .map(|(port, _)| *port)
            .collect()
    }

    /// The ports of a context: more than one while an old port's end is not known yet.
    pub fn ports_of(&self, context: &str) -> impl Iterator<Item = u32> {
        self.connected
            .iter()
            .filter(move |(_, bridge)| bridge.context == context)
            .map(|(port, _)| *port)
    }

    /// A bridge that can read the databases of an origin: the one that was heard of last is the least likely to be frozen.
    pub fn reader_of(&self, origin: &str) -> Option<u32> {
        self.connected
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
    fn frames_in_other_sites_have_databases_of_their_own() {
        let sender = |frame, top: Option<&str>| Sender {
            page: Page {
                origin: "http://localhost:8080".into(),
                tab: 1,
                frame,
            },
            incognito: false,
            top: top.map(str::to_owned),
        };
        assert!(!sender(0, None).is_embedded_elsewhere());
        assert!(!sender(3, Some("http://localhost:9090/a?b#c")).is_embedded_elsewhere());
        assert!(sender(3, Some("https://shop.example/http://localhost/")).is_embedded_elsewhere());
        assert!(sender(3, Some("about:blank")).is_embedded_elsewhere());
        assert!(sender(3, None).is_embedded_elsewhere());
        assert_eq!(host_of("http://user@[::1]:80/"), Some("[::1]"));
    }

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
