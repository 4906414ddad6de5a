//! Several tabs and workers write at once, processes are killed meanwhile, and nothing is loaded
//! again: at rest Memcached and the stream hold what IndexedDB holds.
//!
//! `IDB_RELAY_WORKLOADS` sets how many rounds run of each class, `IDB_RELAY_SEED` what happens in
//! them, and `IDB_RELAY_CLASS` (`pages`, `workers`, `faults`) leaves out the other classes.

// The report is what a long run is for.
#![allow(clippy::print_stdout)]

use std::env;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    differential::shrink::shrink,
    workload::{Class, Report, play, program},
};
use serde_json::{Value, json};

/// The default number of rounds of each class.
const EVERYDAY: u64 = 2;

/// How many rounds have the same servers and the same profile.
const ROUNDS_PER_RIG: u64 = 5;

/// How many smaller programs are tried when one has failed.
const ATTEMPTS: usize = 30;

fn variable(name: &str) -> Result<Option<u64>> {
    let text = env::var(name).ok();
    let number = text.map(|text| text.parse()).transpose();
    number.with_context(|| format!("{name} is not a number"))
}

/// Whether a program fails with everything new.
fn fails(kind: Kind, program: &Value) -> bool {
    let attempt = || -> Result<()> {
        let mut rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        play(&mut rig, browser, program).map(drop)
    };
    attempt().is_err()
}

/// The smallest program that was found to fail, too.
fn shrunk(kind: Kind, program: &Value) -> Value {
    let mut attempts = 0;
    shrink(program, |candidate| {
        attempts += 1;
        attempts <= ATTEMPTS && fails(kind, candidate)
    })
}

fn rest_is_consistent(kind: Kind) -> Result<()> {
    let rounds = variable("IDB_RELAY_WORKLOADS")?.unwrap_or(EVERYDAY);
    let first = variable("IDB_RELAY_SEED")?.unwrap_or(1);
    let chosen = env::var("IDB_RELAY_CLASS").ok();
    let shrinks = variable("IDB_RELAY_SHRINK")? == Some(1);
    let mut report = Report::default();
    let mut failures = Vec::new();
    for class in Class::ALL {
        let name = json!(class);
        if chosen.as_deref().is_some_and(|chosen| name != chosen) {
            continue;
        }
        let mut number = 0;
        while number < rounds {
            let mut rig = Rig::new(kind)?;
            let mut browser = rig.browser()?;
            for _ in 0..ROUNDS_PER_RIG.min(rounds - number) {
                let seed = first + number;
                number += 1;
                let program = program(class, kind, seed, &format!("{number} "));
                match play(&mut rig, browser, &program) {
                    Ok((next, round)) => {
                        browser = next;
                        println!("{}: {class:?}, seed {seed}: at rest", kind.name());
                        report.add(class, &round);
                    }
                    Err(error) => {
                        let small = if shrinks { shrunk(kind, &program) } else { program };
                        failures.push(format!("{class:?}, seed {seed}: {error:#}\n{small}"));
                        break;
                    }
                }
            }
            ensure!(failures.len() < 5, "{report}{}", failures.join("\n"));
        }
    }
    println!("{}:\n{report}", kind.name());
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// In Firefox a delayed task of ours could stop all timers of a hidden tab for minutes.
fn timers_of_hidden_tabs_go_off(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    for round in 0..4 {
        let database = format!("{round} a");
        let put = json!({"step": "write", "database": database, "operations": [["put", "items", 1, 1]], "aborts": false});
        let deletion = json!({"step": "delete", "database": database});
        let pause = json!({"step": "pause", "milliseconds": 20});
        let mut steps: Vec<Value> = Vec::new();
        for step in 0..12 {
            steps.extend([put.clone(), put.clone(), pause.clone()]);
            if step % 4 == 3 {
                steps.push(deletion.clone());
            }
        }
        let mut pages = Vec::new();
        for tab in 0..4 {
            let page = browser.open(&rig.site.url("/workload/"))?;
            page.evaluate(&format!(
                "start({})",
                json!({"name": format!("w{tab}"), "kind": "page", "steps": steps})
            ))?;
            pages.push(page);
        }
        for page in pages {
            page.wait_for("Object.values(writers).every(({ ended }) => ended)")?;
            page.close()?;
        }
    }
    Ok(())
}

lab::in_both_browsers!(rest_is_consistent, timers_of_hidden_tabs_go_off);
