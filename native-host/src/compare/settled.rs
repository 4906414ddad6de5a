//! Telling the host that nothing is left of what it could not delete: its markers say that
//! something may be ([`marker`](crate::sinks::memcached::marker)), and a repair that has found all
//! servers' items and put all right has ended that.

use super::{
    CompareError, Comparison, Feed, Observer,
    cache::{Address, Change},
};
use crate::sinks::memcached::marker::{self, Marker};

/// How often a mark is tried that the host writes meanwhile.
const TRIES: usize = 8;

impl<O: Observer> Comparison<'_, O> {
    /// Takes the doubt from the marks of all journals that were compared, if nothing is left of it.
    pub(super) fn settled(&mut self) -> Result<(), CompareError> {
        let so_far = &self.so_far;
        let right = so_far.missing + so_far.stale + so_far.orphaned == so_far.repaired;
        let whole = self.scope.is_all() && so_far.unlisted.is_empty();
        if !(self.repair && right && whole && matches!(self.feed, Feed::Host)) {
            return Ok(());
        }
        for (_, reader) in self.journals.chosen() {
            let (profile, _) = reader.author()?;
            let name = marker::name(&profile);
            for server in 0..self.cache.servers().len() {
                for _ in 0..TRIES {
                    if self.settle(server, &name)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a server's mark needs nothing more.
    fn settle(&self, server: usize, name: &str) -> Result<bool, CompareError> {
        let address = Address {
            server,
            name: name.to_owned(),
        };
        let found = self.cache.look(&[&address])?.pop().unwrap_or_default();
        let mark = found.text().and_then(|text| Marker::parse(text.as_bytes()));
        let (Some(mut mark), Some(cas)) = (mark.filter(|mark| mark.lacks), found.cas) else {
            return Ok(true);
        };
        mark.lacks = false;
        let change = Change::Replace {
            name: address.name,
            value: mark.text(),
            cas,
        };
        match self.cache.run(server, &[change])?.pop() {
            Some(Ok(done)) => Ok(done.ok()),
            Some(Err(error)) => Err(self.cache.trouble(&error, server).into()),
            None => Ok(true),
        }
    }
}
