//! Whose databases a document has: decided here, once, for every document.
//!
//! A storage's identity is (browser profile, container, storage key, bucket). The journal is the
//! profile's, and a bucket has a name of its own in every event. This module decides the two in
//! between: only the *first-party storage* of an origin, in the *default container*, is captured
//! under the origin's name. Browsers give every other document databases of its own, under the same
//! names; captured, they would overwrite the origin's records.
//!
//! | what | who says it | without it |
//! |---|---|---|
//! | origin, frame, tab, container, private window, address of the tab | the browser, with the port | the document is left out |
//! | ancestors, credentialless, fenced | the document's isolated world, with its first message | likewise |
//!
//! **Invariants:** a document is captured only if both say that its storage is the origin's own; a
//! document about which this cannot be decided is left out. Scripts of the page reach neither. A
//! page that has taken over its renderer process can forge the second row, for documents of its own
//! site only: the browser checks the origin and the address of the tab.

use protocol::wire::{bridge::Place, host::Page};

use protocol::problem::Problem;

use super::problems;

/// What the browser says of the other end of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who it is.
    pub page: Page<'static>,
    /// Whether it is in a private window.
    pub incognito: bool,
    /// The container of its tab; empty for the default one, and where the browser has none.
    pub container: String,
    /// The URL of the page in the tab, of which this document may be a frame; `None` if we may not
    /// know it.
    pub top: Option<String>,
    /// Whether its page is not the one in the tab: it is loaded ahead, or is being left for
    /// another. Then `top` is the other page's, and `frame` is not 0 for the top document.
    pub inactive: bool,
}

/// Why a document's databases are not the origin's own.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Foreign {
    /// It is in a private window.
    Private,
    /// It is in no tab, so neither container nor private window are known.
    OutsideTabs,
    /// It is in a container tab.
    Container,
    /// It is a frame in the page of another site.
    OtherSite,
    /// A document of another site is between it and the page of its own site.
    Between(String),
    /// Its databases are thrown away with it.
    Ephemeral,
}

/// Why the document's databases are not its origin's own, as far as the browser says; `None`: they
/// may be.
pub fn problem_of_sender(sender: &Sender) -> Option<Problem> {
    let foreign = foreign_by_sender(sender)?;
    Some(problem(&sender.page.origin, &foreign))
}

/// Why the document's databases are not its origin's own, by what its isolated world says too;
/// `None`: they are.
pub fn problem_of_place(sender: &Sender, place: &Place<'_>) -> Option<Problem> {
    let foreign = foreign_by_sender(sender).or_else(|| foreign_by_place(sender, place))?;
    Some(problem(&sender.page.origin, &foreign))
}

fn foreign_by_sender(sender: &Sender) -> Option<Foreign> {
    if sender.incognito {
        return Some(Foreign::Private);
    }
    if sender.page.tab < 0 {
        return Some(Foreign::OutsideTabs);
    }
    if !sender.container.is_empty() {
        return Some(Foreign::Container);
    }
    // The tab shows another page; the top document of its own is an ancestor, or itself.
    if sender.page.frame == 0 || sender.inactive {
        return None;
    }
    let same_site = |top: &str| site_of(top).is_some_and(|top| Some(top) == site_of(&sender.page.origin));
    (!sender.top.as_deref().is_some_and(same_site)).then_some(Foreign::OtherSite)
}

fn foreign_by_place(sender: &Sender, place: &Place<'_>) -> Option<Foreign> {
    if place.ephemeral {
        return Some(Foreign::Ephemeral);
    }
    // The browser says that it is a frame, and it sees nothing around it: a fenced frame hides
    // where it is.
    if sender.page.frame != 0 && !sender.inactive && place.ancestors.is_empty() {
        return Some(Foreign::Ephemeral);
    }
    let own = site_of(&sender.page.origin);
    place
        .ancestors
        .iter()
        .find(|ancestor| own.is_none() || site_of(ancestor) != own)
        .map(|ancestor| Foreign::Between(ancestor.clone().into_owned()))
}

fn problem(origin: &str, foreign: &Foreign) -> Problem {
    match foreign {
        Foreign::Private => problems::incognito(),
        Foreign::OutsideTabs => problems::outside_tabs(origin),
        Foreign::Container => problems::container(origin),
        Foreign::OtherSite => problems::embedded_elsewhere(origin),
        Foreign::Between(ancestor) => problems::embedded_between(origin, ancestor),
        Foreign::Ephemeral => problems::ephemeral(origin),
    }
}

/// The scheme and the host in a URL or an origin. Two with the same are of one site in every
/// browser. Those with different hosts may be, too (`a.shop.example` and `shop.example`), which
/// takes a list of all public suffixes to tell: they count as two sites.
fn site_of(url: &str) -> Option<(&str, &str)> {
    // A blob's document has the origin that made the blob, which its address begins with.
    let url = url.strip_prefix("blob:").unwrap_or(url);
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let end = if host.starts_with('[') {
        host.find(']')? + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let host = host.get(..end).filter(|host| !host.is_empty())?;
    Some((scheme, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://localhost:8080";

    fn sender(frame: i64, top: Option<&str>) -> Sender {
        Sender {
            page: Page {
                origin: ORIGIN.into(),
                tab: 1,
                frame,
            },
            incognito: false,
            container: String::new(),
            top: top.map(str::to_owned),
            inactive: false,
        }
    }

    fn place(ancestors: &[&'static str], ephemeral: bool) -> Place<'static> {
        Place {
            ancestors: ancestors.iter().map(|origin| (*origin).into()).collect(),
            ephemeral,
        }
    }

    #[test]
    fn frame_of_another_site_is_left_out_by_the_tabs_address() {
        for (frame, top, same) in [
            (0, None, true),
            (3, Some("http://localhost:9090/a?b#c"), true),
            (3, Some("http://user@localhost/"), true),
            (3, Some("blob:http://localhost:8080/2f6e"), true),
            (3, Some("blob:https://localhost:8080/2f6e"), false),
            (3, Some("blob:null/http://localhost:8080/2f6e"), false),
            (3, Some("https://localhost:8080/"), false),
            (3, Some("https://shop.example/http://localhost/"), false),
            (3, Some("http://localhost.example/"), false),
            (3, Some("about:blank"), false),
            (3, Some("chrome-extension://localhost/"), false),
            (3, None, false),
        ] {
            let foreign = foreign_by_sender(&sender(frame, top));
            assert_eq!(foreign, (!same).then_some(Foreign::OtherSite), "{frame} {top:?}");
        }
        assert_eq!(site_of("http://user@[::1]:80/"), Some(("http", "[::1]")));
    }

    #[test]
    fn only_tabs_of_the_default_container_are_captured() {
        let top = sender(0, Some(ORIGIN));
        assert_eq!(foreign_by_sender(&top), None);
        let container = Sender {
            container: "firefox-container-1".into(),
            ..top.clone()
        };
        assert_eq!(foreign_by_sender(&container), Some(Foreign::Container));
        let private = Sender {
            incognito: true,
            ..container
        };
        assert_eq!(foreign_by_sender(&private), Some(Foreign::Private));
        let mut outside = top;
        outside.page.tab = -1;
        assert_eq!(foreign_by_sender(&outside), Some(Foreign::OutsideTabs));
    }

    #[test]
    fn every_ancestor_must_be_of_the_documents_site() {
        let frame = sender(3, Some(ORIGIN));
        let foreign = |ancestors: &[&'static str]| foreign_by_place(&frame, &place(ancestors, false));
        assert_eq!(foreign(&[ORIGIN]), None);
        assert_eq!(foreign(&["http://localhost:9090", ORIGIN]), None);
        for between in [
            "http://127.0.0.1:8080",
            "https://localhost:8080",
            "http://a.localhost",
            "null",
        ] {
            let expected = Some(Foreign::Between(between.to_owned()));
            assert_eq!(foreign(&[between, ORIGIN]), expected);
            assert_eq!(foreign(&[ORIGIN, between]), expected);
        }
    }

    #[test]
    fn frame_that_sees_nothing_around_it_is_fenced() {
        assert_eq!(foreign_by_place(&sender(0, None), &place(&[], false)), None);
        let frame = sender(3, Some(ORIGIN));
        let fenced = foreign_by_place(&frame, &place(&[], false));
        assert_eq!(fenced, Some(Foreign::Ephemeral));
        let credentialless = foreign_by_place(&frame, &place(&[ORIGIN], true));
        assert_eq!(credentialless, Some(Foreign::Ephemeral));
    }

    #[test]
    fn page_that_is_loaded_ahead_is_judged_by_itself() {
        let ahead = Sender {
            inactive: true,
            ..sender(3, Some("https://shop.example/"))
        };
        assert_eq!(problem_of_place(&ahead, &place(&[], false)), None);
        assert!(problem_of_place(&ahead, &place(&["https://shop.example"], false)).is_some());
    }

    #[test]
    fn document_without_an_origin_has_no_site() {
        let mut frame = sender(3, Some(ORIGIN));
        frame.page.origin = "null".into();
        assert!(foreign_by_sender(&frame).is_some());
        assert!(foreign_by_place(&frame, &place(&["null"], false)).is_some());
    }
}
