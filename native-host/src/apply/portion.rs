//! How much goes over a line at once.

use std::time::Duration;

/// The most, in bytes: what is gained by more is little, and it is held in memory several times.
const MOST: usize = 1024 * 1024;

/// The least. A line so slow that this takes long is kept waiting for.
const LEAST: usize = 16 * 1024;

/// What took longer than this was too much, and what took less than the other too little.
const LONG: Duration = Duration::from_millis(500);
const SHORT: Duration = Duration::from_millis(100);

/// So much at once, learnt from how long it took.
#[derive(Debug)]
pub struct Portion(usize);

impl Default for Portion {
    fn default() -> Self {
        Self(MOST)
    }
}

impl Portion {
    /// In bytes. A single thing that is larger goes alone.
    pub fn bytes(&self) -> usize {
        self.0
    }

    /// Learns how long a portion took, also if it never arrived.
    pub fn learn(&mut self, took: Duration) {
        if took > LONG {
            self.0 = (self.0 / 2).max(LEAST);
        } else if took < SHORT {
            self.0 = (self.0 * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_is_given_less_and_a_fast_one_more() {
        let mut portion = Portion::default();
        assert_eq!(portion.bytes(), MOST);
        portion.learn(LONG * 2);
        assert_eq!(portion.bytes(), MOST / 2);
        portion.learn((LONG + SHORT) / 2);
        assert_eq!(portion.bytes(), MOST / 2);
        for _ in 0..20 {
            portion.learn(LONG * 2);
        }
        assert_eq!(portion.bytes(), LEAST);
        for _ in 0..20 {
            portion.learn(Duration::ZERO);
        }
        assert_eq!(portion.bytes(), MOST);
    }
}
