//! Generated programs: the page can't tell that it is observed, and nothing it commits is missed or
//! invented.
//!
//! `IDB_RELAY_PROGRAMS` sets how many programs run (the everyday test runs a few hundred),
//! `IDB_RELAY_SEED` the first seed. A failure names its seed and prints the smallest program that
//! shows it.

// The report is what a long run is for.
#![allow(clippy::print_stdout)]

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch, Profile},
    differential::tester::Tester,
    relay::STREAM,
    site::Site,
    wait::{self, PATIENCE, Seen},
};

/// The default number of programs.
const EVERYDAY: u64 = 200;

fn number(variable: &str, default: u64) -> Result<u64> {
    Ok(std::env::var(variable)
        .ok()
        .map(|text| text.parse())
        .transpose()?
        .unwrap_or(default))
}

fn programs_agree(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let hooked = browser.open(&rig.site.url("/differential/"))?;
    // Capture is on once a write of the page itself arrives as one.
    wait::until("capture to be on", PATIENCE, || {
        hooked.evaluate("runPrograms([{name: 'canary', steps: [{step: 'open', connection: 'c', database: 0, version: 1, outcome: 'ok', \
            upgrade: [{op: 'createObjectStore', store: 's', options: {}}, {op: 'put', store: 's', key: 1, value: 1}]}]}])")?;
        let seen = rig.stream()?.iter().any(|event| event.op() == "c");
        if !seen {
            hooked.evaluate("forgetPrograms([{name: 'canary'}])")?;
        }
        Ok(if seen {
            Seen::Ready(())
        } else {
            Seen::Not("no event of the page".to_owned())
        })
    })?;

    // A page that loads is read once as a whole; from then on every event is capture's own.
    hooked.reload()?;
    wait::until(
        "the first look at the page's databases to be over",
        PATIENCE,
        || {
            let stores = rig.relay.run_json(&["ls", "--json"])?;
            Ok(if stores.to_string().contains(r#""complete":true"#) {
                Seen::Ready(())
            } else {
                Seen::Not(stores.to_string())
            })
        },
    )?;

    let bare_site = Site::start()?;
    let bare_profile = Profile::new(kind)?;
    let bare_browser = bare_profile.start(&Launch::default())?;
    let bare = bare_browser.open(&bare_site.url("/differential/"))?;

    let (seed, count) = (
        number("IDB_RELAY_SEED", 1)?,
        number("IDB_RELAY_PROGRAMS", EVERYDAY)?,
    );
    let report = Tester::new(bare, hooked, rig.redis.connect()?, STREAM)?.run(seed, count)?;
    println!(
        "{}: {} programs from seed {seed} without a difference, {} unstable by themselves, {} stuck in the engine, {} events replayed, {} databases read again",
        kind.name(),
        report.programs,
        report.unstable,
        report.stuck,
        report.events,
        report.read
    );
    ensure!(
        (report.unstable + report.stuck) * 10 <= report.programs + 20,
        "too many programs prove nothing: {report:?}"
    );
    // What is read again would hide what was missed.
    ensure!(
        report.read * 20 <= report.programs,
        "too much was read rather than captured: {report:?}"
    );
    Ok(())
}

#[test]
fn chromium() -> Result<()> {
    programs_agree(Kind::Chromium)
}

#[test]
fn firefox() -> Result<()> {
    programs_agree(Kind::Firefox)
}
