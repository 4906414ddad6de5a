//! How much was done for a value, for tests that hold a bound on it. Time would tell of the
//! machine.

#[cfg(test)]
use std::cell::Cell;

#[cfg(test)]
thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts places that were visited, or bytes that were written.
#[cfg(test)]
pub(super) fn count(steps: usize) {
    STEPS.set(STEPS.get() + steps);
}

/// Outside of tests there is nothing to count.
#[cfg(not(test))]
pub(super) const fn count(_steps: usize) {}

/// What was counted in this thread since it was last asked.
#[cfg(test)]
pub(super) fn take() -> usize {
    STEPS.take()
}
