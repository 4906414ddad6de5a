//! When a lease was last known to be a process's own, and the thread that keeps it while an answer
//! of Redis is long in coming.
//!
//! An answer may be as large as an event, and a line slow. Until it is there nothing else can be
//! asked on the same connection, so there is a second one, which is opened when it is needed first.
//! It keeps the lease only while a caller waits for an answer: a process that hangs elsewhere loses
//! it. How long a server may be silent before the waiting ends in an error is the connection's
//! business.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::timing;

/// What is known of the lease; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LeaseHolder(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What we put in last.
    token: String,
    /// When it was last known to be ours.
    kept: Option<Instant>,
    /// A caller waits for an answer.
    waiting: bool,
    /// When it was last tried to keep it by other means.
    tried: Option<Instant>,
    ended: bool,
}

/// While this lives a caller waits for an answer.
pub(in crate::apply) struct LeaseWait(LeaseHolder);

impl Drop for LeaseWait {
    fn drop(&mut self) {
        self.0.state().waiting = false;
    }
}

impl LeaseHolder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is ours under this token.
    pub(super) fn take(&self, token: String, asked: Instant) {
        let mut state = self.state();
        state.token = token;
        state.kept = Some(asked);
    }

    /// What we put in last.
    pub(super) fn token(&self) -> String {
        self.state().token.clone()
    }

    /// When it was last known to be ours; `None` if it is not.
    pub(super) fn kept(&self) -> Option<Instant> {
        self.state().kept
    }

    /// It was still ours when this was asked, under this token. Once lost it stays lost.
    pub(super) fn keep(&self, token: &str, asked: Instant) {
        let mut state = self.state();
        if state.token == token {
            state.kept = state.kept.map(|kept| kept.max(asked));
        }
    }

    /// It is no longer ours under this token.
    pub(super) fn lose(&self, token: &str) {
        let mut state = self.state();
        if state.token == token {
            state.kept = None;
        }
    }

    /// Notes that a caller waits for an answer from now on.
    pub(super) fn wait(&self) -> LeaseWait {
        self.state().waiting = true;
        self.0.changed.notify_all();
        LeaseWait(self.clone())
    }

    /// Waits until the lease is to be kept, and gives the token under which; `None` at the end. One
    /// that was not kept for `longest` is given up.
    pub(super) fn next(&self, longest: Duration) -> Option<String> {
        let mut state = self.state();
        loop {
            if state.ended {
                return None;
            }
            let kept = state
                .kept
                .filter(|kept| state.waiting && kept.elapsed() <= longest);
            let left = kept.map(|kept| {
                let again = state
                    .tried
                    .map_or(kept, |tried| tried + timing::apply::LEASE_KEPT_AGAIN);
                (kept + timing::apply::LEASE_KEPT_BY_OTHER)
                    .max(again)
                    .saturating_duration_since(Instant::now())
            });
            state = match left {
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    state.tried = Some(Instant::now());
                    return Some(state.token.clone());
                }
                Some(left) => {
                    let waited = self.0.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Notes that the lease is no longer needed.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.0.changed.notify_all();
    }
}
