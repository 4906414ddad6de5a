//! Two tabs count against each other, and an auditor polls Memcached: the number never goes back
//! there, nor for a reader of the stream that skips late events. Meanwhile the host, the
//! extension's background, a tab or the whole browser is killed.
//!
//! `IDB_RELAY_AUDITS` sets how many rounds run, `IDB_RELAY_SEED` what happens in them.

// The report is what a long run is for.
#![allow(clippy::print_stdout)]

use std::{
    env, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use lab::{
    Rig,
    browser::{Browser, Kind},
    observe::{Event, checks},
    servers::Client,
    wait::{self, PATIENCE, Seen},
};

const PAGE: &str = "/writer/";

/// The default number of rounds: one of each fault.
const EVERYDAY: usize = FAULTS.len();

/// How far the tabs count in a round.
const TARGET: u32 = 150;

/// How many rounds have the same servers. The stream is read as a whole after each of them.
const ROUNDS_PER_RIG: usize = 10;

/// How often the auditor looks, at most.
const INTERVAL: Duration = Duration::from_millis(1);

/// What happens in the middle of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    HostKilled,
    BackgroundEnded,
    TabClosed,
    BrowserKilled,
}

const FAULTS: [Fault; 5] = [
    Fault::Nothing,
    Fault::HostKilled,
    Fault::BackgroundEnded,
    Fault::TabClosed,
    Fault::BrowserKilled,
];

/// The number in Memcached was lower than before.
#[derive(Debug)]
struct StepBack {
    from: u32,
    /// 0 if there was no item.
    to: u32,
    /// How long it took until the former number, or a higher one, was there.
    lasted: Duration,
}

/// Looks at one number in Memcached until it is dropped.
struct Auditor {
    highest: Arc<AtomicU32>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<StepBack>>>>,
}

impl Auditor {
    fn start(mut cache: Client, name: String) -> Self {
        let (highest, stopping) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
        let (shared, stop) = (Arc::clone(&highest), Arc::clone(&stopping));
        let thread = thread::spawn(move || {
            let (mut steps, mut highest, mut held) = (Vec::new(), 0, 0);
            let mut back_since = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                let item = cache.get(&name)?;
                let now = item.map_or(Ok(0), |item| String::from_utf8_lossy(&item.value).parse())?;
                if now < held {
                    back_since = Instant::now();
                    steps.push(StepBack {
                        from: held,
                        to: now,
                        lasted: Duration::ZERO,
                    });
                } else if let Some(last) = steps.last_mut()
                    && held < highest
                    && now >= highest
                {
                    last.lasted = back_since.elapsed();
                }
                held = now;
                highest = highest.max(now);
                shared.store(highest, Ordering::Relaxed);
                thread::sleep(INTERVAL);
            }
            Ok(steps)
        });
        Self {
            highest,
            stopping,
            thread: Some(thread),
        }
    }

    fn wait_for(&self, number: u32) -> Result<()> {
        wait::until(&format!("Memcached to hold {number}"), PATIENCE, || {
            ensure!(
                self.thread.as_ref().is_some_and(|thread| !thread.is_finished()),
                "the auditor has ended"
            );
            let highest = self.highest.load(Ordering::Relaxed);
            Ok(if highest >= number {
                Seen::Ready(())
            } else {
                Seen::Not(highest.to_string())
            })
        })
    }

    fn steps_back(mut self) -> Result<Vec<StepBack>> {
        self.stopping.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the auditor runs once")?;
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("the auditor panicked"))?
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// What was seen in all rounds.
#[derive(Debug, Default)]
struct Report {
    rounds: usize,
    transactions: u32,
    faults: Vec<Fault>,
    steps_back: Vec<String>,
}

/// Both tabs count up to the target, and the fault comes somewhere on the way; the browser that
/// runs then.
fn round(rig: &Rig, browser: Browser, key: &str, fault: Fault, at: u32) -> Result<(Browser, Vec<StepBack>)> {
    let origin = rig.site.origin().replace(':', "%3A");
    let name = format!("idb:{origin}:writer:items:\"{}\"", key.replace(' ', "%20"));
    let auditor = Auditor::start(rig.memcached.connect()?, name);
    let counting = format!("void (window.counting = countTo({key:?}, {TARGET}))");
    let tabs = [
        browser.open(&rig.site.url(PAGE))?,
        browser.open(&rig.site.url(PAGE))?,
    ];
    for tab in &tabs {
        tab.evaluate(&counting)?;
    }
    auditor.wait_for(at)?;
    let [first, second] = tabs;
    match fault {
        Fault::Nothing | Fault::BrowserKilled => {}
        Fault::HostKilled => rig.relay.kill_host()?,
        Fault::BackgroundEnded => browser.end_background()?,
        Fault::TabClosed => second.close()?,
    }
    let browser = if fault == Fault::BrowserKilled {
        browser.kill()?;
        let browser = rig.browser()?;
        browser.open(&rig.site.url(PAGE))?.evaluate(&counting)?;
        browser
    } else {
        // A page that returns from this has seen the last number.
        first.evaluate("counting")?;
        browser
    };
    auditor.wait_for(TARGET)?;
    Ok((browser, auditor.steps_back()?))
}

/// What the stream says of a key in the neighbourhood of two numbers.
fn around(events: &[Event], key: &str, from: u32, to: u32) -> String {
    let near = |event: &&Event| {
        let number = event.json()["after"].as_u64().unwrap_or_default();
        let (low, high) = (u64::from(from.min(to)), u64::from(from.max(to)));
        event.json()["key"] == key && (low.saturating_sub(1)..=high + 1).contains(&number)
    };
    let near = events.iter().filter(near);
    let lines: Vec<String> = near.map(|event| format!("\n    {}", event.json())).collect();
    lines.concat()
}

fn two_tabs_that_count_never_step_back(kind: Kind) -> Result<()> {
    let number = |variable: &str| {
        let text = env::var(variable).ok();
        let number = text.map(|text| text.parse::<u64>()).transpose();
        number.with_context(|| format!("{variable} is not a number"))
    };
    let rounds = number("IDB_RELAY_AUDITS")?.map_or(Ok(EVERYDAY), usize::try_from)?;
    let seed = number("IDB_RELAY_SEED")?.unwrap_or(1);
    let mut rng = Rng::with_seed(seed);
    let mut faults = Vec::new();
    let mut report = Report::default();
    while report.rounds < rounds {
        let rig = Rig::new(kind)?;
        let mut browser = rig.browser()?;
        let mut audited = Vec::new();
        for _ in 0..ROUNDS_PER_RIG.min(rounds - report.rounds) {
            if faults.is_empty() {
                faults = FAULTS.to_vec();
                rng.shuffle(&mut faults);
            }
            let fault = faults.pop().context("there is a fault for each round")?;
            let (key, at) = (format!("counter {}", report.rounds), rng.u32(1..TARGET));
            let (next, steps) = round(&rig, browser, &key, fault, at)
                .with_context(|| format!("seed {seed}, {key}: {fault:?} at {at}"))?;
            browser = next;
            println!("{}: {key}: {fault:?} at {at}: {steps:?}", kind.name());
            audited.push((key, fault, at, steps));
            report.rounds += 1;
            report.transactions += TARGET;
            report.faults.push(fault);
        }
        let page = browser.open(&rig.site.url(PAGE))?;
        let events = rig.settled(&page)?;
        checks::numbered_without_gaps(&events)?;
        for (key, fault, at, steps) in audited {
            for StepBack { from, to, lasted } in steps {
                let around = around(&events, &key, from, to);
                report.steps_back.push(format!(
                    "{key}, {fault:?} at {at}: Memcached from {from} to {to} for {lasted:?}{around}"
                ));
            }
            for pair in checks::kept(&events, &key).windows(2) {
                let [from, to] = [pair[0], pair[1]].map(|value| value.as_u64().unwrap_or_default());
                let (from, to) = (u32::try_from(from)?, u32::try_from(to)?);
                if to < from {
                    let around = around(&events, &key, from, to);
                    report.steps_back.push(format!(
                        "{key}, {fault:?} at {at}: a reader of the stream from {from} to {to}{around}"
                    ));
                }
            }
        }
    }
    let steps = mem::take(&mut report.steps_back);
    let times = FAULTS.map(|fault| {
        let times = report.faults.iter().filter(|other| **other == fault).count();
        format!("{fault:?} {times}")
    });
    println!(
        "{}: {} rounds, {} transactions, {}, {} steps back",
        kind.name(),
        report.rounds,
        report.transactions,
        times.join(", "),
        steps.len()
    );
    ensure!(steps.is_empty(), "seed {seed}:\n{}", steps.join("\n"));
    Ok(())
}

lab::in_both_browsers!(two_tabs_that_count_never_step_back);
