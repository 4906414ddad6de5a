//! A value that the screen follows, for as long as the page lives.
//!
//! It does what `RwSignal` does, whose machinery is compiled anew for every type of value; here the part that knows who follows has no
//! type, so that a signal more costs next to nothing to load. It is never given back: only for what there is once ([`super::state`]).

use std::sync::{
    PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicU64, Ordering},
};

use leptos::prelude::{ArcTrigger, Notify as _, Track as _};

/// See the [module](self). A handle: copies are of the same value.
pub struct Lasting<T: 'static>(&'static Inner<T>);

struct Inner<T> {
    followers: ArcTrigger,
    revision: AtomicU64,
    value: RwLock<T>,
}

impl<T> Clone for Lasting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lasting<T> {}

impl<T> Lasting<T> {
    pub fn new(value: T) -> Self {
        Self(Box::leak(Box::new(Inner {
            followers: ArcTrigger::new(),
            revision: AtomicU64::new(0),
            value: RwLock::new(value),
        })))
    }

    /// Whoever runs now runs again after a change.
    pub fn track(self) {
        self.0.followers.track();
    }

    /// Has everybody who follows run again.
    pub fn notify(self) {
        self.0.revision.fetch_add(1, Ordering::Relaxed);
        self.0.followers.notify();
    }

    /// A number that grows with every change that is told; follows it.
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
        self.replace(value);
        self.notify();
    }

    pub fn update<R>(self, change: impl FnOnce(&mut T) -> R) -> R {
        let changed = self.update_untracked(change);
        self.notify();
        changed
    }

    /// Changes it without a word to anybody.
    pub fn update_untracked<R>(self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.value.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets it without a word to anybody; what it was.
    pub fn replace(self, value: T) -> T {
        self.update_untracked(|known| std::mem::replace(known, value))
    }

    fn read(self) -> RwLockReadGuard<'static, T> {
        self.0.value.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: PartialEq> Lasting<T> {
    /// Sets it if it is another: who follows is not told of what is as it was.
    pub fn put(self, value: T) {
        if self.with_untracked(|known| *known != value) {
            self.set(value);
        }
    }
}

impl<T: Clone> Lasting<T> {
    pub fn get(self) -> T {
        self.track();
        self.get_untracked()
    }

    pub fn get_untracked(self) -> T {
        self.read().clone()
    }
}
