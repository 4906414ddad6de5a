//! The servers' items, to find those of no record.

use std::{collections::BTreeSet, rc::Rc};

use protocol::name::{NamedRecord, RecordPrefix, is_shortened};

use super::{
    CompareError, Comparison, Feed, Observer,
    cache::Address,
    judge::{NO_STORE, Record, Suspect},
    names::Names,
    owners::Whose,
};
use crate::{
    journal::{JournalError, read::Place},
    memcached::{
        self,
        metadump::{self, Listing, Named},
    },
};

/// How many suspects one listing brings at most. If there are more, the listing is repeated once
/// these are reported.
const SUSPECTS: usize = 50_000;

/// How many suspects are looked at together: each may be as large as an item can be.
const LOOKED_AT: usize = 32;

/// After how many items the observer is notified.
const TELL: u64 = 8192;

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
struct ItemChunk {
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
                let reported = self.so_far.orphaned;
                for together in haul.suspects.chunks(LOOKED_AT) {
                    self.resolve(together.to_vec())?;
                    self.observer
                        .advanced(&self.so_far, Some((looked, self.cache.items())))?;
                }
                let none_was_reported = self.so_far.orphaned == reported;
                if haul.more && none_was_reported {
                    // They are all on their way, and no list will be shorter soon.
                    let server = self.server(server);
                    self.so_far.unlisted.push(format!(
                        "{server}: the first {SUSPECTS} items that may be orphaned were about to go, and further ones were not looked for; run it again"
                    ));
                }
                if !haul.more || none_was_reported {
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
    ) -> Result<Option<ItemChunk>, CompareError> {
        let address = self.server(server).to_owned();
        let unreachable = |error| memcached::unreachable(error, &address);
        let Some(endpoint) = self.cache.endpoint(server) else {
            return Ok(None);
        };
        let mut items = match metadump::list(endpoint).map_err(unreachable)? {
            Listing::Items(items) => items,
            Listing::None(reason) => {
                self.so_far.unlisted.push(format!("{address}: {reason}"));
                return Ok(None);
            }
        };
        let mut haul = ItemChunk::default();
        while haul.suspects.len() < SUSPECTS {
            let Some(item) = items.next().map_err(unreachable)? else {
                return Ok(Some(haul));
            };
            *looked += 1;
            if let Named::Text(name) = item {
                self.sort(server, name, known, &mut haul)?;
            }
            if looked.is_multiple_of(TELL) {
                self.observer
                    .advanced(&self.so_far, Some((*looked, self.cache.items())))?;
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
        haul: &mut ItemChunk,
    ) -> Result<(), CompareError> {
        let record = match self.owners.read(&name) {
            Some((named, whose)) if whose == Whose::Elsewhere || !known.origins.contains(&named.origin) => {
                haul.strangers += 1;
                return Ok(());
            }
            // Those of a profile that is not compared are its own business.
            Some((_, Whose::Of(journal))) if !self.journals.is_chosen(journal) => return Ok(()),
            Some((named, whose)) => {
                let place = Place {
                    origin: named.origin.clone(),
                    bucket: named.bucket.clone(),
                    database: named.database.clone(),
                    store: named.store.clone(),
                };
                if !self.scope.means(&place) {
                    return Ok(());
                }
                Some((named, whose, place))
            }
            None if is_shortened(&name) && known.may_be(&name) => None,
            None => return Ok(()),
        };
        let belongs = self.cache.address(name);
        let misplaced = belongs.server != server;
        let address = Address { server, ..belongs };
        if self.orphaned.has(&address) {
            // Reported already: the mirror remembered it, or the list is read again.
            return Ok(());
        }
        let record = match record {
            Some((named, whose, place)) => Some(match self.live(&named, whose, place)? {
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

    /// Whether a mirror has a record, one of those that may have it, and the record.
    fn live(&self, named: &NamedRecord, whose: Whose, place: Place) -> Result<(bool, Record), JournalError> {
        let only = match whose {
            Whose::Of(journal) => Some(journal),
            Whose::Any | Whose::Elsewhere => None,
        };
        let mut record = Record {
            journal: only.unwrap_or(0),
            store: NO_STORE,
            key: named.key.to_bytes(),
            text: named.key.to_string(),
            place: Rc::new(place),
        };
        for (journal, reader) in self.journals.all().iter().enumerate() {
            if only.is_none_or(|only| only == journal)
                && let Some(store) = reader.store_of(&record.place)?
            {
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
        for (journal, reader) in self.journals.all().iter().enumerate() {
            for place in reader.places()? {
                // A shortened name does not tell whose it is, so it is left alone where another
                // profile is the owner.
                if self.scope.means(&place)
                    && self.owners.other(journal, &place.origin).is_none()
                    && let Some(template) = self.owners.key(journal)
                {
                    known.prefixes.extend(template.prefix(place.names()));
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
