//! How long to wait before the host is started again.

use std::time::Duration;

use crate::timing;

/// Waiting times that double from attempt to attempt.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// How long to wait now; the next time it will be twice as long.
    pub fn advance(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(timing::LONGEST_BACKOFF);
        now
    }

    /// It worked: the next failure starts from the beginning.
    pub fn reset(&mut self) {
        self.next = timing::FIRST_BACKOFF;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            next: timing::FIRST_BACKOFF,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_bound_and_start_again() {
        let mut backoff = Backoff::default();
        let delays: Vec<u128> = (0..9).map(|_| backoff.advance().as_millis()).collect();
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.advance(), timing::FIRST_BACKOFF);
    }
}
