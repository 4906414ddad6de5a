//! How many records each store has in the pages themselves, beside what the mirror holds of it.

use protocol::{
    inspect::{Sight, Store},
    table::Table,
};

use crate::drift::{Name, name};

/// What the pages of an origin have said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// They are being asked.
    Asked,
    /// Why they could not say it.
    Failed(String),
    /// How many records their stores have.
    Counted(Table<Name, u64>),
}

/// By origin: what its pages have said.
#[derive(Debug, Default)]
pub struct Counts(Table<String, Told>);

/// What is known of a store's records in IndexedDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Nothing yet.
    Asked,
    /// Nothing, for this reason.
    Unknown(String),
    /// There is no such store.
    NoStore,
    /// So many.
    Records(u64),
}

impl Counts {
    /// The pages of an origin are asked. What they said last stands until they answer.
    pub fn ask(&mut self, origin: &str) {
        let told = self.0.get_or_insert_with(origin.to_owned(), || Told::Asked);
        if matches!(told, Told::Failed(_)) {
            *told = Told::Asked;
        }
    }

    /// Whether they were never asked.
    pub fn is_new(&self, origin: &str) -> bool {
        !self.0.contains_key(origin)
    }

    /// They have answered.
    pub fn tell(&mut self, origin: &str, sight: Sight) {
        let told = match sight {
            Sight::Counts(counts) => Told::Counted(
                counts
                    .into_iter()
                    .map(|count| {
                        let name = (origin.to_owned(), count.bucket, count.database, count.store);
                        (name, count.records)
                    })
                    .collect(),
            ),
            Sight::Failed(remark) => Told::Failed(format!("{} {}", remark.message, remark.cure)),
            Sight::Record(_) => return,
        };
        self.0.insert(origin.to_owned(), told);
    }

    /// How many records a store has in IndexedDB.
    pub fn of(&self, name: &Name) -> Count {
        match self.0.get(&name.0) {
            None | Some(Told::Asked) => Count::Asked,
            Some(Told::Failed(why)) => Count::Unknown(why.clone()),
            Some(Told::Counted(counts)) => counts.get(name).copied().map_or(Count::NoStore, Count::Records),
        }
    }

    /// The stores of the mirror with those that only the pages know, which the mirror has nothing of.
    pub fn joined(&self, stores: &[Store]) -> Vec<Store> {
        let mut joined: Table<Name, Store> =
            stores.iter().map(|store| (name(store), store.clone())).collect();
        for told in self.0.values() {
            let Told::Counted(counts) = told else { continue };
            for known in counts.keys() {
                joined.get_or_insert_with(known.clone(), || unread(known));
            }
        }
        joined.into_values().collect()
    }
}

/// A store that the mirror does not know.
fn unread((origin, bucket, database, store): &Name) -> Store {
    Store {
        origin: origin.clone(),
        bucket: bucket.clone(),
        database: database.clone(),
        version: 0,
        store: store.clone(),
        records: 0,
        complete: false,
        doubtful: false,
    }
}

/// What the two numbers say of the mirror, if there is something to say.
pub fn difference(count: &Count, store: &Store) -> Option<String> {
    match *count {
        Count::Records(there) if there > store.records => {
            Some(format!("the mirror lacks {}", there - store.records))
        }
        Count::Records(there) if there < store.records => {
            Some(format!("the mirror has {} too many", store.records - there))
        }
        Count::NoStore if store.records > 0 => Some("IndexedDB has no such store".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::inspect::{Remark, StoreCount};

    fn store(store: &str, records: u64) -> Store {
        Store {
            records,
            complete: true,
            ..unread(&("o".to_owned(), String::new(), "d".to_owned(), store.to_owned()))
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
    fn what_the_pages_have_stands_beside_the_mirror() {
        let mirror = [store("a", 3), store("gone", 1)];
        let mut counts = Counts::default();
        assert_eq!(counts.of(&name(&mirror[0])), Count::Asked);
        assert_eq!(counts.joined(&mirror), mirror);
        counts.ask("o");
        counts.tell("o", counted(&[("a", 5), ("new", 2)]));
        let joined = counts.joined(&mirror);
        let said: Vec<_> = joined
            .iter()
            .map(|store| {
                let count = counts.of(&name(store));
                let said = difference(&count, store);
                (store.store.as_str(), count, said)
            })
            .collect();
        let lacks = |count| Some(format!("the mirror lacks {count}"));
        assert_eq!(
            said,
            [
                ("a", Count::Records(5), lacks(2)),
                (
                    "gone",
                    Count::NoStore,
                    Some("IndexedDB has no such store".to_owned())
                ),
                ("new", Count::Records(2), lacks(2)),
            ]
        );
        assert_eq!(
            difference(&Count::Records(1), &mirror[0]),
            Some("the mirror has 2 too many".to_owned())
        );
        assert_eq!(difference(&Count::Records(3), &mirror[0]), None);
    }

    #[test]
    fn an_answer_stands_until_the_next_one() {
        let name = name(&store("a", 0));
        let mut counts = Counts::default();
        counts.tell("o", counted(&[("a", 1)]));
        counts.ask("o");
        assert_eq!(counts.of(&name), Count::Records(1));
        let remark = Remark {
            message: "No page.".to_owned(),
            cure: "Open one.".to_owned(),
        };
        counts.tell("o", Sight::Failed(remark));
        assert_eq!(counts.of(&name), Count::Unknown("No page. Open one.".to_owned()));
        counts.ask("o");
        assert_eq!(counts.of(&name), Count::Asked);
    }
}
