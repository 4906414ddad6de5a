//! The results of comparing stores with Memcached.

use protocol::{table::Table, wire::inspector::Compared};

use super::store_name::StoreName;

/// The result of the latest comparison by store: what it found so far, or why it failed.
#[derive(Debug, Default)]
pub struct DriftResults(Table<StoreName, Result<Compared, String>>);

impl DriftResults {
    pub fn get(&self, name: &StoreName) -> Option<&Result<Compared, String>> {
        self.0.get(name)
    }

    pub fn start_comparison(&mut self, name: StoreName) {
        self.0.insert(name, Ok(Compared::default()));
    }

    /// Records an answer. Each answer has the new differences only, so they are appended to the
    /// earlier ones.
    pub fn record_answer(&mut self, name: &StoreName, mut answer: Result<Compared, String>) {
        if let (Ok(new), Some(Ok(old))) = (&mut answer, self.0.get(name))
            && !old.done
        {
            let mut all = old.differences.clone();
            all.append(&mut new.differences);
            new.differences = all;
        }
        self.0.insert(name.clone(), answer);
    }
}

/// The number of records that differ.
pub fn count_differences(compared: &Compared) -> u64 {
    compared.missing + compared.stale + compared.orphaned
}

/// The number of the store's items in Memcached after a finished comparison.
pub fn count_items(compared: &Compared) -> u64 {
    let missing = if compared.repaired > 0 {
        0
    } else {
        compared.missing
    };
    let orphaned = if compared.repaired > 0 {
        0
    } else {
        compared.orphaned
    };
    (compared.total + orphaned).saturating_sub(missing + compared.refused)
}

/// The result of a comparison in words.
pub fn describe_comparison(compared: &Compared) -> String {
    if !compared.done {
        return format!("{} of {} compared…", compared.compared, compared.total);
    }
    let join = |counts: &[(u64, &str)]| {
        counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut text = join(&[
        (compared.missing, "missing"),
        (compared.stale, "stale"),
        (compared.orphaned, "orphaned"),
        (compared.held, "held by another profile"),
    ]);
    if text.is_empty() {
        "none".clone_into(&mut text);
    }
    let more = join(&[
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
    use protocol::wire::inspector::{Address, Difference, DifferenceKind};

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
    fn differences_add_up_until_a_new_comparison() {
        let name = ("o".to_owned(), String::new(), "d".to_owned(), "s".to_owned());
        let mut drift = DriftResults::default();
        let answer = |key: &str, done| {
            Ok(Compared {
                total: 5,
                missing: 2,
                done,
                differences: vec![difference(key)],
                ..Compared::default()
            })
        };
        let keys = |drift: &DriftResults| {
            let compared = drift.get(&name).expect("a result").as_ref().expect("compared");
            compared
                .differences
                .iter()
                .map(|difference| difference.address.key.clone())
                .collect::<Vec<_>>()
        };
        drift.start_comparison(name.clone());
        drift.record_answer(&name, answer("1", false));
        drift.record_answer(&name, answer("2", true));
        assert_eq!(keys(&drift), ["1", "2"]);
        drift.start_comparison(name.clone());
        drift.record_answer(&name, answer("3", true));
        assert_eq!(keys(&drift), ["3"]);
        let compared = drift.get(&name).expect("a result").as_ref().expect("compared");
        assert_eq!((count_items(compared), count_differences(compared)), (3, 2));
        assert_eq!(describe_comparison(compared), "2 missing");
        let repaired = Compared {
            repaired: 2,
            refused: 1,
            ..compared.clone()
        };
        assert_eq!(
            describe_comparison(&repaired),
            "2 missing; 2 repaired, 1 without an item: too large"
        );
        assert_eq!(count_items(&repaired), 4);
        let held = Compared {
            missing: 0,
            held: 2,
            ..compared.clone()
        };
        assert_eq!(describe_comparison(&held), "2 held by another profile");
        drift.record_answer(&name, Err("no host".to_owned()));
        assert!(drift.get(&name).expect("a result").is_err());
    }
}
