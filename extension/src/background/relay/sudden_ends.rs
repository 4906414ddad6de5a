//! Documents that end without a word: their process has died, or the browser has dropped their last
//! messages. They may have committed what they could not send.
//!
//! Invariants: such an end is named to the host, which has the origin read again, however often the
//! host or the background ends before it has been; one gap stands for all ends of an origin that
//! come together. It is sent under a context of its own: a document whose port only broke continues
//! under its own one, and with its own numbers. Such a document is no end, nor is the browser's.

use std::collections::BTreeMap;

use protocol::wire::{bridge::MAX_CONTEXT, host::Page};

use super::{Action, Alarm, Relay, Standing};
use crate::{
    background::outbox::{Content, Entry},
    timing,
};

/// What makes the host have the origin read again.
const GAP: &str = r#"{"gap":{"reason":"a document ended without a word","stores":[]}}"#;

/// A document whose port was closed.
#[derive(Debug)]
struct End {
    port: u32,
    context: String,
    page: Page<'static>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct SuddenEnds {
    /// Those that may be named at the next alarm, by origin.
    recent: BTreeMap<String, Vec<End>>,
}

impl Relay {
    /// A port is about to be closed. A document that goes away says so first.
    pub(super) fn note_end(&mut self, port: u32) {
        let Some(bridge) = self.bridges.get_mut(port) else {
            return;
        };
        if bridge.leaving || bridge.context.is_empty() || bridge.standing == Standing::Refused {
            return;
        }
        let end = End {
            port,
            context: bridge.context.clone(),
            page: bridge.page().clone(),
        };
        if self.sudden_ends.recent.is_empty() {
            self.actions.push(Action::Wake {
                alarm: Alarm::Ends,
                after: timing::END_DOUBT,
            });
        }
        let recent = &mut self.sudden_ends.recent;
        recent.entry(end.page.origin.to_string()).or_default().push(end);
    }

    /// A document whose port broke has come back, and announces its end.
    pub(super) fn forget_end(&mut self, context: &str) {
        for ends in self.sudden_ends.recent.values_mut() {
            ends.retain(|end| end.context != context);
        }
    }

    /// Whether another document of the origin has ended, and its gap is still to come.
    pub(super) fn has_ended_without_a_word(&self, context: &str, origin: &str) -> bool {
        let recent = self.sudden_ends.recent.get(origin);
        recent.is_some_and(|ends| ends.iter().any(|end| end.context != context))
    }

    /// Names the ends of documents that have not come back.
    pub(super) fn name_ends(&mut self) {
        for ends in std::mem::take(&mut self.sudden_ends.recent).into_values() {
            let mut ends = ends.into_iter();
            if let Some(end) = ends.find(|end| self.bridges.ports_of(&end.context).next().is_none()) {
                self.outbox.push(Entry {
                    context: own_context(&end.context, end.port),
                    page: end.page,
                    may_overtake: false,
                    sequence: 1,
                    content: Content::Parts(vec![GAP.to_owned()]),
                });
            }
        }
        self.send();
    }
}

/// The context of a gap: no document's, and no other gap's. The longest one that is taken has no
/// room for more.
fn own_context(context: &str, port: u32) -> String {
    let mut own = format!("end.{port}.");
    let room = MAX_CONTEXT - own.len();
    own.extend(context.chars().take_while(char::is_ascii).take(room));
    own
}
