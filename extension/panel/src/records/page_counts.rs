//! The number of records of each store in IndexedDB, as the pages count them, compared with the
//! mirror.

use protocol::{
    table::Table,
    wire::inspector::{Sight, Store},
};

use super::store_name::{StoreName, store_name};

/// The answer of the pages of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OriginCounts {
    /// The answer is pending.
    Pending,
    /// No page could answer, for this reason.
    Failed(String),
    Counted(Table<StoreName, u64>),
}

/// The answers by origin.
#[derive(Debug, Default)]
pub struct PageCounts(Table<String, OriginCounts>);

/// The number of records of one store in IndexedDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageCount {
    Pending,
    /// No page could count them, for this reason.
    Unknown(String),
    NoStore,
    Records(u64),
}

impl PageCounts {
    /// Records that the pages of an origin are asked. An earlier count is kept until they answer.
    pub fn mark_pending(&mut self, origin: &str) {
        let known = self
            .0
            .get_or_insert_with(origin.to_owned(), || OriginCounts::Pending);
        if matches!(known, OriginCounts::Failed(_)) {
            *known = OriginCounts::Pending;
        }
    }

    /// Whether the pages of an origin were asked.
    pub fn has_origin(&self, origin: &str) -> bool {
        self.0.contains_key(origin)
    }

    /// Records the answer of the pages of an origin.
    pub fn record_answer(&mut self, origin: &str, sight: Sight) {
        let counts = match sight {
            Sight::Counts(counts) => OriginCounts::Counted(
                counts
                    .into_iter()
                    .map(|count| {
                        let name = (origin.to_owned(), count.bucket, count.database, count.store);
                        (name, count.records)
                    })
                    .collect(),
            ),
            Sight::Failed(remark) => OriginCounts::Failed(format!("{} {}", remark.message, remark.fix)),
            Sight::Record(_) => return,
        };
        self.0.insert(origin.to_owned(), counts);
    }

    pub fn get(&self, name: &StoreName) -> PageCount {
        match self.0.get(&name.0) {
            None | Some(OriginCounts::Pending) => PageCount::Pending,
            Some(OriginCounts::Failed(reason)) => PageCount::Unknown(reason.clone()),
            Some(OriginCounts::Counted(counts)) => counts
                .get(name)
                .copied()
                .map_or(PageCount::NoStore, PageCount::Records),
        }
    }

    /// The stores of the mirror, and those that only the pages have.
    pub fn merge_with_mirror(&self, stores: &[Store]) -> Vec<Store> {
        let mut merged: Table<StoreName, Store> = stores
            .iter()
            .map(|store| (store_name(store), store.clone()))
            .collect();
        for origin in self.0.values() {
            let OriginCounts::Counted(counts) = origin else {
                continue;
            };
            for name in counts.keys() {
                merged.get_or_insert_with(name.clone(), || unmirrored_store(name));
            }
        }
        merged.into_values().collect()
    }
}

/// A store of which the mirror has nothing.
fn unmirrored_store((origin, bucket, database, store): &StoreName) -> Store {
    Store {
        origin: origin.clone(),
        bucket: bucket.clone(),
        database: database.clone(),
        version: 0,
        store: store.clone(),
        records: 0,
        complete: false,
        pending_reads: false,
    }
}

/// How the count in IndexedDB differs from the mirror, in words.
pub fn describe_mismatch(count: &PageCount, store: &Store) -> Option<String> {
    match *count {
        PageCount::Records(records) if records > store.records => {
            Some(format!("the mirror lacks {}", records - store.records))
        }
        PageCount::Records(records) if records < store.records => {
            Some(format!("the mirror has {} too many", store.records - records))
        }
        PageCount::NoStore if store.records > 0 => Some("IndexedDB has no such store".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::wire::inspector::{Problem, StoreCount};

    fn store(store: &str, records: u64) -> Store {
        Store {
            records,
            complete: true,
            ..unmirrored_store(&("o".to_owned(), String::new(), "d".to_owned(), store.to_owned()))
        }
    }

    fn counted(counts: &[(&str, u64)]) -> Sight {
        let count = |(store, records): &(&str, u64)| StoreCount {
            bucket: String::new(),
            database: "d".to_owned(),
            store: (*store).to_owned(),
            records: *records,
        };
        Sight::Counts(counts.iter().map(count).collect())
    }

    #[test]
    fn page_counts_are_compared_with_the_mirror() {
        let mirror = [store("a", 3), store("gone", 1)];
        let mut counts = PageCounts::default();
        assert_eq!(counts.get(&store_name(&mirror[0])), PageCount::Pending);
        assert_eq!(counts.merge_with_mirror(&mirror), mirror);
        counts.mark_pending("o");
        counts.record_answer("o", counted(&[("a", 5), ("new", 2)]));
        let merged = counts.merge_with_mirror(&mirror);
        let rows: Vec<_> = merged
            .iter()
            .map(|store| {
                let count = counts.get(&store_name(store));
                let mismatch = describe_mismatch(&count, store);
                (store.store.as_str(), count, mismatch)
            })
            .collect();
        let lacks = |count| Some(format!("the mirror lacks {count}"));
        assert_eq!(
            rows,
            [
                ("a", PageCount::Records(5), lacks(2)),
                (
                    "gone",
                    PageCount::NoStore,
                    Some("IndexedDB has no such store".to_owned())
                ),
                ("new", PageCount::Records(2), lacks(2)),
            ]
        );
        assert_eq!(
            describe_mismatch(&PageCount::Records(1), &mirror[0]),
            Some("the mirror has 2 too many".to_owned())
        );
        assert_eq!(describe_mismatch(&PageCount::Records(3), &mirror[0]), None);
    }

    #[test]
    fn answer_is_kept_until_the_next_one() {
        let name = store_name(&store("a", 0));
        let mut counts = PageCounts::default();
        counts.record_answer("o", counted(&[("a", 1)]));
        counts.mark_pending("o");
        assert_eq!(counts.get(&name), PageCount::Records(1));
        let remark = Problem {
            message: "No page.".to_owned(),
            fix: "Open one.".to_owned(),
        };
        counts.record_answer("o", Sight::Failed(remark));
        assert_eq!(
            counts.get(&name),
            PageCount::Unknown("No page. Open one.".to_owned())
        );
        counts.mark_pending("o");
        assert_eq!(counts.get(&name), PageCount::Pending);
    }
}
