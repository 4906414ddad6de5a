//! The state of the extension, the host and its servers.

use leptos::prelude::*;
use protocol::wire::{
    host::ErrorCode,
    inspector::{Background, FromInspector, Health, Problem, Question, Reply},
};

use super::state::App;
use crate::{chart::ChartSecond, timers::run_later, timing};

/// The most documents that are kept, so that events still name their document after it is closed.
const MAX_DOCUMENTS: usize = 1000;

impl App {
    pub fn ask(self, question: Question, on_reply: impl FnMut(Reply) + 'static) {
        self.link.with_value(|link| link.ask(question, on_reply));
    }

    pub fn record_background(self, background: Background) {
        self.host.documents.update(|documents| {
            if documents.len() > MAX_DOCUMENTS {
                documents.clear();
            }
            for document in &background.documents {
                documents.insert(document.context.clone(), document.clone());
            }
        });
        self.host.background.set(Some(background));
    }

    /// Asks for the host's health again and again. `last_head`: the newest event at the last
    /// answer.
    pub fn watch_health(self, last_head: Option<u64>) {
        self.ask(Question::Health {}, move |reply| {
            let (health, problem) = match reply {
                Reply::Health(health) => (Some(health), None),
                // The background reports a missing host itself.
                Reply::Failed(error) if error.code == ErrorCode::HostAway => (None, None),
                Reply::Failed(error) => {
                    let (message, fix) = (error.message, error.fix);
                    (None, Some(Problem { message, fix }))
                }
                _ => (None, None),
            };
            let head = health.as_ref().map(|health| health.head);
            self.add_chart_second(health.as_ref(), last_head);
            self.host.health.set(health);
            self.host.health_problem.set(problem);
            run_later(timing::HEALTH_INTERVAL_MS, move || {
                self.watch_health(head.or(last_head));
            });
        });
    }

    fn add_chart_second(self, health: Option<&Health>, last_head: Option<u64>) {
        let events = match (health, last_head) {
            (Some(health), Some(last_head)) => health.head.saturating_sub(last_head),
            _ => 0,
        };
        let lag = health.and_then(|health| {
            let sinks = health.sinks.iter().filter(|sink| sink.enabled);
            sinks.filter_map(|sink| sink.lag).next_back()
        });
        self.host.chart.update(|chart| {
            chart.pop_front();
            chart.push_back(ChartSecond {
                events,
                lag: lag.map(|lag| lag.p50),
            });
        });
    }

    pub fn toggle_capture_pause(self) {
        let is_paused = self
            .host
            .background
            .with_untracked(|background| background.as_ref().is_some_and(|background| background.paused));
        self.link
            .with_value(|link| link.send(&FromInspector::Pause { paused: !is_paused }));
    }
}
