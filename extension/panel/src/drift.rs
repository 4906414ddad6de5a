//! What comparisons with Memcached have found, store by store.

use std::collections::BTreeMap;

use protocol::inspect::{Compared, Store};

/// A store's name: origin, bucket, database, store.
pub type Name = (String, String, String, String);

/// The name of a store.
pub fn name(store: &Store) -> Name {
    (
        store.origin.clone(),
        store.bucket.clone(),
        store.database.clone(),
        store.store.clone(),
    )
}

/// By store: what a comparison has found so far, or why there was none.
#[derive(Debug, Default)]
pub struct Drift(BTreeMap<Name, Result<Compared, String>>);

impl Drift {
    /// What is known of a store.
    pub fn of(&self, name: &Name) -> Option<&Result<Compared, String>> {
        self.0.get(name)
    }

    /// A comparison begins.
    pub fn begin(&mut self, name: Name) {
        self.0.insert(name, Ok(Compared::default()));
    }

    /// A comparison tells how far it has come. Differences come piece by piece.
    pub fn tell(&mut self, name: &Name, told: Result<Compared, String>) {
        let mut told = told;
        if let (Ok(new), Some(Ok(old))) = (&mut told, self.0.get(name))
            && !old.done
        {
            let mut all = old.differences.clone();
            all.append(&mut new.differences);
            new.differences = all;
        }
        self.0.insert(name.clone(), told);
    }
}

/// How many records differ.
pub fn differing(compared: &Compared) -> u64 {
    compared.missing + compared.stale + compared.foreign
}

/// How many of the store's records Memcached has some value of.
pub fn there(compared: &Compared) -> u64 {
    compared.total.saturating_sub(compared.missing)
}

/// What a comparison came to, in a sentence.
pub fn sentence(compared: &Compared) -> String {
    if !compared.done {
        return format!("{} of {} compared…", compared.compared, compared.total);
    }
    let counts = [
        (compared.missing, "missing"),
        (compared.stale, "stale"),
        (compared.foreign, "left over"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match (parts.is_empty(), compared.repaired) {
        (true, _) => "none".to_owned(),
        (false, 0) => parts.join(", "),
        (false, repaired) => format!("{}; {repaired} put right", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::inspect::{Address, Difference, DifferenceKind};

    fn difference(key: &str) -> Difference {
        Difference {
            address: Address {
                origin: "o".to_owned(),
                bucket: String::new(),
                database: "d".to_owned(),
                store: "s".to_owned(),
                key: key.to_owned(),
            },
            memcached_key: key.to_owned(),
            kind: DifferenceKind::Missing,
        }
    }

    #[test]
    fn differences_come_piece_by_piece_and_begin_anew() {
        let name = ("o".to_owned(), String::new(), "d".to_owned(), "s".to_owned());
        let mut drift = Drift::default();
        let piece = |key: &str, done| {
            Ok(Compared {
                total: 5,
                missing: 2,
                done,
                differences: vec![difference(key)],
                ..Compared::default()
            })
        };
        let keys = |drift: &Drift| {
            let compared = drift.of(&name).expect("there").as_ref().expect("compared");
            compared
                .differences
                .iter()
                .map(|difference| difference.address.key.clone())
                .collect::<Vec<_>>()
        };
        drift.begin(name.clone());
        drift.tell(&name, piece("1", false));
        drift.tell(&name, piece("2", true));
        assert_eq!(keys(&drift), ["1", "2"]);
        drift.begin(name.clone());
        drift.tell(&name, piece("3", true));
        assert_eq!(keys(&drift), ["3"]);
        let compared = drift.of(&name).expect("there").as_ref().expect("compared");
        assert_eq!((there(compared), differing(compared)), (3, 2));
        assert_eq!(sentence(compared), "2 missing");
        drift.tell(&name, Err("no host".to_owned()));
        assert!(drift.of(&name).expect("there").is_err());
    }
}
