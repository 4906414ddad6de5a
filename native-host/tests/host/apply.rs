//! `idb-relay apply`: from Redis to Memcached, as a process of its own.

mod stream;

use crate::support::{Host, Sandbox};

/// A host that leaves Memcached alone.
fn sandbox() -> Sandbox {
    Sandbox::with_config("mode = \"off\"\n")
}

fn host(sandbox: &Sandbox) -> Host {
    Host::start(sandbox)
}
