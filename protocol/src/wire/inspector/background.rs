//! What the background says of itself and of the documents that it captures.

use serde::{Deserialize, Serialize};

use super::DeepCapture;
use crate::{problem::Problem, redact::Rule, table::Table};

/// How the extension itself is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// The extension's version.
    pub version: String,
    /// `chromium/156` or `firefox/153`.
    pub browser: String,
    /// The browser profile's random id, which names the journal.
    pub profile: String,
    /// Whether the host runs and speaks the same protocol.
    pub connected: bool,
    /// The host's version, once it has said hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_version: Option<String>,
    /// What is wrong with the connection to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Whether capture rests.
    pub paused: bool,
    /// Deliveries that the host does not have on disk yet.
    pub waiting: u64,
    /// Origins that are captured, with who enabled them: `user`, `configuration` or `policy`; the
    /// last of these if several did.
    pub origins: Table<String, String>,
    /// Those of them for which the browser's permission is missing: nothing of them is captured
    /// until it is granted.
    #[serde(default)]
    pub ungranted: Vec<String>,
    /// Redaction rules, by who made them, as in `origins`. All of them hold.
    #[serde(default)]
    pub rules: Table<String, Vec<Rule>>,
    /// The documents with a bridge in the inspected tab, and those that were turned away.
    pub documents: Vec<Document>,
    /// Deep capture of the inspected tab, or of all tabs; none of those where it is off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deep_captures: Vec<DeepCapture>,
}

/// A document that runs the page scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Random id, as in `source.context` of its events.
    pub context: String,
    /// Serialised origin.
    pub origin: String,
    /// Tab id.
    pub tab: i64,
    /// Frame id; 0 is the top frame.
    pub frame: i64,
    /// Hooked after its own scripts may have run.
    pub late: bool,
    /// Why it is not captured; absent if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Problem>,
    /// The addresses of its workers' scripts, as far as they are known: what they write is not
    /// observed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<String>,
}

/// How many workers are named.
const NAMED_WORKERS: usize = 5;

/// The addresses of the workers of these documents, each once. None of them is observed.
pub fn worker_urls<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Vec<&'a str> {
    let mut urls: Vec<&str> = documents
        .into_iter()
        .flat_map(|document| document.workers.iter().map(String::as_str))
        .collect();
    urls.sort_unstable();
    urls.dedup();
    urls
}

/// The workers of these documents, which are not observed, and what that means.
pub fn unobserved_workers<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Option<Problem> {
    let urls = worker_urls(documents);
    let mut named = urls
        .iter()
        .take(NAMED_WORKERS)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if urls.len() > NAMED_WORKERS {
        named.push_str(", …");
    }
    let message = match urls.len() {
        0 => return None,
        1 => format!("A worker is not observed: {named}"),
        workers => format!("{workers} workers are not observed: {named}"),
    };
    Some(Problem {
        message,
        fix: "A worker's writes are found by comparison while a page of the site is visible, and reported as `r` and `d` events with the last state. To see each write as it happens, write from the page; in Chromium deep capture (`Workers` in the panel) shows it, too."
            .to_owned(),
    })
}
