//! Where writes are called from, for inspectors that want to see it.
//!
//! Invariants: no stack is taken unless an open inspector wants it; a stack goes to inspectors
//! only, never to the host, and the key beside it is redacted as in the delivery itself.

use std::borrow::Cow;

use protocol::{
    body::Operation,
    json,
    wire::{
        bridge::ToBridge,
        inspector::{Trace, Traced},
    },
};
use serde::Deserialize;

use super::{Action, Relay, to_bridge};
use crate::background::{inspectors::Notification, outbox::Content};

/// Of how many deliveries a bridge's stacks are kept until they come, and how many bytes of them:
/// they come at once.
const MAX_STACKS: usize = 1024;
const MAX_STACK_BYTES: usize = 4 * 1024 * 1024;

/// How many bytes stacks take. Empty ones take some, too.
fn size_of_stacks(stacks: &[String]) -> usize {
    stacks.iter().map(|stack| size_of::<String>() + stack.len()).sum()
}

/// [`protocol::body::Body`], as far as it is looked at here.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body<'a> {
    #[serde(borrow)]
    Commit(Commit<'a>),
}

#[derive(Deserialize)]
struct Commit<'a> {
    #[serde(borrow)]
    operations: Vec<Operation<'a>>,
}

impl Relay {
    /// Tells the bridges what has changed of whose stacks are wanted.
    pub(super) fn retrace(&mut self) {
        for (port, bridge) in self.bridges.admitted() {
            let on = self.inspectors.tracers(bridge.page().tab).next().is_some();
            if std::mem::replace(&mut bridge.traced, on) != on {
                bridge.stacks.clear();
                bridge.stack_bytes = 0;
                self.actions.extend(to_bridge(port, &ToBridge::Trace { on }));
            }
        }
    }

    /// The stacks of a delivery that is about to come.
    pub(super) fn stacks_came(&mut self, port: u32, sequence: u64, stacks: Vec<String>) {
        let bytes = size_of_stacks(&stacks);
        if let Some(bridge) = self.bridges.note_message(port)
            && bridge.traced
            && bridge.stacks.len() < MAX_STACKS
            && bridge.stack_bytes + bytes <= MAX_STACK_BYTES
        {
            bridge.stack_bytes += bytes;
            let before = bridge.stacks.insert(sequence, stacks);
            bridge.stack_bytes -= before.map_or(0, |stacks| size_of_stacks(&stacks));
        }
    }

    /// The delivery has come: tells inspectors where its writes were called from, if that is known.
    pub(super) fn tell_trace(&mut self, port: u32, sequence: u64, content: &Content) {
        let Some(bridge) = self.bridges.note_message(port) else {
            return;
        };
        let Some(stacks) = bridge.stacks.remove(&sequence) else {
            return;
        };
        let (tab, transaction) = (bridge.page().tab, format!("{}:{sequence}", bridge.context));
        let origin = bridge.page().origin.clone();
        bridge.stack_bytes -= size_of_stacks(&stacks);
        (self.in_hand)(Some((&bridge.context, sequence)));
        self.tell_stacks(tab, &origin, transaction, stacks, content);
        (self.in_hand)(None);
    }

    fn tell_stacks(
        &mut self,
        tab: i64,
        origin: &str,
        transaction: String,
        stacks: Vec<String>,
        content: &Content,
    ) {
        let text = match content {
            Content::Whole(body) => Cow::Borrowed(body.get()),
            Content::Parts(parts) => Cow::Owned(parts.concat()),
        };
        // Without the rules no key may be shown.
        let Ok(redaction) = self.applicable() else {
            return;
        };
        let body = redaction.body(origin, &text);
        let Ok(Body::Commit(Commit { operations })) = json::read(&body) else {
            return;
        };
        let writes = operations
            .iter()
            .zip(stacks)
            .filter(|(_, stack)| !stack.is_empty())
            .map(|(operation, stack)| Traced {
                store: operation.store().to_owned(),
                key: match operation {
                    Operation::Put { key, .. }
                    | Operation::Add { key, .. }
                    | Operation::Delete { key, .. } => Some((*key).to_owned()),
                    _ => None,
                },
                stack,
            })
            .collect();
        let trace = Notification::Trace(Trace { transaction, writes });
        if let Ok(text) = serde_json::to_string(&trace) {
            let ports = self.inspectors.tracers(tab);
            self.actions.extend(ports.map(|port| Action::ToPort {
                port,
                text: text.clone(),
            }));
        }
    }
}
