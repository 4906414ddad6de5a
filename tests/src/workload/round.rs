//! Plays a program in a browser, and compares what is left.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::probe::{Probe, Sightings};
use crate::{
    Rig,
    browser::{Browser, Kind, Page},
    observe::Record,
    wait::{self, Seen},
};

const PAGE: &str = "/workload/";

/// How long the writers may take, and how long Memcached may take after them, servers that come
/// back and all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens in the middle of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    HostKilled,
    HostFrozen,
    BackgroundEnded,
    TabClosed,
    TabCrashed,
    BrowserKilled,
    RedisRestarted,
    RedisPaused,
    MemcachedEmptied,
    MemcachedPaused,
}

impl Fault {
    /// Those that a browser can have.
    pub(super) fn all(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Chromium => &[
                Self::HostKilled,
                Self::HostFrozen,
                Self::BackgroundEnded,
                Self::TabClosed,
                Self::BrowserKilled,
                Self::RedisRestarted,
                Self::RedisPaused,
                Self::MemcachedEmptied,
                Self::MemcachedPaused,
                Self::TabCrashed,
            ],
            // All tabs of a site share a process there.
            Kind::Firefox => &[
                Self::HostKilled,
                Self::HostFrozen,
                Self::BackgroundEnded,
                Self::TabClosed,
                Self::BrowserKilled,
                Self::RedisRestarted,
                Self::RedisPaused,
                Self::MemcachedEmptied,
                Self::MemcachedPaused,
            ],
        }
    }
}

#[derive(Debug, Deserialize)]
struct Program {
    tabs: usize,
    writers: Vec<Writer>,
    faults: Vec<PlannedFault>,
}

#[derive(Debug, Deserialize)]
struct Writer {
    name: String,
    tab: usize,
    kind: String,
    steps: Vec<Value>,
}

/// A fault, as soon as a writer has done so many steps.
#[derive(Debug, Deserialize)]
struct PlannedFault {
    fault: Fault,
    writer: String,
    at: usize,
}

/// What the page reports of a writer.
#[derive(Debug, Deserialize)]
struct State {
    /// The step that is under way, or was the last one.
    #[expect(dead_code, reason = "named when a writer does not end")]
    begun: String,
    done: usize,
    ended: bool,
    notes: Vec<Note>,
    errors: Vec<String>,
}

/// A commit, or the deletion of a database if it has no number.
#[derive(Debug, Deserialize)]
struct Note {
    database: String,
    number: Option<u64>,
    at: f64,
}

/// What came of a round whose end was right.
#[derive(Debug, Default)]
pub struct Round {
    /// How long each commit took to arrive in Memcached, in milliseconds.
    pub(super) delays: Vec<f64>,
    /// Commits that something newer had replaced before they could be seen.
    pub(super) superseded: usize,
    /// The steps that writers gave up, and why.
    pub(super) errors: Vec<String>,
}

/// Plays a program; the browser that runs then, and what came of it. Fails if Memcached or the
/// stream end up with anything but what IndexedDB holds.
pub fn play(rig: &mut Rig, mut browser: Browser, program: &Value) -> Result<(Browser, Round)> {
    let mut program: Program = serde_json::from_value(program.clone())?;
    let origin = rig.site.origin();
    let probe = Probe::start(&rig.memcached, marks(&program, &origin)?);
    let mut played = Played::default();
    while play_until_killed(rig, &browser, &mut program, &mut played)? == End::Killed {
        browser.kill()?;
        browser = rig.browser()?;
    }
    let round = sum_up(&played, &probe.sightings()?, &origin)?;
    Ok((browser, round))
}

/// How playing in one browser ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All writers have ended, and all is at rest.
    Rest,
    /// The browser is to be killed; the program has what is left.
    Killed,
}

/// What writers have reported.
#[derive(Debug, Default)]
struct Played {
    states: Vec<(String, State)>,
    /// Commits may have been lost with the browser.
    has_lost: bool,
}

fn play_until_killed(
    rig: &mut Rig,
    browser: &Browser,
    program: &mut Program,
    played: &mut Played,
) -> Result<End> {
    let mut pages: Vec<Option<Page<'_>>> = Vec::new();
    for _ in 0..program.tabs {
        pages.push(Some(browser.open(&rig.site.url(PAGE))?));
    }
    for writer in &program.writers {
        let page = pages[writer.tab].as_ref().context("all tabs are open")?;
        page.evaluate(&format!(
            "start({})",
            json!({"name": writer.name, "kind": writer.kind, "steps": writer.steps})
        ))?;
    }
    while !program.faults.is_empty() {
        let planned = program.faults.remove(0);
        await_step(&pages, program, &planned.writer, planned.at)?;
        let tab = program.tab_of(&planned.writer);
        match planned.fault {
            Fault::HostKilled => rig.relay.kill_host()?,
            Fault::HostFrozen => {
                rig.relay.freeze_host()?;
                await_step(&pages, program, &planned.writer, planned.at + PAUSE_STEPS)?;
                rig.relay.thaw_host()?;
            }
            Fault::BackgroundEnded => browser.end_background()?,
            Fault::TabClosed | Fault::TabCrashed => {
                let open = pages.iter().flatten().count();
                // One has to be left that is not loaded again.
                if let Some(page) = tab.and_then(|tab| pages[tab].take_if(|_| open > 1)) {
                    note_states(&page, played)?;
                    if planned.fault == Fault::TabClosed {
                        page.close()?;
                    } else {
                        page.crash()?;
                    }
                }
            }
            Fault::BrowserKilled => {
                let mut left = Vec::new();
                for page in pages.iter().flatten() {
                    left.extend(note_states(page, played)?);
                }
                program.writers.retain(|writer| left.contains(&writer.name));
                for writer in &mut program.writers {
                    let done = played.state(&writer.name).map_or(0, |state| state.done);
                    writer.steps.drain(..done.min(writer.steps.len()));
                    // It counts from the beginning again.
                    writer.name.push('+');
                }
                for fault in &mut program.faults {
                    fault.writer.push('+');
                }
                played.has_lost = true;
                return Ok(End::Killed);
            }
            Fault::RedisRestarted => {
                rig.redis.kill()?;
                rig.redis.restart()?;
            }
            Fault::RedisPaused => {
                rig.redis.pause()?;
                await_step(&pages, program, &planned.writer, planned.at + PAUSE_STEPS)?;
                rig.redis.resume()?;
            }
            Fault::MemcachedEmptied => {
                rig.memcached.kill()?;
                rig.memcached.restart()?;
            }
            Fault::MemcachedPaused => {
                rig.memcached.pause()?;
                await_step(&pages, program, &planned.writer, planned.at + PAUSE_STEPS)?;
                rig.memcached.resume()?;
            }
        }
    }
    let open: Vec<Page<'_>> = pages.into_iter().flatten().collect();
    for page in &open {
        wait::until("the writers to end", PATIENCE, || {
            let states = states(page)?;
            Ok(if states.iter().all(|(_, state)| state.ended) {
                Seen::Ready(())
            } else {
                Seen::Not(format!("{states:?}"))
            })
        })?;
    }
    // Each page is asked at rest: none of them is loaded again.
    rig.settled(open.first().context("a page is left")?)?;
    for page in open {
        note_states(&page, played)?;
        page.close()?;
    }
    Ok(End::Rest)
}

/// For how many steps of a writer a process is paused.
const PAUSE_STEPS: usize = 4;

impl Program {
    fn tab_of(&self, writer: &str) -> Option<usize> {
        let writer = self.writers.iter().find(|one| one.name == writer)?;
        Some(writer.tab)
    }
}

impl Played {
    fn state(&self, writer: &str) -> Option<&State> {
        self.states
            .iter()
            .find(|(name, _)| name == writer)
            .map(|(_, state)| state)
    }
}

fn states(page: &Page<'_>) -> Result<Vec<(String, State)>> {
    let states = page.evaluate("Object.entries(writers)")?;
    serde_json::from_value(states).context("the page reports no writers")
}

/// Notes what a page's writers have reported; the names of those that have not ended.
fn note_states(page: &Page<'_>, played: &mut Played) -> Result<Vec<String>> {
    let states = states(page)?;
    let running = states.iter().filter(|(_, state)| !state.ended);
    let running = running.map(|(name, _)| name.clone()).collect();
    played.states.extend(states);
    Ok(running)
}

/// Waits until a writer has done so many steps, or does no more.
fn await_step(pages: &[Option<Page<'_>>], program: &Program, writer: &str, steps: usize) -> Result<()> {
    let page = program.tab_of(writer).and_then(|tab| pages[tab].as_ref());
    let Some(page) = page else { return Ok(()) };
    wait::until(&format!("{writer} to do {steps} steps"), PATIENCE, || {
        let states = states(page)?;
        let state = states.iter().find(|(name, _)| name == writer);
        Ok(match state {
            Some((_, state)) if !state.ended && state.done < steps => Seen::Not(format!("{states:?}")),
            _ => Seen::Ready(()),
        })
    })
}

/// The item of a writer's mark in a database.
fn mark(origin: &str, database: &str, writer: &str) -> Result<String> {
    let record = Record {
        bucket: String::new(),
        database: database.to_owned(),
        store: "marks".to_owned(),
        key: json!(writer).to_string(),
        value: String::new(),
    };
    record.memcached_key(origin)
}

/// The items of all marks of a program, those of writers that begin again among them.
fn marks(program: &Program, origin: &str) -> Result<Vec<String>> {
    let steps = program.writers.iter().flat_map(|writer| &writer.steps);
    let databases: BTreeSet<&str> = steps.filter_map(|step| step["database"].as_str()).collect();
    let kills = program
        .faults
        .iter()
        .filter(|fault| fault.fault == Fault::BrowserKilled);
    let most = kills.count();
    let mut marks = Vec::new();
    for writer in &program.writers {
        for kills in 0..=most {
            let name = writer.name.clone() + &"+".repeat(kills);
            for database in &databases {
                marks.push(mark(origin, database, &name)?);
            }
        }
    }
    Ok(marks)
}

fn sum_up(played: &Played, sightings: &Sightings, origin: &str) -> Result<Round> {
    let mut round = Round::default();
    let notes = played.states.iter().flat_map(|(_, state)| &state.notes);
    let deletions: Vec<&Note> = notes.filter(|note| note.number.is_none()).collect();
    let is_deleted = |note: &Note, until: f64| {
        let mut later = deletions
            .iter()
            .filter(|deletion| deletion.database == note.database);
        later.any(|deletion| (note.at..=until).contains(&deletion.at))
    };
    for (writer, state) in &played.states {
        round.errors.extend(state.errors.iter().cloned());
        for note in &state.notes {
            let Some(number) = note.number else { continue };
            let seen = sightings.get(&mark(origin, &note.database, writer)?);
            let seen = seen.and_then(|seen| seen.iter().find(|(seen, _)| *seen >= number));
            let until = seen.map_or(f64::INFINITY, |(_, at)| *at);
            if is_deleted(note, until) || (seen.is_none() && played.has_lost) {
                round.superseded += 1;
                continue;
            }
            ensure!(
                seen.is_some(),
                "the probe saw nothing of commit {number} of {writer} in {}",
                note.database
            );
            round.delays.push((until - note.at).max(0.0));
        }
    }
    Ok(round)
}
