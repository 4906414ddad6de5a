//! How it stands with the inspected page's site, and what can be done about it.

use protocol::{
    inspect::{Document, FromInspector},
    origin::OriginPattern,
};

use super::State;
use crate::browser;

impl State {
    /// Whether the site of the inspected page is captured; `None`: there is no such page, or it is not known yet.
    pub fn is_enabled(self) -> Option<bool> {
        let origin = self.origin.get()?;
        self.background.with(|background| {
            let mut patterns = background.as_ref()?.origins.keys();
            Some(patterns.any(|pattern| matches(pattern, &origin)))
        })
    }

    /// Whether the browser's permission for the inspected site is missing.
    pub fn is_ungranted(self) -> bool {
        let Some(origin) = self.origin.get() else {
            return false;
        };
        self.background.with(|background| {
            let mut ungranted = background.iter().flat_map(|told| &told.ungranted);
            ungranted.any(|pattern| matches(pattern, &origin))
        })
    }

    /// The documents of the inspected tab, or of all.
    pub fn inspected_documents(self) -> Vec<Document> {
        self.background.with(|background| {
            let documents = background.iter().flat_map(|told| &told.documents);
            documents
                .filter(|document| self.inspected.is_none_or(|tab| tab == document.tab))
                .cloned()
                .collect()
        })
    }

    /// Captures the inspected site, or does so no more. Has to be called while a click is being handled.
    pub fn capture(self, enabled: bool) {
        let Some(origin) = self.origin.get_untracked() else {
            return;
        };
        // The decision goes first: the browser's question may take the focus away.
        self.tell(&FromInspector::Capture { origin, enabled });
        if enabled {
            self.grant();
        }
    }

    /// Asks for the permission for the inspected site. Has to be called while a click is being handled.
    pub fn grant(self) {
        if let Some(Ok(pattern)) = self
            .origin
            .get_untracked()
            .map(|origin| OriginPattern::parse(&origin))
        {
            browser::request_permission(&pattern.match_pattern());
        }
    }
}

fn matches(pattern: &str, origin: &str) -> bool {
    OriginPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(origin))
}
