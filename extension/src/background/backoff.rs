//! How long to wait before the host is started again.

use std::time::Duration;

/// Waiting times that double from attempt to attempt.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Before the first repetition.
    pub const FIRST: Duration = Duration::from_millis(250);
    /// However many attempts have failed.
    pub const LONGEST: Duration = Duration::from_secs(30);
    /// Where only a person can help (another version, a configuration error).
    pub const SLOW: Duration = Duration::from_secs(60);

    /// How long to wait now; the next time it will be twice as long.
    pub fn advance(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(Self::LONGEST);
        now
    }

    /// It worked: the next failure starts from the beginning.
    pub fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: Self::FIRST }
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
        assert_eq!(backoff.advance(), Backoff::FIRST);
    }
}
