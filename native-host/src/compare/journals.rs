//! The mirrors.

use std::path::Path;

use crate::journal::{
    JournalError,
    read::{Place, Reader, journals},
};

/// The journals of a directory: some are compared, the others only tell whether an item is theirs.
pub struct Journals {
    /// Those that are compared come first.
    readers: Vec<Reader>,
    chosen: usize,
}

impl Journals {
    /// These are compared; the others of the directory are only asked.
    pub fn new(chosen: Vec<Reader>, directory: &Path) -> Result<Self, JournalError> {
        let mut readers = chosen;
        let chosen = readers.len();
        for path in journals(directory)? {
            if readers.iter().all(|reader| reader.path() != path) {
                // One that cannot be read has its own host to say so.
                readers.extend(Reader::open(&path));
            }
        }
        Ok(Self { readers, chosen })
    }

    pub(super) fn all(&self) -> &[Reader] {
        &self.readers
    }

    /// Whether a journal is compared.
    pub(super) fn is_chosen(&self, journal: usize) -> bool {
        journal < self.chosen
    }

    /// The journals to compare, with their indexes.
    pub(super) fn chosen(&self) -> impl Iterator<Item = (usize, &Reader)> {
        self.readers.iter().take(self.chosen).enumerate()
    }

    /// What all journals but one hold of a record.
    pub(super) fn elsewhere(
        &self,
        but: usize,
        place: &Place,
        key: &[u8],
    ) -> Result<Vec<String>, JournalError> {
        let mut values = Vec::new();
        for (index, reader) in self.readers.iter().enumerate() {
            if index != but
                && let Some(store) = reader.store_of(place)?
            {
                let now = reader.now(&[(store, key)], super::judge::NOTHING_PENDING)?;
                values.extend(now.into_iter().filter_map(|now| now.value));
            }
        }
        Ok(values)
    }
}
