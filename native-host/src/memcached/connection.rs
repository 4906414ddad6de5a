//! A connection to one server, on which the sink alone talks.
//!
//! Not the client's own: that one gives a whole exchange one deadline, however much it carries, so
//! a large value on a slow line would never arrive. Here time is up only if nothing moves.
//!
//! **Over TLS commands travel in flights**, each waiting for the answers of the one before.
//! Memcached (1.6.18) waits for its socket although decrypted commands wait inside OpenSSL, and
//! answers these only when more bytes come. What it takes with one read leaves nothing there: the
//! commands of one TLS record, or a single command that ends with its last record.

use std::{
    collections::HashMap,
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    time::{Duration, Instant},
};

use memcache::exp::{Error, MetaCommand, MetaCommandResult, MetaResponse, parse_meta_result};

use super::{obstacle::Obstacle, stream::Stream};
use crate::{config::endpoint::Endpoint, timing};

/// The slowest line on which a value still arrives, in bytes a second: what was written may be in
/// buffers on the way, where its progress cannot be seen.
const SLOWEST: u64 = 64 * 1024;

/// The longest flight of several commands: less than a TLS record carries, and than Memcached's
/// read buffer takes.
const FLIGHT: usize = 16_000;

/// No answer's first line is longer.
const LINE: u64 = 8192;

/// A connection that was greeted.
pub(crate) struct Connection {
    stream: BufReader<Stream>,
    /// How long a whole exchange may take; `None`: as long as something moves.
    limit: Option<Duration>,
}

/// What a server says of itself when it is greeted, as far as it tells.
pub(crate) struct Greeting {
    /// The largest item that it takes, in bytes.
    pub item_size: Option<u64>,
    /// Whether it numbers its items.
    pub has_cas: bool,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Such as `HD c12`, without the line's end.
    pub line: String,
    /// What comes with `VA`.
    pub value: Option<Vec<u8>>,
}

/// Why an exchange did not come to its end; the connection is of no further use.
#[derive(Debug)]
pub(crate) struct Broken {
    pub error: Error,
    /// Something was sent that has no answer: the server may execute it yet.
    pub unsure: bool,
}

/// Commands that travel together.
#[derive(Default)]
pub(crate) struct CommandBatch {
    bytes: Vec<u8>,
    /// The length of each.
    lengths: Vec<usize>,
    /// One of them has a key that ends a command early, or is none.
    is_faulty: bool,
}

impl CommandBatch {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Adds a command; `flags` begin with a space each.
    pub(crate) fn push(&mut self, command: &str, name: &str, flags: &str, value: Option<&[u8]>) {
        self.is_faulty |= name.is_empty() || name.bytes().any(|byte| byte <= b' ' || byte == 0x7F);
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(command.as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            self.bytes
                .extend_from_slice(format!(" {}", value.len()).as_bytes());
        }
        self.bytes.extend_from_slice(flags.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        if let Some(value) = value {
            self.bytes.extend_from_slice(value);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.lengths.push(self.bytes.len() - begin);
    }

    /// Adds a command of the client's, which it encodes.
    pub(crate) fn push_command(&mut self, command: &MetaCommand) -> Result<(), Error> {
        let begin = self.bytes.len();
        command.encode_into(&mut self.bytes)?;
        self.lengths.push(self.bytes.len() - begin);
        Ok(())
    }
}

/// Whether a server that hangs up at a meta command answers a classic one: a proxy, or an old
/// server.
pub(super) fn speaks_classic(endpoint: &Endpoint) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = Stream::open(endpoint, timing::memcached::connect())?;
        stream.write_all(b"get idb-relay-host\r\n")?;
        stream.flush()?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer == "END\r\n")
    };
    ask().unwrap_or(false)
}

impl Connection {
    /// Connects, and waits for an answer of the server (to the meta no-op): the system accepts
    /// connections to one that stands still, too.
    pub(crate) fn open(endpoint: &Endpoint) -> Result<(Self, Greeting), Error> {
        let stream = Stream::open(endpoint, timing::memcached::connect())?;
        let mut line = Self {
            stream: BufReader::new(stream),
            limit: None,
        };
        // Both at once, which is long enough for a server with TLS to see that this is none.
        line.write(b"mn\r\nstats settings\r\n")?;
        let answer = match line.read_line().map_err(Obstacle::at_first) {
            Err(error) if Obstacle::of(&error) == Some(&Obstacle::Closed) && speaks_classic(endpoint) => {
                return Err(io::Error::from(Obstacle::NoMeta).into());
            }
            answer => answer?,
        };
        if let Some(obstacle) = Obstacle::in_answer(&answer) {
            return Err(io::Error::from(obstacle).into());
        }
        let settings = line.read_statistics()?;
        line.stream.get_mut().set_timeout(timing::memcached::answer())?;
        let greeting = Greeting {
            item_size: settings.get("item_size_max").and_then(|size| size.parse().ok()),
            has_cas: settings.get("cas_enabled").is_none_or(|enabled| enabled != "no"),
        };
        Ok((line, greeting))
    }

    /// From now on a whole exchange may take this long.
    pub(crate) fn limit(&mut self, limit: Duration) {
        self.limit = Some(limit);
    }

    /// Asks for statistics; there are none where a proxy refuses to tell.
    pub(crate) fn stats(&mut self, question: &str) -> Result<HashMap<String, String>, Error> {
        self.begin(0)?;
        self.write(format!("{question}\r\n").as_bytes())?;
        self.read_statistics()
    }

    fn read_statistics(&mut self) -> Result<HashMap<String, String>, Error> {
        let mut answers = HashMap::new();
        loop {
            let answer = self.read_line()?;
            let Some(statistic) = answer.strip_prefix("STAT ") else {
                // The end, or a proxy's refusal.
                return Ok(answers);
            };
            if let Some((name, value)) = statistic.split_once(' ') {
                answers.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Whether the server has not closed it, as far as is known without asking.
    pub(crate) fn is_open(&mut self) -> bool {
        self.stream.get_mut().is_open()
    }

    /// The time for the next exchange begins; this many bytes of it have still to move.
    fn begin(&mut self, length: usize) -> io::Result<()> {
        let stream = self.stream.get_mut();
        if let Some(limit) = self.limit {
            stream.set_deadline(Instant::now() + limit);
            return Ok(());
        }
        let moving = Duration::from_millis(length as u64 * 1000 / SLOWEST);
        stream.set_read_timeout(timing::memcached::answer_after(moving))
    }

    /// Sends commands and waits for the answer of each.
    pub(crate) fn exchange(&mut self, parcel: &CommandBatch) -> Result<Vec<Answer>, Broken> {
        if parcel.is_faulty {
            let error = Error::Protocol("a key has spaces or control characters".to_owned());
            return Err(Broken { error, unsure: false });
        }
        let mut answers = Vec::with_capacity(parcel.lengths.len());
        // Something that was sent may be complete.
        let unsure = |error: io::Error| Broken {
            error: error.into(),
            unsure: true,
        };
        self.begin(0).map_err(unsure)?;
        let limit = if self.stream.get_ref().is_tls() {
            FLIGHT
        } else {
            usize::MAX
        };
        let (mut bytes, mut lengths) = (&parcel.bytes[..], &parcel.lengths[..]);
        while !lengths.is_empty() {
            let (count, size) = flight(lengths, limit);
            let (now, later) = bytes.split_at(size);
            self.write(now).map_err(unsure)?;
            for length in &lengths[..count] {
                if self.limit.is_none() {
                    self.begin(*length).map_err(unsure)?;
                }
                answers.push(self.read_answer().map_err(unsure)?);
            }
            (bytes, lengths) = (later, &lengths[count..]);
        }
        Ok(answers)
    }

    /// Each call may take its time, as long as it takes something.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.get_mut().write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Obstacle::named(error)),
            }
        }
        self.stream.get_mut().flush().map_err(Obstacle::named)
    }

    fn read_answer(&mut self) -> io::Result<Answer> {
        let line = self.read_line()?;
        let length = line
            .strip_prefix("VA ")
            .map(|rest| rest.split(' ').next().unwrap_or_default().parse::<usize>());
        let value = match length {
            None => None,
            Some(Ok(length)) => {
                let mut value = Vec::new();
                let whole = length as u64 + 2;
                self.stream
                    .by_ref()
                    .take(whole)
                    .read_to_end(&mut value)
                    .map_err(Obstacle::named)?;
                if value.len() as u64 != whole {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                value.truncate(length);
                Some(value)
            }
            Some(Err(_)) => return Err(ErrorKind::InvalidData.into()),
        };
        Ok(Answer { line, value })
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream
            .by_ref()
            .take(LINE)
            .read_until(b'\n', &mut line)
            .map_err(Obstacle::named)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Answer {
    /// What it says, as the client reads it.
    pub(crate) fn result(self) -> Result<MetaCommandResult, Error> {
        let mut result = parse_meta_result(MetaResponse::parse_header(self.line.as_bytes())?)?;
        result.value = self.value;
        Ok(result)
    }

    /// What the server refused, if this says so.
    pub(crate) fn refusal(&self) -> Option<Error> {
        if let Some(text) = self.line.strip_prefix("SERVER_ERROR ") {
            return Some(Error::Server(text.to_owned()));
        }
        if let Some(text) = self.line.strip_prefix("CLIENT_ERROR ") {
            return Some(Error::Rejected(text.to_owned()));
        }
        (self.line == "ERROR").then(|| Error::Rejected("it knows no such command".to_owned()))
    }

    pub(crate) fn says(&self, code: &str) -> bool {
        self.line.split(' ').next() == Some(code)
    }
}

/// How many of these commands travel together, at least one, and how many bytes they have.
fn flight(lengths: &[usize], limit: usize) -> (usize, usize) {
    let mut size = 0;
    for (count, length) in lengths.iter().enumerate() {
        if count > 0 && size + length > limit {
            return (count, size);
        }
        size += length;
    }
    (lengths.len(), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flight_is_one_command_or_several_short_ones() {
        assert_eq!(flight(&[10, 20, 30], usize::MAX), (3, 60));
        assert_eq!(flight(&[10, 20, 30], 30), (2, 30));
        assert_eq!(flight(&[100, 20], 30), (1, 100));
        assert_eq!(flight(&[10, 100, 20], 30), (1, 10));
    }
}
