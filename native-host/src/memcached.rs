//! Speaking to Memcached servers: connections, what servers say of themselves, which of them a key
//! belongs to, and what their errors mean. What is written, and when, is not known here.
//!
//! The `memcache` crate builds and reads the commands; its own client connects by plain TCP alone.
//!
//! - `client`: single questions, on a connection of their own.
//! - `connection`: a connection to a server.
//! - `item_limit`: how large an item may be.
//! - `metadump`: what a server lists of its items.
//! - `obstacle`: what keeps a connection from its first command, with fixes.
//! - `problem`: what errors are called, with fixes.
//! - [`ring`]: which server a key belongs to, as libmemcached says.
//! - `settings`: what a server says of itself.
//! - `stream`: TCP, TLS or a local socket below the protocol, and the login.

use memcache::exp::{MetaCommand, MetaOp};
use protocol::problem::Problem;

use crate::config;

mod client;
mod connection;
mod item_limit;
pub(crate) mod metadump;
mod obstacle;
mod problem;
pub mod ring;
mod settings;
mod stream;

pub(crate) use self::{
    client::Client,
    connection::{Answer, Broken, CommandBatch, Connection},
    item_limit::{fits, is_too_large, most_bytes},
    problem::{Failure, failure, problem_of, unexpected, unreachable},
    settings::Settings,
    stream::Stream,
};

/// What the server of this name holds under it, on a connection of its own.
pub(crate) fn lookup(config: &config::Memcached, name: &str) -> Result<Option<Vec<u8>>, Problem> {
    let mut client = Client::of_name(config, name).map_err(|error| problem_of(&error, &config.servers))?;
    let get = MetaCommand::new(MetaOp::Get, name).flag("v");
    let found = client.run_one(get);
    found
        .map(|found| found.value)
        .map_err(|error| problem_of(&error, &[client.server().to_owned()]))
}
