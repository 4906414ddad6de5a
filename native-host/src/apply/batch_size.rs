//! How much is sent over a connection at once.

use std::time::Duration;

use crate::timing::apply::{LONG_BATCH, SHORT_BATCH};

/// The most, in bytes: what is gained by more is little, and it is held in memory several times.
const MOST: usize = 1024 * 1024;

/// The least. If even this takes long, the connection is slow and is waited for.
const LEAST: usize = 16 * 1024;

/// So much at once, learnt from how long it took.
#[derive(Debug)]
pub struct BatchSize(usize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(MOST)
    }
}

impl BatchSize {
    /// In bytes. A single thing that is larger goes alone.
    pub fn bytes(&self) -> usize {
        self.0
    }

    /// Learns how long a batch took, also if it never arrived.
    pub fn learn(&mut self, took: Duration) {
        if took > LONG_BATCH {
            self.0 = (self.0 / 2).max(LEAST);
        } else if took < SHORT_BATCH {
            self.0 = (self.0 * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_is_given_less_and_a_fast_one_more() {
        let mut batch_size = BatchSize::default();
        assert_eq!(batch_size.bytes(), MOST);
        batch_size.learn(LONG_BATCH * 2);
        assert_eq!(batch_size.bytes(), MOST / 2);
        batch_size.learn((LONG_BATCH + SHORT_BATCH) / 2);
        assert_eq!(batch_size.bytes(), MOST / 2);
        for _ in 0..20 {
            batch_size.learn(LONG_BATCH * 2);
        }
        assert_eq!(batch_size.bytes(), LEAST);
        for _ in 0..20 {
            batch_size.learn(Duration::ZERO);
        }
        assert_eq!(batch_size.bytes(), MOST);
    }
}
