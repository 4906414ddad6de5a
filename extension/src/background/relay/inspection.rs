//! The inspectors' requests, the answers and notifications, and the user's decisions there.

use protocol::{
    json,
    wire::inspector::{Answer, Background, FromInspector, Problem},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Action, Decisions, Link, PolicyWait, Relay};
use crate::background::inspectors::{Ask, Notification, failed};

/// [`protocol::wire::host::ToHost::Ask`], with the question as raw JSON.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Question<'a> {
    Ask(&'a Ask),
}

impl Relay {
    /// One of our own pages opened a port.
    pub fn inspector_opened(&mut self, port: u32) {
        self.inspectors.connect(port);
    }

    /// Whether the match patterns that are granted were these, or have become these.
    pub fn granted(&mut self, patterns: Vec<String>) {
        self.granted = Some(patterns);
        self.changed = true;
        self.show_state();
    }

    /// The browser's permissions have changed.
    pub fn permissions_changed(&mut self) {
        self.actions.push(Action::Register(self.capture.match_patterns()));
    }

    /// The managed policy is this.
    pub fn policy(&mut self, policy: super::Policy) {
        let known = self.capture.policy();
        self.capture.set_policy(&policy.origins);
        if self.capture.policy() != known {
            self.save();
        }
        let (rules, unreadable) = match policy.redact {
            Ok(rules) => (rules, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        self.rules.insert("policy".to_owned(), rules);
        self.unreadable_policy = unreadable;
        let wait = std::mem::replace(&mut self.policy_wait, PolicyWait::Over);
        if wait != PolicyWait::Over {
            self.rebuild_redaction();
        }
        if wait == PolicyWait::Long {
            self.show(None);
        }
        // Nothing leaves before every document is judged, nor before the host knows the rules.
        self.recapture();
        self.rules_changed();
    }

    /// A message from an inspector. Invalid messages are ignored: they come from a page of another
    /// version, about to be closed.
    pub(super) fn inspector_said(&mut self, port: u32, text: &str) {
        let Ok(message) = json::read(text) else {
            return;
        };
        match message {
            FromInspector::Open { tab } => {
                self.inspectors.open(port, tab);
                self.changed = true;
            }
            FromInspector::Ask(ask) => {
                let id = ask.id;
                match self.inspectors.ask(port, ask) {
                    Ok(ask) if self.link == Link::Up => self.ask(&ask),
                    Ok(_) => self.fail_questions(),
                    Err(error) => self.tell_inspector(port, failed(id, &error)),
                }
                self.changed = true;
            }
            FromInspector::Look { id, tab, look } => self.look(port, id, tab, look),
            FromInspector::Trace(wanted) => {
                self.inspectors.trace(port, wanted);
                self.retrace();
            }
            FromInspector::DeepCapture { tab, enabled } => {
                self.actions.push(Action::CaptureDeeply { tab, enabled });
            }
            FromInspector::Capture { origin, enabled } => {
                if self.capture.set_user(&origin, enabled) {
                    self.save();
                    self.recapture();
                    self.send();
                }
            }
            FromInspector::Rules(rules) => {
                self.set_user_rules(rules);
            }
            FromInspector::Pause { paused } => {
                self.paused = paused;
                self.save();
                self.changed = true;
                self.show_state();
                self.send();
            }
        }
    }

    /// The host's answer finds who asked.
    pub(super) fn answered(&mut self, answer: Answer<Box<RawValue>>) {
        if let Some((port, answer)) = self.inspectors.answered(answer) {
            self.tell_inspector(port, answer);
            self.changed = true;
        }
    }

    fn ask(&mut self, ask: &Ask) {
        self.tell_host(&Question::Ask(ask));
    }

    /// There is a host: what waited for one is asked.
    pub(super) fn ask_again(&mut self) {
        let waiting: Vec<_> = self.inspectors.waiting().collect();
        for ask in waiting {
            self.ask(&ask);
        }
    }

    /// There is no host: what cannot wait has failed.
    pub(super) fn fail_questions(&mut self) {
        let reason = self.problem.clone().map_or_else(
            || Problem {
                message: "The host is being started.".into(),
                fix: "Ask again in a moment.".into(),
            },
            Problem::from,
        );
        for (port, answer) in self.inspectors.host_away(&reason) {
            self.tell_inspector(port, answer);
        }
    }

    /// Notifies inspectors of the changes since the last notification.
    pub(super) fn tell_news(&mut self) {
        if !std::mem::take(&mut self.changed) || self.inspectors.is_empty() {
            return;
        }
        let mut inspectors = std::mem::take(&mut self.inspectors);
        for (port, text) in inspectors.news(|tab| self.background(tab)) {
            self.actions.push(Action::ToPort { port, text });
        }
        self.inspectors = inspectors;
    }

    fn tell_inspector(&mut self, port: u32, answer: Answer<Box<RawValue>>) {
        if let Ok(text) = serde_json::to_string(&Notification::Answer(answer)) {
            self.actions.push(Action::ToPort { port, text });
        }
    }

    /// What is captured has changed. The caller sends what may leave now.
    fn recapture(&mut self) {
        self.actions.push(Action::Register(self.capture.match_patterns()));
        self.bridges.reconsider(|origin| self.capture.allows(origin));
        self.changed = true;
        // Until the host has said which origins it allows, no document is turned away.
        if self.link == Link::Up {
            self.decide();
            self.outbox.retain(|origin| self.capture.allows(origin));
        }
    }

    pub(super) fn save(&mut self) {
        self.actions.push(Action::Save(Decisions {
            origins: self.capture.user(),
            host_origins: self.capture.host(),
            policy_origins: self.capture.policy(),
            rules: self.rules.get("user").cloned().unwrap_or_default(),
            paused: self.paused,
        }));
    }

    fn background(&self, tab: Option<i64>) -> Background {
        Background {
            version: self.identity.version.clone().into_owned(),
            browser: self.identity.browser.clone().into_owned(),
            profile: self.identity.profile.clone().into_owned(),
            connected: self.link == Link::Up,
            host_version: self.host_version.clone(),
            problem: self.problem.clone(),
            paused: self.paused,
            waiting: self.outbox.len(),
            origins: self.capture.origins(),
            ungranted: self
                .granted
                .as_deref()
                .map_or_else(Vec::new, |granted| self.capture.ungranted(granted)),
            rules: self.rules.clone(),
            documents: self.bridges.documents(tab),
            deep_captures: self
                .deep_captures
                .values()
                .filter(|deep| tab.is_none_or(|tab| tab == deep.tab))
                .cloned()
                .collect(),
        }
    }
}
