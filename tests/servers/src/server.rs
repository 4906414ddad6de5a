//! A server's life, the same for both programs.

use std::{fmt::Debug, path::Path, process::Command};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{
    port::on_free_port,
    process::{self, Process},
    wait::{self, PATIENCE, Seen},
};

/// A program that serves a port.
pub trait Program: Debug + Sized {
    /// The name of its executable.
    const NAME: &'static str;

    /// How it runs.
    type Options: Debug + Clone + Default;

    /// The command that runs it on this port, with its files in this directory.
    fn command(options: &Self::Options, port: u16, directory: &Path) -> Result<Command>;

    /// The number of the process that answers at the server's port, once it does all that it is
    /// asked.
    fn answering(server: &Server<Self>) -> Result<u32>;
}

/// A server on a port of its own, which it keeps over restarts. It is killed when this goes.
#[derive(Debug)]
pub struct Server<P: Program> {
    // Before its directory goes.
    process: Option<Process>,
    directory: TempDir,
    port: u16,
    usual: P::Options,
    current: P::Options,
}

impl<P: Program> Server<P> {
    /// Starts a server and waits until it answers.
    pub fn start() -> Result<Self> {
        Self::start_with(&P::Options::default())
    }

    /// The same, with options that each [`Server::restart`] keeps.
    pub fn start_with(options: &P::Options) -> Result<Self> {
        on_free_port(|port| Self::start_at(port, options))
    }

    fn start_at(port: u16, options: &P::Options) -> Result<Self> {
        let prefix = format!("idb-relay-{}-", P::NAME);
        let mut server = Self {
            process: None,
            directory: tempfile::Builder::new().prefix(&prefix).tempdir()?,
            port,
            usual: options.clone(),
            current: options.clone(),
        };
        server.restart()?;
        Ok(server)
    }

    /// The port, the same after each restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:…`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Kills it (SIGKILL), if it runs.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Starts it again on the same port, with the options of its start, and waits until it answers.
    /// It is killed first if it runs.
    pub fn restart(&mut self) -> Result<()> {
        let usual = self.usual.clone();
        self.restart_with(&usual)
    }

    /// The same, with other options until the next restart.
    pub fn restart_with(&mut self, options: &P::Options) -> Result<()> {
        self.restart_without_waiting(options)?;
        self.await_answer()
    }

    /// The same without waiting until it answers: it may have much to read.
    pub fn restart_without_waiting(&mut self, options: &P::Options) -> Result<()> {
        self.kill()?;
        let command = P::command(options, self.port, self.directory())?;
        self.current = options.clone();
        self.process = Some(Process::start(P::NAME, &command, &self.directory().join("log"))?);
        Ok(())
    }

    /// Waits until it does what it is asked: it, and no other process that has its port.
    pub fn await_answer(&mut self) -> Result<()> {
        wait::until(&format!("an answer of {}", P::NAME), PATIENCE, || {
            let id = self.running_mut()?.id();
            let answer = P::answering(self);
            self.running_mut()?.must_live()?;
            Ok(match answer {
                Ok(answering) if answering == id => Seen::Ready(()),
                Ok(answering) => Seen::Not(format!("process {answering} has the port")),
                Err(error) => Seen::Not(format!("{error:#}")),
            })
        })
    }

    /// Lets it do nothing (SIGSTOP) until it is resumed. What it is sent waits.
    pub fn pause(&self) -> Result<()> {
        process::pause(self.running()?.id())
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<()> {
        process::resume(self.running()?.id())
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How it runs now.
    pub(crate) fn options(&self) -> &P::Options {
        &self.current
    }

    fn running(&self) -> Result<&Process> {
        self.process.as_ref().with_context(Self::down)
    }

    fn running_mut(&mut self) -> Result<&mut Process> {
        self.process.as_mut().with_context(Self::down)
    }

    fn down() -> String {
        format!("{} does not run: restart it first", P::NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memcached::Memcached, redis::Redis};

    fn starts_on_another_port_when_port_is_taken<P: Program>() -> Result<()> {
        let first = Server::<P>::start()?;
        let mut tried = 0;
        let second = on_free_port(|free| {
            tried += 1;
            let port = if tried == 1 { first.port() } else { free };
            Server::<P>::start_at(port, &P::Options::default())
        })?;
        assert!(tried > 1 && second.port() != first.port());
        Ok(())
    }

    #[test]
    fn redis_starts_on_another_port_when_port_is_taken() -> Result<()> {
        starts_on_another_port_when_port_is_taken::<Redis>()
    }

    #[test]
    fn memcached_starts_on_another_port_when_port_is_taken() -> Result<()> {
        starts_on_another_port_when_port_is_taken::<Memcached>()
    }

    #[test]
    fn paused_server_answers_when_resumed() -> Result<()> {
        let mut server = Server::<Redis>::start()?;
        server.pause()?;
        server.resume()?;
        server.await_answer()?;
        server.kill()?;
        assert!(server.pause().is_err() && server.id().is_none());
        Ok(())
    }
}
