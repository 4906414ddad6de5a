//! The site of the inspected page: whether it is captured, and how to change that.

use leptos::prelude::*;
use protocol::{
    origin::OriginPattern,
    wire::inspector::{DeepCapture, DeepCaptureState, Document, FromInspector, Look, Sight},
};

use super::state::App;
use crate::browser;

impl App {
    /// Whether the site is captured. `None`: the panel inspects no page, or it is not known yet.
    pub fn is_site_enabled(self) -> Option<bool> {
        let origin = self.site.origin.get()?;
        self.host.background.with(|background| {
            let mut patterns = background.as_ref()?.origins.keys();
            Some(patterns.any(|pattern| matches_origin(pattern, &origin)))
        })
    }

    /// Whether the browser's permission for the site is missing.
    pub fn is_permission_missing(self) -> bool {
        let Some(origin) = self.site.origin.get() else {
            return false;
        };
        self.host.background.with(|background| {
            let mut patterns = background.iter().flat_map(|background| &background.ungranted);
            patterns.any(|pattern| matches_origin(pattern, &origin))
        })
    }

    /// The documents of the inspected tab; without one, all documents.
    pub fn inspected_documents(self) -> Vec<Document> {
        self.host.background.with(|background| {
            let documents = background.iter().flat_map(|background| &background.documents);
            documents
                .filter(|document| self.site.inspected_tab.is_none_or(|tab| tab == document.tab))
                .cloned()
                .collect()
        })
    }

    /// Whether the workers of the inspected tab can be captured as they write: in Chromium alone.
    pub fn has_deep_capture(self) -> bool {
        self.site.inspected_tab.is_some()
            && self.host.background.with(|background| {
                background
                    .as_ref()
                    .is_some_and(|background| background.browser.starts_with("chromium"))
            })
    }

    /// Deep capture of the inspected tab; `None`: it is off.
    pub fn deep_capture(self) -> Option<DeepCapture> {
        let inspected = self.site.inspected_tab?;
        self.host.background.with(|background| {
            let mut tabs = background.as_ref()?.deep_captures.iter();
            tabs.find(|deep| deep.tab == inspected).cloned()
        })
    }

    /// Switches deep capture of the inspected tab.
    pub fn toggle_deep_capture(self) {
        let Some(tab) = self.site.inspected_tab.filter(|_| self.has_deep_capture()) else {
            return;
        };
        let is_on = self
            .deep_capture()
            .is_some_and(|deep| deep.state != DeepCaptureState::Ended);
        self.link.with_value(|link| {
            link.send(&FromInspector::DeepCapture { tab, enabled: !is_on });
        });
    }

    /// Starts or stops capturing the site. Call it while a click is handled.
    pub fn set_site_capture(self, enabled: bool) {
        let Some(origin) = self.site.origin.get_untracked() else {
            return;
        };
        // Send it first: the browser's dialog may take the focus away.
        self.link
            .with_value(|link| link.send(&FromInspector::Capture { origin, enabled }));
        if enabled {
            self.request_permission();
        }
    }

    /// Asks for the browser's permission. Call it while a click is handled: browsers refuse it
    /// otherwise.
    pub fn request_permission(self) {
        if let Some(Ok(pattern)) = self
            .site
            .origin
            .get_untracked()
            .map(|origin| OriginPattern::parse(&origin))
        {
            browser::request_permission(&pattern.match_pattern());
        }
    }

    /// Lets a page of the origin inspect its databases; the inspected page, if it is of that
    /// origin.
    pub fn inspect_page(self, look: Look, on_sight: impl FnOnce(Sight) + 'static) {
        let is_inspected = self
            .site
            .origin
            .with_untracked(|origin| origin.as_deref() == Some(look.origin()));
        let tab = self.site.inspected_tab.filter(|_| is_inspected);
        self.link
            .with_value(|link| link.inspect_page(tab, look, on_sight));
    }
}

fn matches_origin(pattern: &str, origin: &str) -> bool {
    OriginPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(origin))
}
