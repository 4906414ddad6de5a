//! Waiting for a condition, with a deadline and a useful failure.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Upper bound on what normally takes milliseconds. Generous, because a test machine may be busy:
/// comparisons are paced by how long they take. Only a failure waits this long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// What a condition says when it is looked at.
#[derive(Debug)]
pub enum Seen<T> {
    /// It holds.
    Ready(T),
    /// It does not hold yet; the text is what there is instead.
    Not(String),
}

/// Polls `look` until it is ready. Errors of `look` end the wait at once.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<Seen<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        match look()? {
            Seen::Ready(value) => return Ok(value),
            Seen::Not(seen) if start.elapsed() >= patience => {
                bail!(
                    "waited {:.1} s for {what}; at the end: {seen}",
                    start.elapsed().as_secs_f64()
                )
            }
            Seen::Not(_) => thread::sleep(INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_deadline_says_what_was_awaited_and_what_was_seen() {
        let error = until("a bus", Duration::ZERO, || {
            Ok(Seen::<()>::Not("a tram".to_owned()))
        })
        .expect_err("no bus comes")
        .to_string();
        assert!(error.contains("a bus") && error.contains("a tram"), "{error}");
    }
}
