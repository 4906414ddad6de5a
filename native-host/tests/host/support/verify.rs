//! Comparisons of Memcached with the mirror, by the command and by the inspector.

use std::{collections::BTreeSet, process::Output};

use protocol::wire::inspector::{Answer, Compared, Difference, DifferenceKind, Reply};

use super::{Host, ORIGIN, Sandbox, status, until};

use DifferenceKind::{Held, Missing, Orphaned, Stale};

/// What `verify --json` says, and what it ended with.
pub struct Verified {
    pub code: Option<i32>,
    pub differences: Vec<Difference>,
    pub compared: Compared,
}

impl Verified {
    /// The kinds with the keys, sorted.
    pub fn kinds(&self) -> BTreeSet<(String, &'static str)> {
        let name = |kind| match kind {
            Missing => "missing",
            Stale => "stale",
            Orphaned => "orphaned",
            Held => "held",
        };
        self.differences
            .iter()
            .map(|difference| (difference.address.key.clone(), name(difference.kind)))
            .collect()
    }
}

pub fn verify(sandbox: &Sandbox, more: &[&str]) -> Verified {
    verified(sandbox.run(&[&["verify", "--json"], more].concat()))
}

/// What the command printed.
pub fn verified(output: Output) -> Verified {
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines
        .pop()
        .unwrap_or_else(|| panic!("nothing was printed: {}", String::from_utf8_lossy(&output.stderr)));
    Verified {
        code: output.status.code(),
        differences: lines
            .into_iter()
            .map(|line| serde_json::from_str(line).expect("a difference"))
            .collect(),
        compared: serde_json::from_str(last).expect("the end"),
    }
}

pub fn assert_same(sandbox: &Sandbox, records: u64) {
    let verified = verify(sandbox, &[]);
    assert_eq!(verified.kinds(), BTreeSet::new());
    assert_eq!((verified.code, verified.compared.compared), (Some(0), records));
    assert!(verified.compared.done);
}

pub fn kinds<const N: usize>(kinds: [(&str, &'static str); N]) -> BTreeSet<(String, &'static str)> {
    kinds
        .into_iter()
        .map(|(key, kind)| (key.to_owned(), kind))
        .collect()
}

/// Answers to a comparison up to the last one, all their differences in one.
pub fn compared(host: &mut Host, id: u64) -> Compared {
    let mut all = Vec::new();
    loop {
        let Answer { id: of, reply } = host.answer();
        let Reply::Compared(mut compared) = reply else {
            assert_ne!(of, id, "{reply:?}");
            continue;
        };
        all.append(&mut compared.differences);
        if compared.done {
            compared.differences = all;
            return compared;
        }
    }
}

pub fn ask(host: &mut Host, id: u64, repair: bool) {
    host.ask(
        id,
        &format!(
            r#"{{"compare":{{"origin":"{ORIGIN}","database":"shop","store":"orders","repair":{repair}}}}}"#
        ),
    );
}

/// Waits until the deliveries up to this one are in Memcached.
pub fn settled(sandbox: &Sandbox, host: &mut Host, sequence: u64) {
    host.acknowledged(sequence);
    up_to_date(sandbox);
}

/// Waits until nothing waits for Memcached.
pub fn up_to_date(sandbox: &Sandbox) {
    until("Memcached is up to date", || {
        let memcached = status(sandbox)["profiles"][0]["sinks"]["memcached"].clone();
        memcached["behind"] == 0 && memcached["state"] == "running"
    });
}
