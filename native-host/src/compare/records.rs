//! The mirrors' records, stretch by stretch.

use std::{mem, rc::Rc};

use protocol::wire::inspector;

use super::{
    CompareError, Comparison, Observer,
    cache::{Address, Refused},
    judge::{Record, Suspect},
};
use crate::journal::read::{Place, Row, StoreSummary};

/// How many records are looked at together, and how many bytes of them.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: usize = 4 * 1024 * 1024;

/// How a value begins that the browser could not read, and what is in it (`isolated/reader.js`).
const UNREADABLE: (&str, &str) = (r#"{"$opaque":"#, r#""reason":"the browser cannot read it""#);

fn is_unreadable(typed: &str) -> bool {
    typed.starts_with(UNREADABLE.0) && typed.contains(UNREADABLE.1)
}

/// A record, where its item belongs, and what that is to hold; `None`: nothing.
type Expected = (Row, Address, Option<Result<String, Refused>>);

impl<O: Observer> Comparison<'_, O> {
    /// Compares every record of the scope.
    pub(super) fn records(&mut self) -> Result<(), CompareError> {
        let mut stores = Vec::new();
        for (journal, reader) in self.journals.chosen() {
            for store in reader.stores()? {
                if self.scope.means(&store.place) {
                    self.so_far.total += store.records;
                    stores.push((journal, store));
                }
            }
        }
        self.observer.advanced(&self.so_far, None)?;
        for (journal, store) in stores {
            self.store(journal, store)?;
        }
        Ok(())
    }

    fn store(&mut self, journal: usize, store: StoreSummary) -> Result<(), CompareError> {
        let Some(reader) = self.journals.all().get(journal) else {
            return Ok(());
        };
        let place = Rc::new(store.place);
        let Some(template) = self.owners.key(journal).cloned() else {
            return Ok(());
        };
        let prefix = template.prefix(place.names());
        let mut after = Vec::new();
        loop {
            let rows = reader.rows(store.id, &after, TOGETHER, TOGETHER_BYTES)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after.clone_from(&last.key);
            let addresses: Vec<Address> = rows
                .iter()
                .map(|Row { text, .. }| match &prefix {
                    Some(prefix) => prefix.record_name(text),
                    None => template.record_name(place.names(), text),
                })
                .map(|name| self.cache.address(name))
                .collect();
            // A few typed bytes may stand for a plain form of many MiB: they are looked at in
            // smaller groups.
            let mut group = Vec::new();
            let mut bytes = 0;
            for (row, address) in rows.into_iter().zip(addresses) {
                let wanted = row
                    .value
                    .as_deref()
                    .map(|typed| self.cache.wanted(&address, typed));
                bytes += wanted
                    .as_ref()
                    .and_then(|wanted| wanted.as_ref().ok())
                    .map_or(0, String::len);
                group.push((row, address, wanted));
                if bytes >= TOGETHER_BYTES {
                    self.look_at((journal, store.id, &place), mem::take(&mut group))?;
                    bytes = 0;
                }
            }
            self.look_at((journal, store.id, &place), group)?;
            // Records may have come since they were counted.
            self.so_far.total = self.so_far.total.max(self.so_far.compared);
            self.observer.advanced(&self.so_far, None)?;
        }
    }
    /// Compares these records of a store with what the servers hold.
    fn look_at(
        &mut self,
        (journal, store, place): (usize, i64, &Rc<Place>),
        group: Vec<Expected>,
    ) -> Result<(), CompareError> {
        let addresses: Vec<&Address> = group.iter().map(|(_, address, _)| address).collect();
        let found = self.cache.look(&addresses)?;
        let mut suspects = Vec::new();
        for ((row, address, wanted), found) in group.into_iter().zip(found) {
            let refused = matches!(wanted, Some(Err(Refused)));
            self.so_far.compared += u64::from(row.value.is_some());
            if row.value.as_deref().is_some_and(is_unreadable) {
                self.observer.unreadable(inspector::Address {
                    origin: place.origin.clone(),
                    bucket: place.bucket.clone(),
                    database: place.database.clone(),
                    store: place.store.clone(),
                    key: row.text.clone(),
                })?;
            }
            if found.is(wanted.and_then(Result::ok).as_deref()) {
                self.so_far.refused += u64::from(refused);
                continue;
            }
            suspects.push(Suspect {
                address,
                misplaced: false,
                record: Some(Record {
                    journal,
                    store,
                    place: Rc::clone(place),
                    key: row.key,
                    text: row.text,
                }),
            });
        }
        self.resolve(suspects)
    }
}
