//! A value that the screen follows, for as long as the page lives.
//!
//! It does what Leptos' `RwSignal` does. That is compiled once for every type of value; here the
//! part that knows the followers has no type, so that a further value costs next to nothing to
//! load. The memory is never freed: only for values that exist once (`app::state`).

use std::sync::{
    PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicU64, Ordering},
};

use leptos::prelude::{ArcTrigger, Notify as _, Track as _};

/// A handle; its copies refer to the same value.
pub struct Observable<T: 'static>(&'static Inner<T>);

struct Inner<T> {
    followers: ArcTrigger,
    revision: AtomicU64,
    value: RwLock<T>,
}

impl<T> Clone for Observable<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Observable<T> {}

impl<T> Observable<T> {
    pub fn new(value: T) -> Self {
        Self(Box::leak(Box::new(Inner {
            followers: ArcTrigger::new(),
            revision: AtomicU64::new(0),
            value: RwLock::new(value),
        })))
    }

    /// Runs the current effect or view again after each change.
    pub fn track(self) {
        self.0.followers.track();
    }

    /// Runs the effects and views that follow the value.
    pub fn notify(self) {
        self.0.revision.fetch_add(1, Ordering::Relaxed);
        self.0.followers.notify();
    }

    /// A number that grows with every notified change. Tracks the value.
    pub fn revision(self) -> u64 {
        self.track();
        self.0.revision.load(Ordering::Relaxed)
    }

    pub fn with<R>(self, read: impl FnOnce(&T) -> R) -> R {
        self.track();
        self.with_untracked(read)
    }

    pub fn with_untracked<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.read())
    }

    pub fn set(self, value: T) {
        self.replace_untracked(value);
        self.notify();
    }

    pub fn update<R>(self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = self.update_untracked(change);
        self.notify();
        result
    }

    /// Changes the value without notifying.
    pub fn update_untracked<R>(self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.value.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the value without notifying; the former value.
    pub fn replace_untracked(self, value: T) -> T {
        self.update_untracked(|known| std::mem::replace(known, value))
    }

    fn read(self) -> RwLockReadGuard<'static, T> {
        self.0.value.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: PartialEq> Observable<T> {
    /// Sets the value and notifies, but only if it differs.
    pub fn set_if_changed(self, value: T) {
        if self.with_untracked(|known| *known != value) {
            self.set(value);
        }
    }
}

impl<T: Clone> Observable<T> {
    pub fn get(self) -> T {
        self.track();
        self.get_untracked()
    }

    pub fn get_untracked(self) -> T {
        self.read().clone()
    }
}
