//! The background's behaviour, without a browser: what happens goes in, what is to be done comes
//! out.
//!
//! Invariants: a document's origin is what the browser said when its port was opened; it is
//! captured only if its databases are that origin's own ([`identity`](super::identity)), and its
//! context is its origin's alone; nothing of a document reaches the host before the host has said
//! hello, and never if its origin is not enabled; what leaves is redacted by all rules, and nothing
//! leaves while one of them cannot be applied or the browser has not reported the policy's; a lone
//! delivery leaves at once.

use std::{collections::BTreeSet, time::Duration};

use super::{
    backoff::Backoff,
    bridges::{Bridges, Standing},
    capture::Capture,
    identity::{self, Sender},
    inspectors::Inspectors,
    outbox::Outbox,
    problems,
};
use crate::timing;
use protocol::{
    json,
    problem::Problem,
    redact::{Redaction, Rule},
    table::Table,
    wire::{
        bridge::{BRIDGE_WINDOW, FromBridge, Hidden, MAX_CONTEXT, ToBridge},
        host::ExtensionHello,
        inspector::DeepCapture,
    },
};

mod admission;
mod deep_capture;
mod deliveries;
mod host;
mod inspection;
mod look;
mod meters;
mod parts;
mod questions;
mod rules;
mod stamp;
mod sudden_ends;
mod surveys;
mod trace;
mod workers;

use host::{Complaint, Link};
pub use look::Looking;
use meters::Meters;
use questions::Questions;
use sudden_ends::SuddenEnds;
pub use surveys::Alarm;
use surveys::Surveys;

/// Something to be done in the browser.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the host, after a while, and tell [`Relay::host_started`].
    StartHost {
        /// How long to wait.
        after: Duration,
    },
    /// Tell [`Relay::woken`] after a while.
    Wake {
        /// What is to be looked at.
        alarm: Alarm,
        /// After which time.
        after: Duration,
    },
    /// End the connection to the host; [`Relay::host_gone`] is not expected.
    StopHost,
    /// A message for the host, as JSON.
    ToHost(String),
    /// A message for a bridge or an inspector.
    ToPort {
        /// The number of the port.
        port: u32,
        /// The JSON.
        text: String,
    },
    /// Let the page scripts run under exactly these match patterns.
    Register(Vec<String>),
    /// Keep this for the next start.
    Save(Decisions),
    /// Show at the extension's button what is wrong, or that nothing is.
    Show {
        /// What is wrong.
        problem: Option<Problem>,
        /// Whether capture rests.
        paused: bool,
    },
    /// Show why a document in this tab is not captured.
    ShowInTab {
        /// The tab's id; -1 for none.
        tab: i64,
        /// Why, and what to do about it.
        problem: Problem,
    },
    /// Capture the workers of a tab as they write, or do so no more.
    CaptureDeeply {
        /// The tab's id.
        tab: i64,
        /// Whether they are to be captured.
        enabled: bool,
    },
    /// Ask a page's isolated world what its databases hold, and tell [`Relay::looked`].
    Look {
        /// Where, and for whom.
        looking: Looking,
        /// What `content/inspect.js` is asked, as JSON.
        request: String,
    },
}

/// What an administrator prescribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Origins to capture.
    pub origins: Vec<String>,
    /// Redaction rules, or why they cannot be read.
    pub redact: Result<Vec<Rule>, String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            redact: Ok(Vec::new()),
        }
    }
}

/// Called with the context and number of a delivery before it is inspected, and with `None`
/// afterwards.
pub type InHand = fn(Option<(&str, u64)>);

/// What makes the hashes of this browser profile its own. It never leaves the browser.
pub type Secret = [u8; 32];

/// What was decided in an earlier life of the background.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Origins that the user switched on.
    pub origins: Vec<String>,
    /// Origins that the host's configuration had: pages that load before the host's hello are
    /// captured from their first script on.
    pub host_origins: Vec<String>,
    /// Origins that the policy had, for pages that load before the browser tells the policy.
    pub policy_origins: Vec<String>,
    /// The user's redaction rules.
    pub rules: Vec<Rule>,
    /// Whether capture rests.
    pub paused: bool,
}

/// Who we are, for the host.
pub type Identity = ExtensionHello<'static>;

/// Whether the browser has reported the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PolicyWait {
    /// It has.
    Over,
    /// Not yet.
    Short,
    /// It should have by now: the user is notified.
    Long,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Relay {
    identity: Identity,
    capture: Capture,
    link: Link,
    bridges: Bridges,
    surveys: Surveys,
    sudden_ends: SuddenEnds,
    meters: Meters,
    questions: Questions,
    /// Whether an alarm is set for deliveries of which no part comes.
    watches_parts: bool,
    outbox: Outbox,
    backoff: Backoff,
    complaint: Complaint,
    problem: Option<Problem>,
    /// What the host's servers lack.
    servers: Vec<Problem>,
    /// What is shown at the extension's button.
    shown: (Option<Problem>, bool),
    host_version: Option<String>,
    inspectors: Inspectors,
    /// Deep capture by the tab.
    deep_captures: Table<i64, DeepCapture>,
    /// How much each bridge may have on its way.
    window: usize,
    /// By who made them.
    rules: Table<String, Vec<Rule>>,
    /// Why the policy's rules are not among them.
    unreadable_policy: Option<String>,
    /// The browser has not reported the policy yet: Chromium takes seconds. Until then no document
    /// is turned away, and nothing leaves.
    policy_wait: PolicyWait,
    /// This profile's own.
    secret: Secret,
    /// All rules together, or why they cannot be applied.
    redaction: Result<Redaction, Problem>,
    /// Capture rests: the host is sent no deliveries.
    paused: bool,
    /// The match patterns for which we have the browser's permission, once that is known.
    granted: Option<Vec<String>>,
    /// Whether inspectors may need a notification.
    changed: bool,
    /// Deliveries that are not to be looked into: the background has failed on them.
    left_out: BTreeSet<(String, u64)>,
    in_hand: InHand,
    actions: Vec<Action>,
}

impl Relay {
    /// Begins by starting the host: only it knows what is to be captured.
    pub fn new(identity: Identity, decisions: Decisions, secret: Secret) -> Self {
        let mut relay = Self {
            identity,
            capture: Capture::new(&decisions.origins, &decisions.host_origins),
            link: Link::Down,
            bridges: Bridges::default(),
            surveys: Surveys::default(),
            sudden_ends: SuddenEnds::default(),
            meters: Meters::default(),
            questions: Questions::default(),
            watches_parts: false,
            outbox: Outbox::default(),
            backoff: Backoff::default(),
            complaint: Complaint::default(),
            problem: None,
            servers: Vec::new(),
            shown: (None, false),
            host_version: None,
            inspectors: Inspectors::default(),
            deep_captures: Table::new(),
            window: BRIDGE_WINDOW,
            rules: Table::new(),
            unreadable_policy: None,
            policy_wait: PolicyWait::Short,
            secret,
            redaction: Redaction::new([], &secret).map_err(|error| problems::broken_rule(&error)),
            paused: decisions.paused,
            granted: None,
            changed: false,
            left_out: BTreeSet::new(),
            in_hand: |_| {},
            actions: Vec::new(),
        };
        relay.capture.set_policy(&decisions.policy_origins);
        // Registered scripts wake the background: they come before everything that takes time.
        let patterns = relay.capture.match_patterns();
        if !patterns.is_empty() {
            relay.actions.push(Action::Register(patterns));
        }
        relay.actions.push(Action::StartHost {
            after: Duration::ZERO,
        });
        relay.actions.push(Action::Wake {
            alarm: Alarm::Policy,
            after: timing::POLICY_PATIENCE,
        });
        relay.rules.insert("user".to_owned(), decisions.rules);
        relay.rebuild_redaction();
        if relay.paused {
            relay.show_state();
        }
        relay
    }

    /// The same behind a background that failed, twice on each of these deliveries. Deliveries are
    /// reported from now on before they are inspected.
    #[must_use]
    pub fn after_traps(mut self, left_out: impl IntoIterator<Item = (String, u64)>, in_hand: InHand) -> Self {
        self.left_out = left_out.into_iter().collect();
        self.in_hand = in_hand;
        self
    }

    /// What is to be done now, in this order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        self.tell_news();
        std::mem::take(&mut self.actions)
    }

    /// A document opened a port.
    pub fn bridge_opened(&mut self, port: u32, sender: Sender) {
        let problem = identity::problem_of_sender(&sender);
        self.bridges.open(port, sender);
        if let Some(problem) = problem {
            self.refuse_for_good(port, problem);
        }
    }

    /// The browser has put a document into the back/forward cache, and closes its port. The
    /// document knows, and what it has to say comes over another one.
    pub fn document_cached(&mut self, port: u32) {
        if let Some(bridge) = self.bridges.get_mut(port) {
            bridge.leaving = true;
        }
    }

    /// A port is closed.
    pub fn port_closed(&mut self, port: u32) {
        let origin = self.bridges.origin_of_reader(port);
        self.note_end(port);
        self.bridges.close(port);
        self.reader_gone(port);
        if let Some(origin) = origin {
            // What is unseen from here on is found behind the reading.
            self.meterer_gone(port, &origin);
            self.readers_changed(&origin);
        }
        self.grant(&[]);
        self.inspectors.close(port);
        self.retrace();
        self.changed = true;
    }

    /// A document opened a port that was closed at once: the background has failed on it twice.
    pub fn document_cut_off(&mut self, sender: &Sender) {
        let problem = problems::cut_off(&sender.page.origin);
        if self.bridges.note_cut_off(sender, problem.clone()) {
            let tab = sender.page.tab;
            self.actions.push(Action::ShowInTab { tab, problem });
            self.changed = true;
        }
    }

    /// A message came over a port.
    pub fn port_said(&mut self, port: u32, text: &str) {
        if self.inspectors.has(port) {
            self.inspector_said(port, text);
        } else {
            self.bridge_said(port, text);
        }
    }

    /// A message from a document. Invalid messages are ignored: the bridge is our code but shares a
    /// process with the page.
    fn bridge_said(&mut self, port: u32, text: &str) {
        let Ok(message) = json::read(text) else {
            return;
        };
        let Some(bridge) = self.bridges.note_message(port) else {
            return;
        };
        let is_reading = matches!(message, FromBridge::Surveying {});
        match message {
            // No bridge of ours has such a context, and the host takes none.
            FromBridge::Open(open) if open.context.len() > MAX_CONTEXT => {}
            FromBridge::Open(open) => self.introduced(port, &open),
            FromBridge::Leaving {} => {
                bridge.leaving = true;
                let context = bridge.context.clone();
                self.forget_end(&context);
                self.reader_gone(port);
            }
            FromBridge::Shown {} => {
                bridge.shown = true;
                self.meterer_shown(port);
            }
            FromBridge::Hidden(Hidden { meter }) => {
                bridge.shown = false;
                self.meterer_hidden(port, meter);
            }
            FromBridge::Metered {} => self.metered(port),
            FromBridge::Worker(worker) => self.worker_seen(port, &worker.url),
            FromBridge::Writing {} => bridge.writing = true,
            FromBridge::Rested {} => bridge.writing = false,
            FromBridge::Trace(trace) => {
                let stacks = trace
                    .stacks
                    .into_iter()
                    .map(std::borrow::Cow::into_owned)
                    .collect();
                self.stacks_came(port, trace.sequence, stacks);
            }
            FromBridge::Survey {} if bridge.standing == Standing::Welcome => {
                let origin = bridge.page().origin.clone();
                self.survey_by(&origin, Some(port));
            }
            // Asked for when it is welcome.
            FromBridge::Survey {} => bridge.wants_survey = true,
            // Counting the message is all.
            FromBridge::Surveying {} => {}
            FromBridge::Surveyed {} => self.surveyed(port),
        }
        self.note_activity(port, is_reading);
    }

    /// A document has said something: that it reads, perhaps.
    fn note_activity(&mut self, port: u32, is_reading: bool) {
        if is_reading {
            self.bridges.note_reading(port);
        }
        self.reader_spoke(port);
    }

    fn tell_host(&mut self, message: &impl serde::Serialize) {
        if let Ok(text) = serde_json::to_string(message) {
            self.actions.push(Action::ToHost(text));
        }
    }

    fn tell_context(&mut self, context: &str, message: &ToBridge<'_>) {
        for port in self.bridges.ports_of(context) {
            self.actions.extend(to_bridge(port, message));
        }
    }

    fn show(&mut self, problem: Option<Problem>) {
        if self.problem != problem {
            self.problem = problem;
            self.changed = true;
            self.show_state();
        }
    }

    /// At the button there is room for one problem: what is nearest to the page.
    fn show_state(&mut self) {
        let ungranted = self
            .granted
            .as_deref()
            .map_or_else(Vec::new, |granted| self.capture.ungranted(granted));
        let problem = self
            .problem
            .clone()
            .or_else(|| ungranted.first().map(|origin| problems::ungranted(origin)))
            .or_else(|| self.servers.first().cloned());
        let shown = (problem, self.paused);
        if shown != self.shown {
            self.shown = shown.clone();
            let (problem, paused) = shown;
            self.actions.push(Action::Show { problem, paused });
        }
    }
}

/// `None` cannot happen: nothing in these messages fails to serialise.
fn to_bridge(port: u32, message: &ToBridge<'_>) -> Option<Action> {
    let text = serde_json::to_string(message).ok()?;
    Some(Action::ToPort { port, text })
}

#[cfg(test)]
mod tests;
