//! How long commits took to arrive, added up.

use std::{collections::BTreeMap, fmt};

use super::{Class, Round};

/// The delays that commits are counted by, in milliseconds.
const WITHIN: [u32; 4] = [10, 100, 1000, 10_000];

/// Of all rounds of a class.
#[derive(Debug, Default)]
struct Sum {
    rounds: usize,
    commits: usize,
    /// Commits that arrived within each of [`WITHIN`].
    within: [usize; WITHIN.len()],
    /// Commits whose database was deleted, or whose number was passed, before they could be seen.
    superseded: usize,
    /// Steps that a writer gave up.
    errors: usize,
}

/// What all rounds came to, by class.
#[derive(Debug, Default)]
pub struct Report(BTreeMap<Class, Sum>);

impl Report {
    /// Adds a round.
    pub fn add(&mut self, class: Class, round: &Round) {
        let sum = self.0.entry(class).or_default();
        sum.rounds += 1;
        sum.superseded += round.superseded;
        sum.errors += round.errors.len();
        sum.commits += round.delays.len();
        for (count, within) in sum.within.iter_mut().zip(WITHIN) {
            *count += round
                .delays
                .iter()
                .filter(|delay| **delay <= f64::from(within))
                .count();
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (class, sum) in &self.0 {
            write!(f, "{class:?}: {} rounds, {} commits", sum.rounds, sum.commits)?;
            for (count, within) in sum.within.iter().zip(WITHIN) {
                #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
                let share = 100.0 * *count as f64 / sum.commits.max(1) as f64;
                write!(f, ", {share:.2} % within {within} ms")?;
            }
            writeln!(
                f,
                ", all at rest; {} superseded, {} steps given up",
                sum.superseded, sum.errors
            )?;
        }
        Ok(())
    }
}
