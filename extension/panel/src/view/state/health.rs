//! How the host is: asked for now and then.

use protocol::{
    inspect::{Question, Remark, Reply},
    message::ErrorCode,
};

use super::State;
use crate::{chart::Second, link};

/// How often the host is asked how it is, in milliseconds.
const PACE: i32 = 1000;

impl State {
    /// Asks after the host's health now and then. `seen`: the last event that it had.
    pub(super) fn watch_health(self, seen: Option<u64>) {
        self.ask(Question::Health {}, move |reply| {
            let (health, unwell) = match reply {
                Reply::Health(health) => (Some(health), None),
                // That it is away the background says itself.
                Reply::Failed(error) if error.code == ErrorCode::HostAway => (None, None),
                Reply::Failed(error) => (
                    None,
                    Some(Remark {
                        message: error.message,
                        cure: error.cure,
                    }),
                ),
                _ => (None, None),
            };
            let head = health.as_ref().map(|health| health.head);
            let last = health.as_ref().and_then(|health| {
                let sinks = health.sinks.iter().filter(|sink| sink.enabled);
                sinks.filter_map(|sink| sink.lag).next_back()
            });
            self.chart.update(|chart| {
                chart.pop_front();
                chart.push_back(Second {
                    events: match (head, seen) {
                        (Some(head), Some(seen)) => head.saturating_sub(seen),
                        _ => 0,
                    },
                    lag: last.map(|lag| lag.p50),
                });
            });
            self.health.set(health);
            self.unwell.set(unwell);
            link::later(PACE, move || self.watch_health(head.or(seen)));
        });
    }
}
