//! The conversation with the host: its start, its end, and what it says in between.
//!
//! Invariants: a host that another start cannot help is not started again in haste; what a host
//! said is wrong with it is shown rather than the browser's word that it ended.

use protocol::{
    PROTOCOL_VERSION, json, redact,
    wire::{
        bridge::{Read, ToBridge},
        host::{ErrorCode, FromHost, HostError, HostHello, ToHost},
    },
};

use super::{Action, PolicyWait, Relay};
use protocol::problem::Problem;

use crate::{background::problems, timing};

/// How far the connection to the host has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    Greeting,
    Up,
}

/// What the host has said of itself.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    /// Its next start will fail too, unless a person does something.
    hopeless: bool,
    /// What is wrong is in its own words, on this connection.
    explained: bool,
    /// The next acknowledgement ends what is wrong.
    passing: bool,
}

impl Relay {
    /// The host runs; it has not said anything yet.
    pub fn host_started(&mut self) {
        self.link = Link::Greeting;
        self.complaint.hopeless = false;
        self.complaint.explained = false;
        self.tell_host(&ToHost::<()>::Hello(self.identity.clone()));
    }

    /// The connection to the host ended by itself, or could not be made.
    pub fn host_gone(&mut self, reason: &str) {
        self.link = Link::Down;
        self.servers.clear();
        self.changed = true;
        if self.complaint.hopeless {
            self.restart_slowly();
        } else {
            // Its own words say more than the browser's.
            if !self.complaint.explained {
                self.show(Some(problems::host_gone(reason)));
            }
            let after = self.backoff.advance();
            self.actions.push(Action::StartHost { after });
        }
        self.fail_questions();
    }

    /// A message from the host.
    pub fn host_said(&mut self, text: &str) {
        match json::read(text) {
            Ok(FromHost::Hello(hello)) => self.greeted(&hello),
            Ok(FromHost::Acknowledged { context, sequence }) => {
                self.outbox.acknowledge(&context, sequence);
                if std::mem::take(&mut self.complaint.passing) {
                    self.show(None);
                }
                self.tell_context(&context, &ToBridge::Acknowledged { sequence });
                self.send();
            }
            Ok(FromHost::Matched {
                context,
                sequence,
                stretches,
            }) => self.tell_context(&context, &ToBridge::Matched { sequence, stretches }),
            // Records cannot be found by what stands for their keys.
            Ok(FromHost::Read { origin, keys, .. }) if keys.iter().any(|key| redact::is_redacted(key)) => {
                self.survey(&origin);
            }
            Ok(FromHost::Read {
                origin,
                bucket,
                database,
                store,
                keys,
            }) => {
                let read = Read {
                    bucket: bucket.into(),
                    database: database.into(),
                    store: store.into(),
                    keys,
                };
                self.ask_reader(&origin, read);
            }
            Ok(FromHost::Snapshot { origin }) => {
                self.questions.note_origin(&origin);
                self.survey(&origin);
            }
            Ok(FromHost::Unseen { origin }) => self.watch(&origin, true),
            Ok(FromHost::Servers { problems }) => {
                self.servers = problems;
                self.show_state();
            }
            Ok(FromHost::Answer(answer)) => self.answered(answer),
            Ok(FromHost::Error(error)) => self.failed(error),
            Err(error) => self.show(Some(Problem {
                message: format!("The host sent a message that is not understood: {error}"),
                fix: "Install the same version of the host and the extension.".into(),
            })),
        }
    }

    fn greeted(&mut self, hello: &HostHello) {
        if hello.protocol != PROTOCOL_VERSION {
            self.link = Link::Down;
            self.actions.push(Action::StopHost);
            self.show(Some(problems::protocol_mismatch(hello)));
            // Should it end by itself before it is stopped: this has been said, and haste does not
            // help.
            self.complaint.explained = true;
            self.complaint.hopeless = true;
            self.restart_slowly();
            self.fail_questions();
            return;
        }
        self.link = Link::Up;
        self.changed = true;
        self.host_version = Some(hello.version.clone());
        self.rules
            .insert("configuration".to_owned(), hello.redact.clone());
        self.rebuild_redaction();
        self.complaint.explained = false;
        self.complaint.passing = false;
        self.backoff.reset();
        let known = self.capture.host();
        let problem = self.capture.set_host(&hello.origins).err().map(|error| Problem {
            message: format!("capture.origins: {error}"),
            fix: "Correct the entry in the host's configuration file.".into(),
        });
        let problem = self.rules_problem().or(problem);
        self.show(problem);
        if self.capture.host() != known {
            self.save();
        }
        self.actions.push(Action::Register(self.capture.match_patterns()));
        self.tell_rules();
        self.decide();
        // Documents that are gone again before they could be judged, or whose origin is not enabled
        // any more.
        if self.policy_wait == PolicyWait::Over {
            self.outbox.retain(|origin| self.capture.allows(origin));
        }
        self.outbox.rewind();
        self.send();
        self.tell_workers();
        self.ask_again();
    }

    fn restart_slowly(&mut self) {
        let after = timing::SLOW_BACKOFF;
        self.actions.push(Action::StartHost { after });
    }

    fn failed(&mut self, error: HostError) {
        self.complaint.explained = true;
        self.complaint.passing = matches!(
            error.code,
            ErrorCode::MalformedMessage
                | ErrorCode::MalformedDelivery
                | ErrorCode::DeliveriesMissing
                | ErrorCode::JournalFailed
        );
        match error.code {
            ErrorCode::ProtocolMismatch
            | ErrorCode::Config
            | ErrorCode::JournalFormat
            | ErrorCode::HelloExpected => {
                self.complaint.hopeless = true;
            }
            ErrorCode::OriginNotCaptured => {
                let context = error.context.as_deref().unwrap_or_default();
                let ports: Vec<u32> = self.bridges.ports_of(context).collect();
                self.outbox.forget(context);
                for port in ports {
                    self.refuse(port, error.clone().into());
                }
                return;
            }
            _ => {}
        }
        if let (Some(context), Some(sequence)) = (&error.context, error.sequence) {
            self.outbox.note_error(context, sequence);
            self.send();
        }
        self.show(Some(error.into()));
    }
}
