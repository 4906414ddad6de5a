//! What a server lists of its items.
//!
//! To `lru_crawler metadump all` a server answers with a line for each item, then `END`:
//! `key=<percent-encoded> exp=-1 la=… cas=… fetch=no cls=1 size=90` (Memcached's doc/protocol.txt,
//! "LRU Crawler"). It is read without a pause, so that the server does not wait for us.

use std::{
    io::{self, BufRead as _, BufReader, Cursor, Error, ErrorKind, Read as _, Write as _},
    thread,
    time::Instant,
};

use protocol::name::decode;

use super::Stream;
use crate::{config::endpoint::Endpoint, timing};

/// No item's line is longer: a key has 250 bytes, each of them three when it is encoded.
const LINE: u64 = 2048;

/// A server's answer.
pub(crate) enum Listing {
    /// Its list.
    Items(Items),
    /// It has none, for this reason.
    None(String),
}

/// A server's list, which is being read.
pub(crate) struct Items {
    lines: io::Chain<Cursor<Vec<u8>>, BufReader<Stream>>,
    line: Vec<u8>,
}

/// What a line of it is about.
pub(crate) enum Named {
    /// An item with this key.
    Text(String),
    /// An item whose key is no text, so none of ours.
    Other,
}

impl Items {
    /// The next item; `None`: that was all.
    pub(crate) fn next(&mut self) -> io::Result<Option<Named>> {
        self.line.clear();
        self.lines.by_ref().take(LINE).read_until(b'\n', &mut self.line)?;
        // Items' lines end with a line feed alone.
        match self.line.strip_suffix(b"\n") {
            Some(b"END\r") => Ok(None),
            Some(item) => Ok(Some(name(item).map_or(Named::Other, Named::Text))),
            None => Err(Error::new(
                ErrorKind::UnexpectedEof,
                "the list of its items broke off",
            )),
        }
    }
}

/// Asks for a server's list.
pub(crate) fn list(server: &Endpoint) -> io::Result<Listing> {
    let begin = Instant::now();
    loop {
        let mut stream = Stream::open(server, timing::memcached::answer())?;
        stream.write_all(b"lru_crawler metadump all\r\n")?;
        stream.flush()?;
        let mut lines = BufReader::with_capacity(256 * 1024, stream);
        let mut first = Vec::new();
        lines.by_ref().take(LINE).read_until(b'\n', &mut first)?;
        if first.starts_with(b"key=") || first.starts_with(b"END") {
            return Ok(Listing::Items(Items {
                lines: Cursor::new(first).chain(lines),
                line: Vec::new(),
            }));
        }
        let refusal = String::from_utf8_lossy(&first).trim_end().to_owned();
        if !refusal.starts_with("BUSY") || begin.elapsed() > timing::memcached::LIST_BUSY {
            return Ok(Listing::None(refusal));
        }
        thread::sleep(timing::memcached::LIST_POLL);
    }
}

/// The key in an item's line; `None`: it is no text, so none of ours.
fn name(line: &[u8]) -> Option<String> {
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("key=")?;
    let encoded = rest.split(' ').next()?;
    decode(encoded).map(std::borrow::Cow::into_owned)
}
