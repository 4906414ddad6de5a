//! A session with the extension, from its hello to the end of stdin.

use std::{
    io::{Read, Write},
    process::ExitCode,
    slice,
    sync::Arc,
    thread,
    time::Instant,
};

use protocol::{
    PROTOCOL_VERSION,
    wire::{
        host::{ErrorCode, FromHost, HostHello},
        inspector::{Answer, Ask, Problem, Question, Reply},
    },
};

use crate::{
    config::{Config, ConfigError},
    failpoint,
    failure::Failure,
    inspect::Inspection,
    journal::{Author, Journal, JournalError, Matched, Outcome, side_files::requests},
    logging,
    messaging::{
        frame::FrameError,
        intake::{self, Inbound, Intake, Opening, Received},
        origin::Origins,
        queue::{Queue, Taken},
        reader,
        writer::{Outbox, Writer},
    },
    sinks::{self, Sinks},
    timing,
};

/// A delivery that writes more bytes of records and events than this is given up when the disk has
/// no room for it, twice: it would stand in front of all others. For smaller ones the host waits,
/// however long it takes.
const LARGE: u64 = 8 * 1024 * 1024;

/// Why a session ended before its stdin did.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The input broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The two sides would not understand each other.
    #[error("the extension speaks protocol {0}, this host (idb-relay {version}) protocol {PROTOCOL_VERSION}", version = crate::VERSION)]
    Protocol(u64),
    /// Something else than a hello came first.
    #[error("the first message was no hello")]
    NoHello,
}

impl Failure for SessionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Config(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::Frame(FrameError::TooLong { .. }) => ErrorCode::FrameTooLong,
            Self::Frame(FrameError::Truncated { .. } | FrameError::Stream(_)) => ErrorCode::FrameTruncated,
            Self::Protocol(_) => ErrorCode::ProtocolMismatch,
            Self::NoHello => ErrorCode::HelloExpected,
        }
    }

    fn fix(&self) -> String {
        match self {
            Self::Config(error) => error.fix(),
            Self::Journal(error) => error.fix(),
            Self::Frame(FrameError::TooLong { .. }) => {
                "Update the extension: it should have cut the message into parts.".to_owned()
            }
            Self::Frame(_) => {
                "Nothing to do: what was not acknowledged is sent again when the browser starts the host again.".to_owned()
            }
            Self::Protocol(other) if *other > u64::from(PROTOCOL_VERSION) => {
                "Update idb-relay and run `idb-relay install` again.".to_owned()
            }
            Self::Protocol(_) => "Update the extension.".to_owned(),
            Self::NoHello => "Let a browser start the host; `idb-relay --help` shows what else there is.".to_owned(),
        }
    }
}

/// Runs a session on these streams until the input ends. Failure means that it ended for a reason
/// that was sent on the output.
pub fn run(
    config: Result<Config, ConfigError>,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> ExitCode {
    let writer = Writer::start(output);
    let outbox = writer.outbox();
    let queue = reader::start(input);
    let result = config
        .map_err(SessionError::from)
        .and_then(|config| serve(&config, &queue, outbox));
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error} — {}", error.fix());
            outbox.send(FromHost::Error(error.to_message()));
            ExitCode::FAILURE
        }
    };
    writer.close();
    code
}

fn serve(config: &Config, queue: &Arc<Queue>, outbox: &Outbox) -> Result<(), SessionError> {
    let Some((author, frames)) = hello(queue)? else {
        return Ok(());
    };
    logging::set_profile(&author.profile);
    let mut journal = Journal::open(&config.journal.directory, author.clone())?;
    journal.limit(config.journal.limits, sinks::REDIS);
    tracing::info!("{} writes to {}", author.browser, journal.path().display());
    outbox.send(FromHost::Hello(HostHello {
        protocol: PROTOCOL_VERSION,
        version: crate::VERSION.to_owned(),
        origins: config.capture.origins.iter().map(ToString::to_string).collect(),
        redact: config.redact.clone(),
    }));
    let sinks = Sinks::start(config, &journal, &author.profile)?;
    sinks.wake(journal.head());
    let result = Session {
        queue,
        outbox,
        sinks: &sinks,
        inspection: Inspection::start(config, journal.path(), outbox),
        journal: &mut journal,
        intake: Intake::default(),
        origins: Origins::default(),
        problems: Vec::new(),
        looked_at: Instant::now(),
    }
    .run(frames);
    sinks.finish(timing::host::LAST_MOMENTS);
    result
}

/// A hello, and the frames that came right behind it.
type Begun = (Author, Vec<Vec<u8>>);

/// Waits for the first message; nothing if the input ends before.
fn hello(queue: &Queue) -> Result<Option<Begun>, SessionError> {
    let mut frames = loop {
        match queue.take(timing::host::BEFORE_HELLO) {
            Taken::Frames(frames) => break frames,
            Taken::Idle => {}
            Taken::End(end) => return Ok(end.map(|()| None)?),
        }
    };
    let first = frames.remove(0);
    match intake::opening(&first) {
        Opening::Hello(hello) => {
            let author = Author {
                browser: hello.browser.into_owned(),
                profile: hello.profile.into_owned(),
            };
            Ok(Some((author, frames)))
        }
        Opening::OtherProtocol(version) => Err(SessionError::Protocol(version)),
        Opening::NoHello => Err(SessionError::NoHello),
    }
}

/// The journal's thread.
struct Session<'s> {
    queue: &'s Queue,
    outbox: &'s Outbox,
    sinks: &'s Sinks,
    inspection: Inspection,
    journal: &'s mut Journal,
    intake: Intake,
    origins: Origins,
    /// What the extension knows of the sinks' problems, and since when.
    problems: Vec<Problem>,
    looked_at: Instant,
}

impl Session<'_> {
    fn run(&mut self, first: Vec<Vec<u8>>) -> Result<(), SessionError> {
        self.receive(first)?;
        let began_at = Instant::now();
        let (mut tidied_at, mut more) = (None::<Instant>, false);
        loop {
            let patience = self.journal.next_due().map_or(timing::host::requests(), |due| {
                due.saturating_duration_since(Instant::now())
                    .min(timing::host::requests())
            });
            let idle = match self.queue.take(patience) {
                Taken::Frames(frames) => {
                    self.receive(frames)?;
                    false
                }
                Taken::Idle => true,
                Taken::End(end) => return Ok(end?),
            };
            // The first time as soon as nothing comes, for then the sinks have passed on what there
            // was; later also while the page writes on.
            let interval = if more || self.journal.has_backfill_pending() {
                timing::host::tidy_more()
            } else {
                timing::host::tidy()
            };
            let waited = match tidied_at {
                None if idle => interval,
                last => last.unwrap_or(began_at).elapsed(),
            };
            if waited >= interval {
                more = self.tidy();
                tidied_at = Some(Instant::now());
            }
            for read in self.journal.due_reads(Instant::now()) {
                failpoint::pass("session.asking");
                self.outbox.send(read);
            }
            self.take_requests();
            self.tell_troubles();
        }
    }

    /// The extension shows at its button what is wrong with the servers.
    fn tell_troubles(&mut self) {
        if self.looked_at.elapsed() < timing::host::server_problems() {
            return;
        }
        self.looked_at = Instant::now();
        // A journal that cannot be read has errors of its own.
        let Ok(problems) = self.journal.problems() else {
            return;
        };
        if problems != self.problems {
            self.outbox.send(FromHost::Servers {
                problems: problems.clone(),
            });
            self.problems = problems;
        }
    }

    /// Lets go of old events, and pays what is owed; whether there is more to do soon.
    fn tidy(&mut self) -> bool {
        let head = self.journal.head();
        let more = self.journal.tidy().unwrap_or_else(|error| {
            // The next write reports why the journal cannot be written.
            tracing::debug!("{error}");
            false
        });
        if self.journal.head() > head {
            self.sinks.wake(self.journal.head());
        }
        more
    }

    fn receive(&mut self, frames: Vec<Vec<u8>>) -> Result<(), SessionError> {
        let mut deliveries = Vec::with_capacity(frames.len());
        for frame in frames {
            for received in self.intake.sort(frame) {
                match received {
                    Ok(Received::Delivery(delivery)) => deliveries.push(delivery),
                    Ok(Received::Ask(ask)) => self.answer(ask),
                    Ok(Received::Rules(fingerprint)) => {
                        // What came before was redacted by the rules before.
                        self.store(&std::mem::take(&mut deliveries))?;
                        self.insist(|journal| journal.redacted_by(&fingerprint))?;
                    }
                    Ok(Received::Readers(origin)) => self.insist(|journal| journal.ask_again(&origin))?,
                    Ok(Received::Worker { origin, url }) => {
                        // Only `status` would miss it, until the next document tells of it.
                        if let Err(error) = self.journal.note_worker(&origin, &url) {
                            tracing::debug!("{error}");
                        }
                    }
                    Ok(Received::NoQuestion { id, error }) => self.outbox.answer(Answer {
                        id,
                        reply: Reply::Failed(error),
                    }),
                    Err(error) => {
                        tracing::warn!("{}", error.message);
                        self.outbox.send(FromHost::Error(error));
                    }
                }
            }
        }
        self.store(&deliveries)
    }

    fn take_requests(&self) {
        match requests::take(self.journal.path()) {
            Ok(origins) => {
                for origin in origins {
                    self.outbox.send(FromHost::Snapshot { origin });
                }
            }
            // The journal's directory may be in trouble, which its own errors tell; the file is
            // looked at again.
            Err(error) => tracing::debug!("{error}"),
        }
    }

    /// What concerns pages is done here; the rest is for those who only read.
    fn answer(&self, ask: Ask) {
        match ask.question {
            Question::Resync { origin } => {
                self.outbox.send(FromHost::Snapshot { origin });
                self.outbox.answer(Answer {
                    id: ask.id,
                    reply: Reply::Done {},
                });
            }
            question => self.inspection.ask(Ask { id: ask.id, question }),
        }
    }

    /// Brings deliveries to the disk, however often that takes, and tells the extension and the
    /// sinks.
    fn store(&mut self, deliveries: &[Inbound]) -> Result<(), SessionError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let mut origins = std::mem::take(&mut self.origins);
        match record(self.journal, deliveries, &mut origins) {
            Ok(outcome) => self.tell(outcome),
            Err(error) if error.wants_room() && self.journal.attempted() > LARGE => {
                tracing::error!("{error}");
                self.outbox.send(FromHost::Error(error.to_message()));
                for delivery in deliveries.iter().flat_map(Inbound::apart) {
                    self.store_alone(&delivery, &mut origins)?;
                }
            }
            Err(_) => {
                let outcome = self.insist(|journal| record(journal, deliveries, &mut origins))?;
                self.tell(outcome);
            }
        }
        self.origins = origins;
        Ok(())
    }

    /// Brings one delivery to the disk, or gives it up if it is large and there is no room for it.
    fn store_alone(&mut self, delivery: &Inbound, origins: &mut Origins) -> Result<(), SessionError> {
        for last in [false, true] {
            match record(self.journal, slice::from_ref(delivery), origins) {
                Ok(outcome) => {
                    self.tell(outcome);
                    return Ok(());
                }
                Err(error) if error.wants_room() && self.journal.attempted() > LARGE => {
                    if self.queue.has_ended() {
                        return Err(error.into());
                    }
                    // What it has left in the log is of no use any more.
                    self.journal.shrink_log();
                    if !last {
                        thread::sleep(timing::host::retry());
                    }
                }
                Err(_) => {
                    let outcome =
                        self.insist(|journal| record(journal, slice::from_ref(delivery), origins))?;
                    self.tell(outcome);
                    return Ok(());
                }
            }
        }
        let reason = format!(
            "it writes more than {} MiB, and the disk has no room for that",
            self.journal.attempted() >> 20
        );
        let outcome = self.insist(|journal| {
            let mut batch = journal.begin()?;
            delivery.give_up(&mut batch, origins, &reason)?;
            batch.commit()
        })?;
        self.tell(outcome);
        Ok(())
    }

    /// Tells the extension and the sinks what is on the disk.
    fn tell(&mut self, outcome: Outcome) {
        self.sinks.wake(self.journal.head());
        // Ahead of the acknowledgements: behind those their documents wait for nothing more.
        for matched in outcome.matched {
            let Matched {
                context,
                sequence,
                stretches,
            } = matched;
            self.outbox.send(FromHost::Matched {
                context,
                sequence,
                stretches,
            });
        }
        for (context, sequence) in outcome.acknowledged {
            self.outbox.send(FromHost::Acknowledged { context, sequence });
            failpoint::pass("session.acknowledged");
        }
        for error in outcome.errors {
            tracing::warn!("{}", error.message);
            self.outbox.send(FromHost::Error(error));
        }
        for origin in outcome.unseen {
            self.outbox.send(FromHost::Unseen { origin });
        }
        for origin in outcome.snapshots {
            self.outbox.send(FromHost::Snapshot { origin });
        }
    }

    /// Does something to the journal, however often that takes.
    fn insist<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Journal) -> Result<T, JournalError>,
    ) -> Result<T, SessionError> {
        let mut reported = false;
        loop {
            match attempt(self.journal) {
                Ok(done) => return Ok(done),
                Err(error) if error.is_transient() => {
                    if !std::mem::replace(&mut reported, true) {
                        tracing::error!("{error}");
                        self.outbox.send(FromHost::Error(error.to_message()));
                    }
                    if self.queue.has_ended() {
                        // Nothing of this was acknowledged; the bridges have it still, and the
                        // browser waits for no one.
                        return Err(error.into());
                    }
                    thread::sleep(timing::host::retry());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn record(
    journal: &mut Journal,
    deliveries: &[Inbound],
    origins: &mut Origins,
) -> Result<Outcome, JournalError> {
    let mut refused = Vec::new();
    let mut outcome = Outcome::default();
    let mut batch = journal.begin()?;
    for delivery in deliveries {
        // What is on the disk already is acknowledged again if the rest has to be tried again.
        if batch.is_large() {
            outcome.append(batch.commit()?);
            batch = journal.begin()?;
        }
        delivery.apply(&mut batch, origins, &mut refused)?;
    }
    outcome.append(batch.commit()?);
    outcome.errors.extend(refused);
    Ok(outcome)
}
