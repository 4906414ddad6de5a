//! Which document looks for unseen writes of an origin, and what it has to know of the others.
//!
//! Invariants: at most one document of an origin looks, and only while a person can see it; it is
//! notified of another document's commit before it can take that commit for an unseen write, as far
//! as the messages are fast enough; a document that takes over continues from what the one before
//! has read.

use protocol::{
    table::Table,
    wire::bridge::{MeterReading, ToBridge},
};

use super::{Relay, to_bridge};

/// The storage meter of an origin.
#[derive(Debug)]
struct Meter {
    /// The port of the document that reads it, or was the last one to.
    port: u32,
    /// It does so now.
    looks: bool,
    /// What that document has read last, once it is hidden.
    from: Option<MeterReading>,
    /// Another document has committed since it last accounted for that.
    committed: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Meters {
    by_origin: Table<String, Meter>,
}

impl Relay {
    /// Whether a document looks for unseen writes of an origin.
    pub(super) fn is_meterer(&self, port: u32, origin: &str) -> bool {
        let meter = self.meters.by_origin.get(origin);
        meter.is_some_and(|meter| meter.looks && meter.port == port)
    }

    /// Has a document look for unseen writes of an origin, unless one does.
    pub(super) fn choose_meterer(&mut self, origin: &str) {
        let meter = self.meters.by_origin.get(origin);
        if meter.is_some_and(|meter| meter.looks) {
            return;
        }
        // With no document in sight the last one stays, with what it has read.
        let Some(port) = self.bridges.meterer_of(origin) else {
            return;
        };
        let from = meter.and_then(|Meter { from, committed, .. }| {
            from.map(
                |MeterReading {
                     bytes,
                     committed: own,
                 }| MeterReading {
                    bytes,
                    committed: own || *committed,
                },
            )
        });
        let meter = Meter {
            port,
            looks: true,
            from: None,
            committed: false,
        };
        self.meters.by_origin.insert(origin.to_owned(), meter);
        self.actions.extend(to_bridge(port, &ToBridge::Meter { from }));
    }

    /// A document can be seen.
    pub(super) fn meterer_shown(&mut self, port: u32) {
        if let Some(origin) = self.bridges.origin_of_reader(port) {
            self.choose_meterer(&origin);
        }
    }

    /// A document is hidden; what it has read of the meter.
    pub(super) fn meterer_hidden(&mut self, port: u32, from: Option<MeterReading>) {
        let Some(origin) = self.bridges.origin_of_reader(port) else {
            return;
        };
        if let Some(meter) = self.meters.by_origin.get_mut(&origin)
            && meter.port == port
            && meter.looks
        {
            meter.looks = false;
            meter.from = from;
        }
        self.choose_meterer(&origin);
    }

    /// A document of an origin is gone: with it, perhaps, a worker that has just written.
    pub(super) fn meterer_gone(&mut self, port: u32, origin: &str) {
        if !self.bridges.readers(origin).any(|_| true) {
            self.meters.by_origin.remove(origin);
            return;
        }
        let Some(meter) = self.meters.by_origin.get_mut(origin) else {
            return;
        };
        if meter.port == port {
            meter.looks = false;
            self.choose_meterer(origin);
        } else {
            self.watch(origin, false);
        }
    }

    /// Has the document that looks for unseen writes do so more often.
    pub(super) fn watch(&mut self, origin: &str, found: bool) {
        if let Some(meter) = self.meters.by_origin.get(origin) {
            self.actions
                .extend(to_bridge(meter.port, &ToBridge::Watch { found }));
        }
    }

    /// A commit of a document has come.
    pub(super) fn note_commit(&mut self, port: u32, origin: &str) {
        let Some(meter) = self.meters.by_origin.get_mut(origin) else {
            return;
        };
        // It knows its own commits.
        if meter.committed || (meter.looks && meter.port == port) {
            return;
        }
        meter.committed = true;
        if meter.looks {
            self.actions
                .extend(to_bridge(meter.port, &ToBridge::Committed {}));
        }
    }

    /// The document that looks for unseen writes has accounted for the others' commits.
    pub(super) fn metered(&mut self, port: u32) {
        let meters = self.meters.by_origin.values_mut();
        if let Some(meter) = meters.into_iter().find(|meter| meter.port == port) {
            meter.committed = false;
        }
    }
}
