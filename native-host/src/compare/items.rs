//! The servers' items, to find those of no record.
//!
//! `lru_crawler metadump all` lists a server's items one a line: `key=<percent-encoded> exp=-1 la=… cas=… fetch=no cls=1 size=90`, then `END`
//! (Memcached's doc/protocol.txt, "LRU Crawler"). It is read without a pause, so that the server does not wait for us.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Cursor, Error, ErrorKind, Read as _, Write as _},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use protocol::name::{NamedRecord, RecordPrefix, decode, is_shortened};

use super::{
    CompareError, Comparison, Feed, Observer,
    cache::Address,
    judge::{NO_STORE, Record, Suspect},
    names::Names,
};
use crate::{
    config::endpoint::Endpoint,
    journal::{JournalError, read::Place},
    sinks::memcached::{self, Stream},
};

/// How many suspects one listing brings at most; if there are more, it is made again when these are told.
const SUSPECTS: usize = 50_000;

/// How many suspects are looked at together: each may be as large as an item can be.
const LOOKED_AT: usize = 32;

/// After how many items the observer is told.
const TELL: u64 = 8192;

/// A server lists its items for one client at a time.
const BUSY: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// No item's line is longer: a key has 250 bytes, each of them three when it is encoded.
const LINE: u64 = 2048;

/// A server's list.
enum Listing {
    Lines(io::Chain<Cursor<Vec<u8>>, BufReader<Stream>>),
    /// It has none, for this reason.
    None(String),
}

/// What a listing is held against.
struct Known {
    origins: BTreeSet<String>,
    /// Of the stores that are compared.
    prefixes: Vec<RecordPrefix>,
    /// The names of records that had to be shortened, once they are asked for.
    shortened: Option<Rc<Names>>,
}

impl Known {
    /// Whether a shortened name may be that of a record that is compared.
    fn may_be(&self, name: &str) -> bool {
        self.prefixes.iter().any(|prefix| prefix.may_begin(name))
    }
}

/// What a listing brought.
#[derive(Default)]
struct Haul {
    suspects: Vec<Suspect>,
    /// There are more.
    more: bool,
    strangers: u64,
}

impl<O: Observer> Comparison<'_, O> {
    /// Looks for items of no record.
    pub(super) fn items(&mut self) -> Result<(), CompareError> {
        if let Feed::Apply(applied) = self.feed
            && applied.others
        {
            self.so_far.unlisted.push(
                "browsers of other machines use the stream, too, so an item without a record here may be theirs".to_owned(),
            );
            return Ok(());
        }
        let mut known = self.known()?;
        let mut looked = 0;
        for server in 0..self.cache.servers().len() {
            let begun = looked;
            loop {
                let Some(haul) = self.haul(server, &mut known, &mut looked)? else {
                    break;
                };
                let told = self.so_far.foreign;
                for together in haul.suspects.chunks(LOOKED_AT) {
                    self.resolve(together.to_vec())?;
                    self.observer
                        .advanced(&self.so_far, Some((looked, self.cache.items())))?;
                }
                let none_was_told = self.so_far.foreign == told;
                if haul.more && none_was_told {
                    // They are all on their way, and no list will be shorter soon.
                    let server = self.server(server);
                    self.so_far.unlisted.push(format!(
                        "{server}: the first {SUSPECTS} items that may be foreign were about to go, and further ones were not looked for; run it again"
                    ));
                }
                if !haul.more || none_was_told {
                    self.so_far.strangers += haul.strangers;
                    break;
                }
                looked = begun;
            }
        }
        Ok(())
    }

    /// Reads a server's list; `None`: it has none, which is noted.
    fn haul(
        &mut self,
        server: usize,
        known: &mut Known,
        looked: &mut u64,
    ) -> Result<Option<Haul>, CompareError> {
        let address = self.server(server).to_owned();
        let unreachable = |error| memcached::unreachable(error, &address);
        let Some(endpoint) = self.cache.endpoint(server) else {
            return Ok(None);
        };
        let mut lines = match list(endpoint).map_err(unreachable)? {
            Listing::Lines(lines) => lines,
            Listing::None(reason) => {
                self.so_far.unlisted.push(format!("{address}: {reason}"));
                return Ok(None);
            }
        };
        let mut haul = Haul::default();
        let mut line = Vec::new();
        while haul.suspects.len() < SUSPECTS {
            line.clear();
            lines
                .by_ref()
                .take(LINE)
                .read_until(b'\n', &mut line)
                .map_err(unreachable)?;
            // Items' lines end with a line feed alone.
            match line.strip_suffix(b"\n") {
                Some(b"END\r") => return Ok(Some(haul)),
                Some(item) => {
                    *looked += 1;
                    if let Some(name) = name(item) {
                        self.sort(server, name, known, &mut haul)?;
                    }
                    if looked.is_multiple_of(TELL) {
                        self.observer
                            .advanced(&self.so_far, Some((*looked, self.cache.items())))?;
                    }
                }
                None => {
                    let error = Error::new(ErrorKind::UnexpectedEof, "the list of its items broke off");
                    return Err(unreachable(error).into());
                }
            }
        }
        haul.more = true;
        Ok(Some(haul))
    }

    /// Whether an item is one of a record, or of none, or nothing of ours.
    fn sort(
        &self,
        server: usize,
        name: String,
        known: &mut Known,
        haul: &mut Haul,
    ) -> Result<(), CompareError> {
        let record = match self.config.key.read(&name) {
            Some(named) if !known.origins.contains(&named.origin) => {
                haul.strangers += 1;
                return Ok(());
            }
            Some(named) => {
                let place = Place {
                    origin: named.origin.clone(),
                    bucket: named.bucket.clone(),
                    database: named.database.clone(),
                    store: named.store.clone(),
                };
                if !self.scope.means(&place) {
                    return Ok(());
                }
                Some((named, place))
            }
            None if is_shortened(&name) && known.may_be(&name) => None,
            None => return Ok(()),
        };
        let belongs = self.cache.address(name);
        let misplaced = belongs.server != server;
        let address = Address { server, ..belongs };
        if self.foreign.has(&address) {
            // Told already: the mirror remembered it, or the list is read again.
            return Ok(());
        }
        let record = match record {
            Some((named, place)) => Some(match self.live(&named, place)? {
                (true, _) if !misplaced => return Ok(()),
                (_, record) => record,
            }),
            None if !misplaced && self.has_shortened(&address.name, known)? => return Ok(()),
            None => None,
        };
        haul.suspects.push(Suspect {
            address,
            misplaced,
            record,
        });
        Ok(())
    }

    /// Whether some mirror has a record, and the record.
    fn live(&self, named: &NamedRecord, place: Place) -> Result<(bool, Record), JournalError> {
        let mut record = Record {
            journal: 0,
            store: NO_STORE,
            key: named.key.to_bytes(),
            text: named.key.to_string(),
            place: Rc::new(place),
        };
        for (journal, reader) in self.journals.all().iter().enumerate() {
            if let Some(store) = reader.store_of(&record.place)? {
                if record.store == NO_STORE {
                    (record.journal, record.store) = (journal, store);
                }
                if reader.record(store, &named.key)?.is_some() {
                    return Ok((true, record));
                }
            }
        }
        Ok((false, record))
    }

    /// Whether some record had this name when the first one of its kind was met.
    fn has_shortened(&self, name: &str, known: &mut Known) -> Result<bool, JournalError> {
        let shortened = match known.shortened.take() {
            Some(shortened) => shortened,
            None => self.shortened()?,
        };
        let has = shortened.has(name);
        known.shortened = Some(shortened);
        Ok(has)
    }

    fn known(&self) -> Result<Known, JournalError> {
        let mut known = Known {
            origins: BTreeSet::new(),
            prefixes: Vec::new(),
            shortened: None,
        };
        for reader in self.journals.all() {
            for place in reader.places()? {
                if self.scope.means(&place) {
                    known.prefixes.extend(self.config.key.prefix(place.names()));
                }
                known.origins.insert(place.origin);
            }
        }
        Ok(known)
    }

    fn server(&self, index: usize) -> &str {
        self.cache.servers().get(index).map_or("", String::as_str)
    }
}

/// Asks for a server's list.
fn list(server: &Endpoint) -> io::Result<Listing> {
    let begin = Instant::now();
    loop {
        let mut stream = Stream::open(server, memcached::ANSWER_TIMEOUT)?;
        stream.write_all(b"lru_crawler metadump all\r\n")?;
        stream.flush()?;
        let mut lines = BufReader::with_capacity(256 * 1024, stream);
        let mut first = Vec::new();
        lines.by_ref().take(LINE).read_until(b'\n', &mut first)?;
        if first.starts_with(b"key=") || first.starts_with(b"END") {
            return Ok(Listing::Lines(Cursor::new(first).chain(lines)));
        }
        let refusal = String::from_utf8_lossy(&first).trim_end().to_owned();
        if !refusal.starts_with("BUSY") || begin.elapsed() > BUSY {
            return Ok(Listing::None(refusal));
        }
        thread::sleep(BUSY_PAUSE);
    }
}

/// The key in an item's line; `None`: it is no text, so none of ours.
fn name(line: &[u8]) -> Option<String> {
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("key=")?;
    let encoded = rest.split(' ').next()?;
    decode(encoded).map(std::borrow::Cow::into_owned)
}
