//! A connection to one server, on which the sink alone talks.
//!
//! Not the client's own: that one gives a whole exchange one deadline, however much it carries, so a large value on a slow line would
//! never arrive. Here time is up only if nothing moves.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use memcache::exp::Error;

use super::{ANSWER_TIMEOUT, CONNECT_TIMEOUT};
use crate::failpoint::paced;

/// The slowest line on which a value still arrives, in bytes a second: what was written may be in buffers on the way, where nobody sees
/// it move.
const SLOWEST: u64 = 64 * 1024;

/// No answer's first line is longer.
const LINE: u64 = 8192;

/// A connection that was greeted.
pub(super) struct Line {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Such as `HD c12`, without the line's end.
    pub line: String,
    /// What comes with `VA`.
    pub value: Option<Vec<u8>>,
}

/// Why an exchange did not come to its end; the connection is of no further use.
#[derive(Debug)]
pub(super) struct Broken {
    pub error: Error,
    /// Something was sent that has no answer: the server may execute it yet.
    pub unsure: bool,
}

/// Commands that travel together.
#[derive(Default)]
pub(super) struct Parcel {
    bytes: Vec<u8>,
    /// The length of each.
    lengths: Vec<usize>,
}

impl Parcel {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Adds a command; `flags` begin with a space each.
    pub(super) fn push(&mut self, command: &str, name: &str, flags: &str, value: Option<&[u8]>) {
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
}

impl Line {
    /// Connects, and waits for a word of the server (the meta no-op): the system accepts connections to one that stands still, too.
    /// Returns also the largest item that it takes, if it tells.
    pub(super) fn open(server: &str) -> Result<(Self, Option<u64>), Error> {
        let stream = connect(server, paced(CONNECT_TIMEOUT))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(paced(ANSWER_TIMEOUT)))?;
        stream.set_read_timeout(Some(paced(CONNECT_TIMEOUT)))?;
        let mut line = Self {
            stream: BufReader::new(stream),
        };
        line.write(b"mn\r\n")?;
        if line.read_line()? != "MN" {
            return Err(Error::Rejected(
                "it does not speak Memcached's meta protocol".to_owned(),
            ));
        }
        line.write(b"stats settings\r\n")?;
        let mut item_size = None;
        loop {
            let answer = line.read_line()?;
            if let Some(size) = answer.strip_prefix("STAT item_size_max ") {
                item_size = size.parse().ok();
            } else if !answer.starts_with("STAT ") {
                // The end, or a proxy's refusal.
                return Ok((line, item_size));
            }
        }
    }

    /// Whether the server has not closed it, as far as is known without asking.
    pub(super) fn is_open(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).is_ok()
            && matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
            && stream.set_nonblocking(false).is_ok()
    }

    /// Sends commands and waits for the answer of each.
    pub(super) fn exchange(&mut self, parcel: &Parcel) -> Result<Vec<Answer>, Broken> {
        let mut answers = Vec::with_capacity(parcel.lengths.len());
        if let Err(error) = self.write(&parcel.bytes) {
            // Some of them may be complete.
            return Err(Broken {
                error: error.into(),
                unsure: true,
            });
        }
        for length in &parcel.lengths {
            let moving = Duration::from_millis(*length as u64 * 1000 / SLOWEST);
            let answer = self
                .stream
                .get_ref()
                .set_read_timeout(Some(paced(ANSWER_TIMEOUT + moving)))
                .and_then(|()| self.read_answer());
            answers.push(answer.map_err(|error| Broken {
                error: error.into(),
                unsure: true,
            })?);
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
                Err(error) => return Err(in_words(error)),
            }
        }
        Ok(())
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
                    .map_err(in_words)?;
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
            .map_err(in_words)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Answer {
    /// What the server refused, if this says so.
    pub(super) fn refusal(&self) -> Option<Error> {
        if let Some(text) = self.line.strip_prefix("SERVER_ERROR ") {
            return Some(Error::Server(text.to_owned()));
        }
        if let Some(text) = self.line.strip_prefix("CLIENT_ERROR ") {
            return Some(Error::Rejected(text.to_owned()));
        }
        (self.line == "ERROR").then(|| Error::Rejected("it knows no such command".to_owned()))
    }

    pub(super) fn says(&self, code: &str) -> bool {
        self.line.split(' ').next() == Some(code)
    }
}

/// A time-out of a socket is told as "would block".
fn in_words(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock {
        return io::Error::new(ErrorKind::TimedOut, "it did not answer in time");
    }
    error
}

/// Connects to one server; its name is looked up first.
pub(super) fn connect(server: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
