//! What comparisons with Memcached have found, store by store.

use protocol::{
    inspect::{Compared, Store},
    table::Table,
};

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
pub struct Drift(Table<Name, Result<Compared, String>>);

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
    compared.missing + compared.stale + compared.orphaned
}

/// How many items of the store Memcached holds, once the comparison is over.
pub fn there(compared: &Compared) -> u64 {
    let absent = if compared.repaired > 0 {
        0
    } else {
        compared.missing
    };
    let left_over = if compared.repaired > 0 {
        0
    } else {
        compared.orphaned
    };
    (compared.total + left_over).saturating_sub(absent + compared.refused)
}

/// What a comparison came to, in a sentence.
pub fn sentence(compared: &Compared) -> String {
    if !compared.done {
        return format!("{} of {} compared…", compared.compared, compared.total);
    }
    let counted = |counts: &[(u64, &str)]| {
        let there = counts.iter().filter(|(count, _)| *count > 0);
        there
            .map(|(count, what)| format!("{count} {what}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut text = counted(&[
        (compared.missing, "missing"),
        (compared.stale, "stale"),
        (compared.orphaned, "orphaned"),
        (compared.held, "held by another profile"),
    ]);
    if text.is_empty() {
        "none".clone_into(&mut text);
    }
    let more = counted(&[
        (compared.repaired, "repaired"),
        (compared.pending, "in transit"),
        (compared.refused, "without an item: too large"),
    ]);
    if !more.is_empty() {
        text.push_str("; ");
        text.push_str(&more);
    }
    text
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
            repaired: false,
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
        let repaired = Compared {
            repaired: 2,
            refused: 1,
            ..compared.clone()
        };
        assert_eq!(
            sentence(&repaired),
            "2 missing; 2 repaired, 1 without an item: too large"
        );
        assert_eq!(there(&repaired), 4);
        let held = Compared {
            missing: 0,
            held: 2,
            ..compared.clone()
        };
        assert_eq!(sentence(&held), "2 held by another profile");
        drift.tell(&name, Err("no host".to_owned()));
        assert!(drift.of(&name).expect("there").is_err());
    }
}
