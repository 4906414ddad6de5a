//! What a Memcached server says of itself.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    time::Duration,
};

use super::{connection::speaks_classic, obstacle::Obstacle, stream::Stream};
use crate::config::endpoint::Endpoint;

/// The answers that matter here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Such as `1.6.18`.
    pub version: Option<String>,
    /// The largest item that it takes, in bytes, key and header included.
    pub item_size: Option<u64>,
    /// How many items it holds.
    pub items: Option<u64>,
    /// What its clock says: seconds since 1970, by which items end.
    pub time: Option<u64>,
    /// It asked for the login that is in the configuration.
    pub asked_for_login: bool,
}

impl Settings {
    /// Asks a server on a connection of its own. What it does not tell, as a proxy may not, stays
    /// unknown.
    pub(crate) fn of(server: &Endpoint, timeout: Duration) -> io::Result<Self> {
        let mut stream = Stream::open(server, timeout)?;
        stream.write_all(b"mn\r\nversion\r\nstats settings\r\nstats\r\n")?;
        stream.flush()?;
        let mut settings = Self {
            asked_for_login: stream.asked_for_login(),
            ..Self::default()
        };
        let mut answers = 0;
        let mut lines = BufReader::new(stream).lines();
        let first = match lines.next().map(|first| first.map_err(Obstacle::at_first)) {
            None => Err(Obstacle::Closed.into()),
            Some(first) => first,
        };
        let first = match first {
            Err(error) if Obstacle::of(&error) == Some(&Obstacle::Closed) && speaks_classic(server) => {
                return Err(Obstacle::NoMeta.into());
            }
            first => first?,
        };
        if let Some(obstacle) = Obstacle::in_answer(&first) {
            return Err(obstacle.into());
        }
        for line in lines {
            let line = line.map_err(Obstacle::named)?;
            if let Some(version) = line.strip_prefix("VERSION ") {
                settings.version = Some(version.to_owned());
            } else if let Some(size) = line.strip_prefix("STAT item_size_max ") {
                settings.item_size = size.parse().ok();
            } else if let Some(items) = line.strip_prefix("STAT curr_items ") {
                settings.items = items.parse().ok();
            } else if let Some(time) = line.strip_prefix("STAT time ") {
                settings.time = time.parse().ok();
            } else if line == "END" || line.starts_with("ERROR") || line.starts_with("CLIENT_ERROR") {
                answers += 1;
                if answers == 2 {
                    return Ok(settings);
                }
            }
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "it closed the connection: is it Memcached?",
        ))
    }
}
