//! Which document reads an origin's databases, so that of several tabs one does.
//!
//! Invariants: an origin has one reader at a time; what was asked for while it reads is read once
//! more behind it, by a reading that began later, and if possible by another document, so that a
//! store list which leaves nothing of an origin is not confirmed by the one that sent it; a reader
//! that is gone or silent is replaced as soon as another document can read; what is asked for waits
//! until a document has read it, if none is open until one is. A document that asked is notified
//! once a reading that began after its question is over.

use protocol::{table::Table, wire::bridge::ToBridge};

use super::{Action, Relay, to_bridge};
use crate::timing;

/// The reading of an origin.
#[derive(Debug, Default)]
struct Survey {
    /// The port of the document that reads.
    reader: Option<u32>,
    /// Those that were asked to read, of which the first one that has ends the reading: the reader,
    /// and those that it replaced.
    asked: Vec<u32>,
    /// When it last said something of its reading, as of the last alarm; `None`: that came before
    /// it could say anything.
    last_message: Option<u64>,
    /// Those that have been silent, and have not spoken since.
    silent: Vec<u32>,
    /// A reading that begins from now on is asked for.
    wanted: bool,
    /// The document that asked for it because it looks for unseen writes.
    meterer: Option<u32>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Surveys {
    by_origin: Table<String, Survey>,
    /// Which port read an origin last, while it is open.
    last: Table<String, u32>,
    /// Whether an alarm is set.
    watching: bool,
}

impl Relay {
    /// All that there is of an origin is to be read, if no document of it is open by the next one.
    pub(super) fn survey(&mut self, origin: &str) {
        self.survey_by(origin, None);
    }

    /// The same, asked for by a document. The one that looks for unseen writes reads itself: a
    /// person sees it, so its timers are on time.
    pub(super) fn survey_by(&mut self, origin: &str, asker: Option<u32>) {
        let meterer = asker.filter(|asker| self.is_meterer(*asker, origin));
        let survey = self
            .surveys
            .by_origin
            .get_or_insert_with(origin.to_owned(), Survey::default);
        survey.wanted = true;
        survey.meterer = meterer;
        self.begin_survey(origin);
    }

    /// Gives the reading that is wanted to a document, unless one reads already.
    fn begin_survey(&mut self, origin: &str) {
        let Some(survey) = self.surveys.by_origin.get_mut(origin) else {
            return;
        };
        if survey.reader.is_some() {
            return;
        }
        if survey.wanted {
            survey.asked.clear();
            self.choose_reader(origin);
        } else {
            self.surveys.by_origin.remove(origin);
        }
    }

    /// Lets a document read, if one can. If it was asked already, it has the message.
    fn choose_reader(&mut self, origin: &str) {
        let Some(survey) = self.surveys.by_origin.get_mut(origin) else {
            return;
        };
        let last = self.surveys.last.get(origin).copied();
        let reader = survey
            .meterer
            .filter(|port| !survey.silent.contains(port) && self.bridges.is_reader(*port, origin))
            .or_else(|| self.bridges.surveyor_of(origin, &survey.silent, last))
            // A silent one reads once its thread continues.
            .or_else(|| self.bridges.surveyor_of(origin, &[], last));
        survey.reader = reader;
        // Without any the reading waits for the next one, which may not ask by itself: it comes
        // back, or is a frame.
        survey.wanted = reader.is_none();
        let Some(reader) = reader else { return };
        survey.last_message = (!self.surveys.watching).then(|| self.bridges.last_reading(reader));
        if !survey.asked.contains(&reader) {
            survey.asked.push(reader);
            self.actions.extend(to_bridge(reader, &ToBridge::Snapshot {}));
        }
        self.watch_surveys();
    }

    /// Lets another document go on for the one that reads.
    fn replace_reader(&mut self, origin: &str) {
        if let Some(survey) = self.surveys.by_origin.get_mut(origin) {
            survey.reader = None;
            // What was asked for meanwhile is read at once.
            if survey.wanted {
                survey.asked.clear();
            }
            self.choose_reader(origin);
        }
    }

    /// A document of an origin has come, or speaks again after a silence: it reads if another one
    /// should and does not.
    pub(super) fn reader_came(&mut self, origin: &str) {
        let survey = self.surveys.by_origin.get(origin);
        let needs_reader =
            survey.is_some_and(|survey| survey.reader.is_none_or(|reader| survey.silent.contains(&reader)));
        if needs_reader {
            self.replace_reader(origin);
        }
    }

    /// A document has said something. If it was silent, it is not any more.
    pub(super) fn reader_spoke(&mut self, port: u32) {
        let of_silent = self
            .surveys
            .by_origin
            .iter_mut()
            .find(|(_, survey)| survey.silent.contains(&port));
        let Some((origin, survey)) = of_silent else { return };
        survey.silent.retain(|silent| *silent != port);
        let origin = origin.clone();
        if self.bridges.is_reader(port, &origin) {
            self.reader_came(&origin);
        }
    }

    /// A document has read all that it was asked to.
    pub(super) fn surveyed(&mut self, port: u32) {
        let Some((origin, survey)) = self
            .surveys
            .by_origin
            .iter_mut()
            .find(|(_, survey)| survey.asked.contains(&port))
        else {
            return;
        };
        let origin = origin.clone();
        survey.reader = None;
        self.surveys.last.insert(origin.clone(), port);
        if !survey.wanted {
            for port in self.bridges.readers(&origin) {
                self.actions.extend(to_bridge(port, &ToBridge::Surveyed {}));
            }
        }
        self.begin_survey(&origin);
    }

    /// A document reads no more: another one takes over.
    pub(super) fn reader_gone(&mut self, port: u32) {
        self.surveys.last.retain(|_, last| *last != port);
        for survey in self.surveys.by_origin.values_mut() {
            survey.silent.retain(|silent| *silent != port);
            survey.asked.retain(|asked| *asked != port);
        }
        let of_port = self
            .surveys
            .by_origin
            .iter()
            .find(|(_, survey)| survey.reader == Some(port))
            .map(|(origin, _)| origin.clone());
        if let Some(origin) = of_port {
            self.replace_reader(&origin);
        }
    }

    fn watch_surveys(&mut self) {
        if !self.surveys.watching {
            self.surveys.watching = true;
            self.actions.push(Action::Wake {
                alarm: Alarm::Surveys,
                after: timing::SILENCE,
            });
        }
    }

    /// Replaces the readers that have said nothing of their reading since the last alarm: their
    /// threads are held up, or the browser has frozen them, or the reading failed.
    fn replace_silent_readers(&mut self) {
        self.surveys.watching = false;
        let reading: Vec<String> = self.surveys.by_origin.keys().cloned().collect();
        for origin in reading {
            let Some(survey) = self.surveys.by_origin.get_mut(&origin) else {
                continue;
            };
            let Some(reader) = survey.reader else { continue };
            let last_message = Some(self.bridges.last_reading(reader));
            let context = self.bridges.context_of(reader);
            let is_silent = std::mem::replace(&mut survey.last_message, last_message) == last_message;
            // One with deliveries here waits for the host.
            if is_silent && !self.outbox.holds_of(context) {
                if !survey.silent.contains(&reader) {
                    survey.silent.push(reader);
                }
                // Unless all others are silent, too.
                if self.bridges.surveyor_of(&origin, &survey.silent, None).is_some() {
                    self.replace_reader(&origin);
                }
            }
            self.watch_surveys();
        }
    }

    /// The time of an alarm has come.
    pub fn woken(&mut self, alarm: Alarm) {
        match alarm {
            Alarm::Policy => self.policy_is_late(),
            Alarm::Surveys => self.replace_silent_readers(),
            Alarm::Parts => self.count_still_parts(),
            Alarm::Ends => self.name_ends(),
        }
    }
}

/// What is to be looked at after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Whether the browser has reported the managed policy.
    Policy,
    /// Whether the documents that read databases go on.
    Surveys,
    /// Whether parts come of the deliveries that are not whole.
    Parts,
    /// Whether the documents have come back whose ports were closed.
    Ends,
}
