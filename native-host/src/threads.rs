//! Threads that go through values.
//!
//! Values nest up to [`MAX_DEPTH`](protocol::json::MAX_DEPTH) levels, and each level is a few
//! frames on the stack. What a system gives a thread by itself differs; the main thread's stack is
//! at least as large as this nearly everywhere.

use std::{
    io,
    thread::{Builder, JoinHandle, Scope, ScopedJoinHandle},
};

/// Several times what the deepest value takes in a build without optimisation.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Starts a thread with room for the deepest value.
pub(crate) fn spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().stack_size(STACK_BYTES).spawn(run)
}

/// The same within a scope.
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    run: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run)
}

#[cfg(test)]
mod tests {
    use protocol::{
        json::MAX_DEPTH,
        value::{PlainError, plain},
    };

    use super::*;

    #[test]
    fn deepest_value_fits_on_a_quarter_of_the_stack() {
        let levels = MAX_DEPTH / 3 - 1;
        let typed = format!("{}1{}", r#"{"$map":[["a","#.repeat(levels), "]]}".repeat(levels));
        let run = move || plain(&typed, usize::MAX).map(|text| text.len());
        let deep = Builder::new()
            .stack_size(STACK_BYTES / 4)
            .spawn(run)
            .expect("a thread");
        assert_eq!(
            deep.join().expect("no overflow"),
            Ok::<_, PlainError>(levels * 6 + 1)
        );
    }
}
