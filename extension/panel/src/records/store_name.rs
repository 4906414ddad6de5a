//! The full name of a store.

use protocol::wire::inspector::Store;

/// Origin, bucket, database and store.
pub type StoreName = (String, String, String, String);

pub fn store_name(store: &Store) -> StoreName {
    (
        store.origin.clone(),
        store.bucket.clone(),
        store.database.clone(),
        store.store.clone(),
    )
}
