//! Free ports of the loopback interface.

use std::net::TcpListener;

use anyhow::{Context as _, Error, Result};

/// On how many ports a server is tried.
const ATTEMPTS: usize = 10;

/// A port that nothing listens on now. It is not reserved: take it at once.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Starts a server on a free port. Until the server has the port another process may take it, the
/// sooner the busier the machine is: then another port is tried.
pub fn on_free_port<T>(mut start: impl FnMut(u16) -> Result<T>) -> Result<T> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match start(free_port()?) {
            Err(error) if attempts < ATTEMPTS && is_taken(&error) => {}
            result => return result,
        }
    }
}

/// Whether a server ended because another process has its port, by the log in the error.
fn is_taken(error: &Error) -> bool {
    format!("{error:#}").contains("Address already in use")
}
