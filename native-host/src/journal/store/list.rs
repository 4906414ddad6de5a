//! Which stores the table has: of an origin, a bucket, a database.

use rusqlite::{Connection, params};

use super::{
    super::{
        conflict::stamp::{CommitSpan, Stamp},
        place::Place,
    },
    DELETED, Stores,
};

/// A store of a database that is deleted.
pub(in crate::journal) struct StoreOfDatabase {
    pub place: Place,
    pub version: u64,
    /// Whether the mirror has a record of it.
    pub has_records: bool,
    range_deleted: Stamp,
}

impl StoreOfDatabase {
    /// Whether it has no records, and a stamp of its end that this commit would leave as it is.
    pub(in crate::journal) fn is_deleted_by(&self, when: CommitSpan) -> bool {
        !self.has_records && when.combine_with(self.range_deleted) == self.range_deleted
    }
}

impl Stores {
    /// The buckets of an origin that the table knows, without the default one.
    pub(in crate::journal) fn named_buckets(
        connection: &Connection,
        origin: &str,
    ) -> rusqlite::Result<Vec<String>> {
        connection
            .prepare_cached(
                "SELECT DISTINCT bucket FROM store WHERE origin = ?1 AND bucket <> '' AND gone = 0",
            )?
            .query_map([origin], |row| row.get(0))?
            .collect()
    }

    /// All stores of an origin that the table knows and that are there, with their rows.
    pub(in crate::journal) fn of_origin(
        connection: &Connection,
        origin: &str,
    ) -> rusqlite::Result<Vec<(Place, i64)>> {
        connection
            .prepare_cached("SELECT bucket, database, name, id FROM store WHERE origin = ?1 AND gone = 0")?
            .query_map([origin], |row| {
                let place = Place {
                    origin: origin.to_owned(),
                    bucket: row.get(0)?,
                    database: row.get(1)?,
                    store: row.get(2)?,
                };
                Ok((place, row.get(3)?))
            })?
            .collect()
    }

    /// The stores of a database that the table knows and that are there; not those of which nothing
    /// was written or read since their database was deleted ([`DELETED`]).
    pub(in crate::journal) fn of_database(
        connection: &Connection,
        origin: &str,
        bucket: &str,
        database: &str,
    ) -> rusqlite::Result<Vec<StoreOfDatabase>> {
        connection
            .prepare_cached(
                "SELECT name, version, range_deleted_by, range_deleted_began, range_deleted_at,
                    EXISTS (SELECT 1 FROM record WHERE store = id AND value IS NOT NULL)
                 FROM store WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND gone = 0
                    AND version <> ?4 ORDER BY id",
            )?
            .query_map(params![origin, bucket, database, DELETED], |row| {
                let place = Place {
                    origin: origin.to_owned(),
                    bucket: bucket.to_owned(),
                    database: database.to_owned(),
                    store: row.get(0)?,
                };
                Ok(StoreOfDatabase {
                    place,
                    version: row.get(1)?,
                    range_deleted: Stamp {
                        by: row.get(2)?,
                        began: row.get(3)?,
                        at: row.get(4)?,
                    },
                    has_records: row.get(5)?,
                })
            })?
            .collect()
    }

    /// The places of an origin's bucket that the table knows and that are there, with their
    /// versions.
    pub(in crate::journal) fn of_bucket(
        connection: &Connection,
        origin: &str,
        bucket: &str,
    ) -> rusqlite::Result<Vec<(Place, u64)>> {
        connection
            .prepare_cached(
                "SELECT database, name, version FROM store WHERE origin = ?1 AND bucket = ?2 AND gone = 0 ORDER BY id",
            )?
            .query_map([origin, bucket], |row| {
                let place = Place {
                    origin: origin.to_owned(),
                    bucket: bucket.to_owned(),
                    database: row.get(0)?,
                    store: row.get(1)?,
                };
                Ok((place, row.get(2)?))
            })?
            .collect()
    }
}
