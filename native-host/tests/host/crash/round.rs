//! One round: a schedule is played, everything is healed, and what all parts hold in the end is
//! judged.

use std::{
    sync::mpsc::RecvTimeoutError,
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use idb_relay::journal::read::Reader;
use protocol::wire::host::FromHost;

use super::{
    browser::Browser,
    clock::Clock,
    lab::Lab,
    listener::Listener,
    model::{Home, Transaction, World},
    schedule::{DOCUMENTS, Step, Tear, Work},
    verdict, wal,
};
use crate::support::Host;

/// How long everything may take to come to rest once nothing is wrong any more.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a round was about.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    /// Hosts that were ended without warning, by us or at a point.
    pub kills: u64,
    /// At a point.
    pub points: u64,
    pub tears: u64,
    pub redis_faults: u64,
    pub memcached_faults: u64,
    pub full_disks: u64,
    pub events: u64,
    pub records: u64,
}

impl Report {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            points: self.points + other.points,
            tears: self.tears + other.tears,
            redis_faults: self.redis_faults + other.redis_faults,
            memcached_faults: self.memcached_faults + other.memcached_faults,
            full_disks: self.full_disks + other.full_disks,
            events: self.events + other.events,
            records: self.records + other.records,
        }
    }
}

struct Round<'l> {
    lab: &'l mut Lab,
    browser: Browser,
    host: Option<Host>,
    /// The present host ends at a point, if it gets there.
    armed: bool,
    report: Report,
    rng: Rng,
    patience: Duration,
}

/// Plays a schedule on a lab. The name makes it a profile and origins of its own.
pub fn play(
    lab: &mut Lab,
    name: &str,
    seed: u64,
    steps: &[Step],
    patience: Duration,
) -> Result<Report, String> {
    lab.begin(name);
    let listener = Listener::start(&lab.redis.url());
    let origins = vec![
        format!("http://{name}-a.example:8080"),
        format!("https://{name}-b.example"),
    ];
    let clock = Clock::new(lab.directory());
    let mut browser = Browser::new(origins, Rng::with_seed(seed), clock);
    for origin in DOCUMENTS {
        browser.load(*origin);
    }
    let mut round = Round {
        lab,
        browser,
        host: None,
        armed: false,
        report: Report::default(),
        rng: Rng::with_seed(seed ^ 1),
        patience,
    };
    let outcome = round.run(steps);
    let Round {
        lab, browser, report, ..
    } = round;
    lab.heal();
    let messages = listener.end(&lab.redis.url());
    outcome?;
    // What was published and not confirmed, since the host was killed or Redis itself was, is
    // published again if the server forgot it.
    let may_repeat = lab.redis_forgot;
    let reader = Reader::open(&lab.journal()).map_err(|error| error.to_string())?;
    verdict::channels_kept_order(&messages, &reader, !lab.redis_failed, may_repeat)?;
    // The host is gone, and with it everything that was still on its way.
    verdict::stream_is_whole(lab, &reader, &browser)?;
    verdict::cache_is_exact(lab, &browser)?;
    drop(reader);
    lab.end();
    Ok(report)
}

impl Round<'_> {
    fn run(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            self.step(step)?;
            self.pump()?;
        }
        self.finish()
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        self.lab.tell(&format!("step {step:?}"));
        match step {
            Step::Commit { document, work, late } => {
                self.browser.commit(*document, work.home, *late, doing(work));
            }
            Step::DeleteDatabase { document, home } => self.browser.delete_database(*document, *home),
            Step::Unseen(work) => self.browser.write_unseen(work.home, doing(work)),
            Step::Overflow { document, work } => {
                self.browser.overflow(*document, work.home, doing(work));
            }
            Step::Lose {
                document,
                first,
                second,
            } => self
                .browser
                .lose(*document, first.home, doing(first), doing(second)),
            Step::Busy { document, busy } => self.browser.set_busy(*document, *busy),
            Step::Load { origin } => self.browser.load(*origin),
            Step::Close { document } => self.browser.close(*document),
            Step::BrowserDies => {
                self.kill();
                self.browser.die();
            }
            Step::Repeat => {
                if let Some(host) = &mut self.host {
                    self.browser.repeat(&mut |message| {
                        self.lab.tell(&format!("> {message}"));
                        host.send(message);
                    });
                }
            }
            Step::KillHost => self.kill(),
            Step::CloseHost => self.close()?,
            Step::FailAt { point, times } => {
                self.kill();
                self.armed = true;
                self.start(Some(&format!("{point}:{times}")));
            }
            Step::TearJournal { how, seed } => {
                self.kill();
                self.report.tears += 1;
                if self.lab.journal().exists() {
                    let scratch = self.lab.directory().to_owned();
                    // Nothing grows on a full disk.
                    let how = if self.lab.disk.is_full() { Tear::Cut } else { *how };
                    let done = wal::tear(&self.lab.journal(), &scratch, how, &mut Rng::with_seed(*seed));
                    self.lab.tell(&done);
                }
            }
            Step::Redis(fault) => {
                self.report.redis_faults += 1;
                self.lab.redis_fault(*fault);
            }
            Step::Memcached(fault) => {
                self.report.memcached_faults += 1;
                self.lab.memcached_fault(*fault);
            }
            Step::FillDisk => {
                self.report.full_disks += 1;
                self.lab.disk.fill();
            }
            Step::FreeDisk => self.lab.disk.free(),
            Step::Heal => self.lab.heal(),
            Step::Pause { milliseconds } => {
                let until = Instant::now() + Duration::from_millis(u64::from(*milliseconds));
                while Instant::now() < until {
                    self.pump()?;
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Step::Acknowledged => {
                if !self.lab.disk.is_full() {
                    self.await_quiet()?;
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, fail_at: Option<&str>) {
        self.lab.tell("the host starts");
        let host = self.lab.start(fail_at);
        self.lab.disk.used_by(Some(host.id()));
        self.host = Some(host);
        self.browser.rewind();
    }

    fn kill(&mut self) {
        if let Some(host) = self.host.take() {
            self.report.kills += 1;
            host.kill();
        }
        self.lab.disk.used_by(None);
        self.armed = false;
    }

    /// As a browser ends it.
    fn close(&mut self) -> Result<(), String> {
        let Some(mut host) = self.host.take() else {
            return Ok(());
        };
        host.close_stdin();
        while let Ok(message) = host.receive_within(crate::support::PATIENCE) {
            let message = message.ok_or("the host does not end")?;
            self.lab.tell(&format!("< {message:?}"));
            self.browser.receive(message)?;
        }
        let status = host.wait();
        self.judge_end(status)
    }

    /// Whether the host had a reason to end as it did.
    fn judge_end(&mut self, status: std::process::ExitStatus) -> Result<(), String> {
        let aborted = std::os::unix::process::ExitStatusExt::signal(&status) == Some(6);
        let armed = std::mem::take(&mut self.armed);
        let was_full = self.lab.disk.was_full();
        self.lab.disk.used_by(None);
        if armed && aborted {
            self.report.points += 1;
            self.report.kills += 1;
            Ok(())
        } else if status.success() || was_full {
            Ok(())
        } else {
            let room = self.lab.disk.room();
            Err(format!(
                "the host ended by itself: {status}; room on the disk: {room}"
            ))
        }
    }

    /// Receives the host's messages, starts the host if it has ended, and sends the pending bodies.
    fn pump(&mut self) -> Result<(), String> {
        loop {
            let Some(host) = &mut self.host else {
                // The extension tries again and again; here only when it can succeed.
                if self.lab.disk.is_full() {
                    return Ok(());
                }
                self.start(None);
                continue;
            };
            match host.receive_within(Duration::ZERO) {
                Ok(Some(FromHost::Error(error))) if error.context.is_none() && !self.lab.disk.is_full() => {
                    // What the journal says of a disk that was full a moment ago comes late.
                    if error.code != protocol::wire::host::ErrorCode::JournalFailed {
                        return Err(format!("the host says {error:?}"));
                    }
                }
                Ok(Some(message)) => {
                    self.lab.tell(&format!("< {message:?}"));
                    self.browser.receive(message)?;
                }
                Ok(None) => break,
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                    let status = host.wait();
                    self.host = None;
                    self.lab.tell(&format!("the host has ended: {status}"));
                    self.judge_end(status)?;
                }
            }
        }
        if let Some(host) = &mut self.host {
            self.browser.pump(&mut |message| {
                self.lab.tell(&format!("> {message}"));
                host.send(message);
            });
        }
        Ok(())
    }

    fn await_quiet(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + self.patience;
        loop {
            self.pump()?;
            // Those who are busy stay so.
            if self.browser.is_sent() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("not everything is acknowledged".to_owned());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Everything is well again, and everything comes to rest.
    fn finish(&mut self) -> Result<(), String> {
        self.lab.heal();
        self.browser.rest();
        for origin in 0..self.browser.origins.len() {
            // The host needs a document to ask, and the next page finds what was lost.
            if self.browser.lost[origin] || !self.browser.has_document(origin) {
                self.browser.load(origin);
            }
        }
        let deadline = Instant::now() + self.patience;
        let mut reader: Option<Reader> = None;
        loop {
            self.pump()?;
            if reader.is_none() {
                reader = Reader::open(&self.lab.journal()).ok();
            }
            let verdict = match &reader {
                _ if !self.browser.is_quiet() => Err("not everything is acknowledged".to_owned()),
                None => Err("there is no journal".to_owned()),
                Some(reader) => self.judge(reader),
            };
            match verdict {
                Ok(()) => break,
                Err(wrong) if Instant::now() > deadline => return Err(wrong),
                Err(_) => thread::sleep(Duration::from_millis(self.rng.u64(2..10))),
            }
        }
        if let Some(reader) = &reader {
            let first = reader.tail().map_err(|error| error.to_string())?;
            let last = reader.head().map_err(|error| error.to_string())?;
            self.report.events = last - first;
        }
        self.report.records = self.browser.world.records(&self.browser.origins).len() as u64;
        drop(reader);
        self.close()
    }

    fn judge(&self, reader: &Reader) -> verdict::Verdict {
        verdict::journal_is_settled(reader, &self.browser)?;
        verdict::stream_is_whole(self.lab, reader, &self.browser)?;
        verdict::cache_is_exact(self.lab, &self.browser)
    }
}

fn doing(work: &Work) -> impl FnOnce(&mut World, Home) -> Transaction {
    move |world, home| world.run(home, work.change, &work.requests)
}
