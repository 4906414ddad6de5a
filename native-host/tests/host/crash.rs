//! Crash tests against a model: random commits and random faults, round after round.
//!
//! Each round plays the browser to the real program, with real servers, while these and the program
//! are killed, stopped, emptied, filled and locked; then everything is healed, and journal, stream,
//! channels and cache must say what the model of the browser's databases says: nothing lost,
//! nothing twice, nothing stale.
//!
//! `IDB_RELAY_ROUNDS` sets how many rounds run (otherwise as many as fit into the everyday run),
//! `IDB_RELAY_SEED` the first one's seed (otherwise a new one); each round has a seed of its own. A
//! failure names its seed, leaves what was done and said in `target/tmp/crash/SEED/`, and prints
//! the smallest schedule that showed it; with `IDB_RELAY_SHRINK=0` it does not look for that.
//!
//! - `model`: the browser's databases, and the report of each change.
//! - `browser`: documents, and the background that keeps what is not acknowledged.
//! - `clock`: what time it is, for pages and host alike.
//! - `schedule`: what happens in a round.
//! - `lab`, `disk`, `wal`: the program, the servers, and what can go wrong with each.
//! - `listener`: who listens to the channels.
//! - `round`: plays a schedule.
//! - `verdict`: judges what came of it.
//! - `shrink`: makes a schedule that fails small.

mod browser;
pub mod clock;
mod disk;
mod lab;
mod listener;
mod model;
mod round;
mod schedule;
mod shrink;
mod verdict;
mod wal;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;

use self::{lab::Lab, round::Report, schedule::Step};

/// How many rounds run at the same time; they mostly wait.
const TOGETHER: usize = 2;

/// After so many failures no more rounds begin.
const ENOUGH: usize = 5;

/// How long the everyday run may begin rounds.
const EVERYDAY: (u64, Duration) = (30, Duration::from_secs(20));

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Plays a schedule; what panics in it fails it.
fn play(lab: &mut Lab, name: &str, seed: u64, steps: &[Step], patience: Duration) -> Result<Report, String> {
    let played = catch_unwind(AssertUnwindSafe(|| round::play(lab, name, seed, steps, patience)));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.unwrap_or_else(|| "a panic".to_owned()))
    })
}

fn steps_of(seed: u64) -> Vec<Step> {
    schedule::schedule(&mut Rng::with_seed(seed))
}

// What a long run did is what it is for.
#[allow(clippy::print_stdout)]
#[test]
fn nothing_is_lost_doubled_or_stale_after_any_crash() {
    let first = number("IDB_RELAY_SEED").unwrap_or_else(|| fastrand::u32(..).into());
    let rounds = number("IDB_RELAY_ROUNDS");
    let (count, patience) = rounds.map_or(EVERYDAY, |rounds| (rounds, Duration::MAX));
    println!("IDB_RELAY_SEED={first} IDB_RELAY_ROUNDS={count}");
    let began = Instant::now();
    let next = Mutex::new(first);
    let total = Mutex::new((0_u64, Report::default()));
    let failures: Mutex<Vec<(u64, String)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..TOGETHER.min(usize::try_from(count).unwrap_or(TOGETHER)) {
            scope.spawn(|| {
                let mut lab = Lab::new();
                loop {
                    let seed = {
                        let mut next = next.lock().expect("whole");
                        let over = *next >= first + count || began.elapsed() > patience;
                        if over || failures.lock().expect("whole").len() >= ENOUGH {
                            return;
                        }
                        *next += 1;
                        *next - 1
                    };
                    let start = Instant::now();
                    match play(
                        &mut lab,
                        &format!("round-{seed}"),
                        seed,
                        &steps_of(seed),
                        round::PATIENCE,
                    ) {
                        Ok(report) => {
                            if rounds.is_some() {
                                println!("seed {seed}: {:.1?}, {report:?}", start.elapsed());
                            }
                            let mut total = total.lock().expect("whole");
                            total.0 += 1;
                            total.1 = total.1.and(report);
                        }
                        Err(wrong) => {
                            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash/{seed}"));
                            match lab.keep(&kept) {
                                Ok(()) => println!("seed {seed} fails (see {}): {wrong}", kept.display()),
                                Err(error) => println!("seed {seed} fails (nothing kept: {error}): {wrong}"),
                            }
                            failures.lock().expect("whole").push((seed, wrong));
                            // The next round must not meet what this one has left behind.
                            lab = Lab::new();
                        }
                    }
                }
            });
        }
    });
    let (rounds, report) = total.into_inner().expect("whole");
    println!(
        "{rounds} rounds passed from seed {first} in {:.0?}: {report:?}",
        began.elapsed()
    );
    let mut failures = failures.into_inner().expect("whole");
    if number("IDB_RELAY_SHRINK") == Some(0) {
        let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
        assert!(seeds.is_empty(), "these seeds fail: {seeds:?}");
    }
    if let Some((seed, wrong)) = failures.pop() {
        let (steps, wrong) = shrink::shrink(steps_of(seed), wrong, |attempt, steps| {
            play(
                &mut Lab::new(),
                &format!("round-{seed}-{attempt}"),
                seed,
                steps,
                shrink::PATIENCE_OF_A_ROUND,
            )
            .err()
        });
        let lines: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
        panic!(
            "seed {seed}: {wrong}\nthe smallest schedule that showed it, of {} steps:\n{}",
            steps_of(seed).len(),
            lines.join("\n")
        );
    }
    assert!(rounds > 0, "no round ran");
}
