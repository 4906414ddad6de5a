//! A server's life, as a test wants it: what fails ends the test.

use std::ops::Deref;

use test_servers::{Program, Server};

/// A server of a test. See [`Redis`](super::Redis) and [`Memcached`](super::Memcached) for what
/// each is asked.
pub struct TestServer<P: Program>(pub(super) Server<P>);

/// What cannot fail.
impl<P: Program> Deref for TestServer<P> {
    type Target = Server<P>;

    fn deref(&self) -> &Server<P> {
        &self.0
    }
}

impl<P: Program> TestServer<P> {
    pub fn start() -> Self {
        Self::start_with(&P::Options::default())
    }

    /// With options that restarts keep.
    pub fn start_with(options: &P::Options) -> Self {
        Self(Server::start_with(options).expect("it starts"))
    }

    /// Kills it first if it runs.
    pub fn restart(&mut self) {
        self.0.restart().expect("it starts again");
    }

    /// With other options until the next restart.
    pub fn restart_with(&mut self, options: &P::Options) {
        self.0.restart_with(options).expect("it starts again");
    }

    /// Without waiting until it answers: it may have much to read.
    pub fn restart_without_waiting(&mut self, options: &P::Options) {
        self.0.restart_without_waiting(options).expect("it starts again");
    }

    /// Waits until it does what it is asked.
    pub fn await_answer(&mut self) {
        self.0.await_answer().expect("it answers");
    }

    pub fn kill(&mut self) {
        self.0.kill().expect("it ends");
    }

    pub fn pause(&self) {
        self.0.pause().expect("it runs");
    }

    pub fn resume(&self) {
        self.0.resume().expect("it runs");
    }
}
