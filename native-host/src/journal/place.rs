//! Where a store is.

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The object store's name.
    pub store: String,
}

impl Place {
    /// For the templates of [`protocol::name`].
    pub fn names(&self) -> protocol::name::Names<'_> {
        protocol::name::Names {
            origin: &self.origin,
            bucket: &self.bucket,
            database: &self.database,
            store: &self.store,
        }
    }
}
