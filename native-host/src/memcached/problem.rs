//! What the errors of servers are called, and what to do about them.

use memcache::exp::Error;
use protocol::problem::Problem;

use super::obstacle::Obstacle;

/// An error of servers.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One word that never changes its meaning, such as `unreachable`.
    pub state: &'static str,
    /// What, and what to do.
    pub problem: Problem,
}

/// An error under its name, with its fix.
pub(crate) fn failure(error: &Error, servers: &[String]) -> Failure {
    let servers = servers.join(", ");
    let (state, fix) = match cause(error) {
        Error::Io(error) => match Obstacle::of(error) {
            Some(obstacle) => (obstacle.state(), obstacle.fix()),
            None if error.kind() == std::io::ErrorKind::TimedOut => {
                ("slow", "See why the server is slow; nothing is lost meanwhile.")
            }
            None => (
                "unreachable",
                "Start the server, or correct memcached.servers; nothing is lost meanwhile.",
            ),
        },
        Error::Timeout { .. } => ("slow", "See why the server is slow; nothing is lost meanwhile."),
        Error::Rejected(text) if text.contains("without CAS") => (
            "refused",
            "Start the server without the option -C: without CAS nothing keeps a late write off.",
        ),
        Error::Server(text) if text.contains("out of memory") => (
            "out_of_memory",
            "Give the server more memory (-m), or let it evict (without -M).",
        ),
        Error::Rejected(_) | Error::Protocol(_) => (
            "refused",
            "Is it Memcached 1.6 or newer? Its meta commands are needed, and a proxy in between may not know them.",
        ),
        _ => ("refused", "See the server's log; nothing is lost meanwhile."),
    };
    let error = match cause(error) {
        // Without the client's wrappers, whose texts have a record's key in them.
        Error::Timeout { .. } => "it did not answer in time".to_owned(),
        Error::Io(error) if Obstacle::of(error).is_some() => error.to_string(),
        other => other.to_string(),
    };
    Failure {
        state,
        problem: Problem {
            message: format!("memcached at {servers}: {error}"),
            fix: fix.to_owned(),
        },
    }
}

/// What an error of these servers is, for a person.
pub(crate) fn problem_of(error: &Error, servers: &[String]) -> Problem {
    failure(error, servers).problem
}

/// What a server that cannot be spoken to is, for a person.
pub(crate) fn unreachable(error: std::io::Error, server: &str) -> Problem {
    problem_of(&Error::Io(error), &[server.to_owned()])
}

/// An unexpected answer; only its first word is reported, for a key may follow.
pub(crate) fn unexpected(line: &str) -> Error {
    let word = line.split(' ').next().unwrap_or_default();
    Error::Protocol(format!("{word:?} is no answer to what was asked"))
}

/// The error that a wrapper is about.
pub(super) fn cause(error: &Error) -> &Error {
    match error {
        Error::Ambiguous { source, .. } => cause(source),
        other => other,
    }
}
