//! Makes a failing schedule small: leaves out what the failure does not need.

use std::time::{Duration, Instant};

use super::schedule::Step;

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long a round may take to come to rest here: nearly every schedule that still fails takes all
/// of it.
pub const PATIENCE_OF_A_ROUND: Duration = Duration::from_secs(8);

/// How often a shorter schedule may pass until what was left out counts as needed: failures hang on
/// who is faster.
const TRIES: usize = 2;

/// The smallest schedule that was seen to fail, and how. Takes out halves first, then ever smaller
/// pieces.
pub fn shrink(
    steps: Vec<Step>,
    wrong: String,
    mut fails: impl FnMut(usize, &[Step]) -> Option<String>,
) -> (Vec<Step>, String) {
    let deadline = Instant::now() + PATIENCE;
    let (mut smallest, mut last) = (steps, wrong);
    let mut attempt = 0;
    let mut size = smallest.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < smallest.len() {
            let to = (from + size).min(smallest.len());
            let mut shorter = smallest.clone();
            shorter.drain(from..to);
            let failure = (0..TRIES).find_map(|_| {
                if Instant::now() > deadline {
                    return None;
                }
                attempt += 1;
                fails(attempt, &shorter)
            });
            match failure {
                Some(wrong) => (smallest, last) = (shorter, wrong),
                None => from = to,
            }
            if Instant::now() > deadline {
                return (smallest, last);
            }
        }
        size /= 2;
    }
    (smallest, last)
}
