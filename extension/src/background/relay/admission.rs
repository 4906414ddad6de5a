//! Which documents are captured.
//!
//! Invariants: a document is decided on once, when it has said where it is and the host has said
//! hello; no document is turned away while the policy may still allow it.

use protocol::{
    problem::Problem,
    wire::bridge::{BRIDGE_WINDOW, BRIDGES_WINDOW, MAX_PART_UNITS, Open, SMALLEST_WINDOW, ToBridge, Welcome},
};

use super::{Action, Link, PolicyWait, Relay, to_bridge};
use crate::background::{
    bridges::{Refusal, Standing},
    identity, problems,
};

impl Relay {
    /// A document says who it is and where. Once: by then the decision is made.
    pub(super) fn introduced(&mut self, port: u32, open: &Open<'_>) {
        let Some(bridge) = self.bridges.note_message(port) else {
            return;
        };
        if !bridge.context.is_empty() {
            return;
        }
        let problem = identity::problem_of_place(&bridge.sender, &open.place);
        let origin = bridge.page().origin.clone();
        // The host tells documents apart by their contexts: one of another origin would make it
        // drop deliveries.
        if self.bridges.is_context_of_another(&open.context, &origin)
            || self.outbox.holds_of_another(&open.context, &origin)
        {
            return self.refuse_for_good(port, problems::context_of_another(&origin));
        }
        self.bridges
            .introduce(port, &open.context, open.late, open.survey);
        self.changed = true;
        if let Some(problem) = problem {
            self.refuse_for_good(port, problem);
        } else if self.link == Link::Up {
            self.decide();
        }
    }

    /// Answers every bridge that waits.
    pub(super) fn decide(&mut self) {
        let (mut welcome, mut refused) = (Vec::new(), Vec::new());
        for (port, bridge) in self.bridges.introduced() {
            let allowed = self.capture.allows(&bridge.page().origin);
            match bridge.standing {
                Standing::Waiting if allowed => {
                    bridge.standing = Standing::Welcome;
                    welcome.push(port);
                }
                // The policy may allow it yet.
                _ if self.policy_wait != PolicyWait::Over => {}
                // The configuration may have changed since it was welcome.
                Standing::Waiting | Standing::Welcome if !allowed => {
                    refused.push((port, bridge.context.clone(), bridge.page().origin.clone()));
                }
                _ => {}
            }
        }
        self.grant(&welcome);
        for port in welcome {
            if let Some(bridge) = self.bridges.note_message(port) {
                let wants_survey = std::mem::take(&mut bridge.wants_survey);
                let origin = bridge.page().origin.clone();
                self.choose_meterer(&origin);
                if wants_survey {
                    self.survey(&origin);
                } else {
                    self.readers_changed(&origin);
                }
                self.reader_came(&origin);
            }
        }
        self.retrace();
        for (port, context, origin) in refused {
            self.outbox.forget(&context);
            self.refuse(port, problems::not_captured(&origin));
        }
    }

    /// Tells bridges how much they may have on its way: these, and all others if it is not what
    /// they were granted before.
    pub(super) fn grant(&mut self, new: &[u32]) {
        let ports = self.bridges.welcome();
        // By powers of two, so that not every document that comes or goes is news for all others.
        let share = BRIDGES_WINDOW / ports.len().max(1).next_power_of_two();
        let window = share.clamp(SMALLEST_WINDOW, BRIDGE_WINDOW);
        let changed = std::mem::replace(&mut self.window, window) != window;
        let welcome = ToBridge::Welcome(Welcome {
            window,
            part_units: MAX_PART_UNITS,
        });
        for port in ports {
            if changed || new.contains(&port) {
                self.actions.extend(to_bridge(port, &welcome));
            }
        }
    }

    /// Ends the capture of a document, and says why at its tab.
    pub(super) fn refuse(&mut self, port: u32, problem: Problem) {
        self.turn_away(port, problem, false);
    }

    /// The same for a document that is not captured even if its origin is enabled.
    pub(super) fn refuse_for_good(&mut self, port: u32, problem: Problem) {
        self.turn_away(port, problem, true);
    }

    pub(super) fn turn_away(&mut self, port: u32, problem: Problem, lasting: bool) {
        self.changed = true;
        if let Some(bridge) = self.bridges.note_message(port) {
            // The first reason stays.
            if bridge.standing == Standing::Refused {
                return;
            }
            bridge.standing = Standing::Refused;
            bridge.refused = Some(Refusal {
                problem: problem.clone(),
                lasting,
            });
            let page = bridge.page();
            let (tab, origin) = (page.tab, page.origin.clone().into_owned());
            self.actions.extend(to_bridge(port, &ToBridge::Refused {}));
            self.actions.push(Action::ShowInTab { tab, problem });
            self.reader_gone(port);
            self.meterer_gone(port, &origin);
        }
    }
}
