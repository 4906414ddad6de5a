//! What a page could notice of a program, and where two pages noticed different things.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What `interpreter.js` returns for one program.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Trace {
    /// What happened, by transaction or request; ordered within each group.
    pub groups: BTreeMap<String, Vec<String>>,
    /// What the databases hold in the end.
    pub content: Content,
    /// Whether the engine itself got stuck, so that `content` may be missing.
    pub stuck: bool,
}

/// Database name → store name → key → value: the page's descriptions of them, or typed JSON texts
/// where events are replayed.
pub type Content = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

impl Trace {
    /// The first difference to another trace, for a person; `None` if there is none.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let names = self.groups.keys().chain(other.groups.keys());
        for name in names {
            let empty = Vec::new();
            let here = self.groups.get(name).unwrap_or(&empty);
            let there = other.groups.get(name).unwrap_or(&empty);
            if here != there {
                let at = here.iter().zip(there).take_while(|(a, b)| a == b).count();
                let line =
                    |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "(nothing)".to_owned());
                return Some(format!(
                    "{name}, line {at}:\n  here:  {}\n  there: {}",
                    line(here),
                    line(there)
                ));
            }
        }
        (self.content != other.content).then(|| {
            format!(
                "content:\n  here:  {:?}\n  there: {:?}",
                self.content, other.content
            )
        })
    }
}
