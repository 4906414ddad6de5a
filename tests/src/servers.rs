//! Private servers on free ports of the loopback interface.

use std::net::TcpListener;

use anyhow::{Context as _, Result};

mod memcached;
mod redis;

pub use memcached::{Client, Item, MemcachedServer};
pub use redis::RedisServer;

/// A port that nothing listens on now. It is not reserved: take it at once.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
