//! The redaction rules: from the user, the host's configuration and managed policy. All of them
//! hold.

use protocol::{
    redact::{Redaction, Rule},
    wire::host::{Rules, ToHost},
};

use super::{Link, PolicyWait, Relay};
use protocol::problem::Problem;

use crate::background::problems;

impl Relay {
    /// The rules have changed: what leaves from now on is redacted by all there are now.
    pub(super) fn rebuild_redaction(&mut self) {
        let rules = self.rules.values().flatten();
        self.redaction = match (self.policy_wait, &self.unreadable_policy) {
            (PolicyWait::Long, _) => Err(problems::policy_late()),
            (PolicyWait::Short, _) => Err(problems::policy_awaited()),
            (PolicyWait::Over, Some(reason)) => Err(problems::unreadable_policy(reason)),
            (PolicyWait::Over, None) => {
                Redaction::new(rules, &self.secret).map_err(|error| problems::broken_rule(&error))
            }
        };
        self.changed = true;
    }

    /// The same, and notifies the host, documents and inspectors.
    pub(super) fn rules_changed(&mut self) {
        let shown = self.rules_problem();
        self.rebuild_redaction();
        match self.rules_problem() {
            Some(problem) => self.show(Some(problem)),
            // What is shown otherwise is another problem.
            None if shown.is_some() => self.show(None),
            None => {}
        }
        self.tell_rules();
        self.send();
    }

    /// What a person must correct before anything leaves.
    pub(super) fn rules_problem(&self) -> Option<Problem> {
        let problem = self.redaction.as_ref().err().cloned();
        problem.filter(|_| self.policy_wait != PolicyWait::Short)
    }

    /// The browser has had time to tell the policy. Until it does nothing leaves, and the user
    /// sees why.
    pub(super) fn policy_is_late(&mut self) {
        if self.policy_wait == PolicyWait::Short {
            self.policy_wait = PolicyWait::Long;
            self.rules_changed();
        }
    }

    /// Tells the host by which rules everything that follows is redacted. It has everything read
    /// again if they are new.
    pub(super) fn tell_rules(&mut self) {
        if let Ok(redaction) = &self.redaction
            && self.link == Link::Up
        {
            let fingerprint = redaction.fingerprint().to_owned().into();
            self.tell_host(&ToHost::<()>::Rules(Rules { fingerprint }));
        }
    }

    /// The user's rules. Our own page checks them before; should another version's not have, the
    /// old ones stay.
    pub(super) fn set_user_rules(&mut self, rules: Vec<Rule>) {
        if let Some(error) = rules.iter().find_map(|rule| rule.check().err()) {
            return self.show(Some(problems::broken_rule(&error)));
        }
        self.rules.insert("user".to_owned(), rules);
        self.save();
        self.rules_changed();
    }
}
