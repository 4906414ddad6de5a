//! Single questions to one server, beside the sink.
//!
//! The `memcache` crate's own client connects by plain TCP alone; this one asks the same commands
//! over a [`Connection`].

use memcache::exp::{Error, MetaCommand, MetaCommandResult};

use super::{
    connection::{Answer, CommandBatch, Connection},
    problem::unexpected,
    ring::Ring,
};
use crate::config::{self, endpoint::Endpoint};

/// A server that is asked now and then. It connects when it is first asked, and again after the
/// connection was lost.
pub(crate) struct Client {
    endpoint: Endpoint,
    line: Option<Connection>,
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, line: None }
    }

    /// One for the server that has this name; connects when it is first asked.
    pub(crate) fn of_name(config: &config::Memcached, name: &str) -> Result<Self, Error> {
        let index = Self::home(config, name);
        let endpoint = config.endpoints().nth(index);
        endpoint.map(Self::new).ok_or_else(|| unexpected(""))
    }

    /// The index of the server that has this name.
    pub(crate) fn home(config: &config::Memcached, name: &str) -> usize {
        match config.servers.len() {
            // No need to ask.
            1 => 0,
            _ => Ring::new(&config.servers).server(name.as_bytes()),
        }
    }

    /// Sends one command and returns its answer.
    pub(crate) fn run_one(&mut self, command: MetaCommand) -> Result<MetaCommandResult, Error> {
        let mut answers = self.run(&[command])?;
        answers.pop().unwrap_or_else(|| Err(unexpected("")))
    }

    /// The server's name, as the configuration has it.
    pub(crate) fn server(&self) -> &str {
        self.endpoint.name()
    }

    /// Sends commands, all at once, and returns the answer of each. After an error it is not known
    /// what the server has done.
    pub(crate) fn run(
        &mut self,
        commands: &[MetaCommand],
    ) -> Result<Vec<Result<MetaCommandResult, Error>>, Error> {
        let mut parcel = CommandBatch::default();
        for command in commands {
            parcel.push_command(command)?;
        }
        let is_open = self.line.as_mut().is_some_and(Connection::is_open);
        let mut line = match self.line.take() {
            Some(line) if is_open => line,
            _ => Connection::open(&self.endpoint)?.0,
        };
        let answers = line.exchange(&parcel).map_err(|broken| broken.error)?;
        self.line = Some(line);
        Ok(answers.into_iter().map(Answer::result).collect())
    }
}
