//! The status of a site, in words.

use protocol::{
    origin::OriginPattern,
    wire::inspector::{Background, Document, Problem, unobserved_workers},
};

use super::plural::{count_waiting, count_with};

/// What the popup shows of the site in the tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteStatus {
    /// The state for the style sheet: `none`, `off`, `on`, `waiting`, `wrong`.
    pub state: &'static str,
    /// The state in a sentence.
    pub message: String,
    /// The switch is on.
    pub is_enabled: bool,
    /// The switch can be used. A site that configuration or policy enabled is not switched off
    /// here.
    pub is_switchable: bool,
    /// The browser's permission for the site is missing.
    pub needs_permission: bool,
    pub problem: Option<Problem>,
}

/// The status of the site of this origin. `None`: the tab shows no site.
pub fn site_status(background: &Background, origin: Option<&str>) -> SiteStatus {
    let Some(origin) = origin.filter(|origin| OriginPattern::parse(origin).is_ok()) else {
        return SiteStatus {
            state: "none",
            message: "This page has no site, so there is nothing to capture.".into(),
            is_enabled: false,
            is_switchable: false,
            needs_permission: false,
            problem: None,
        };
    };
    let entries: Vec<(&String, &String)> = background
        .origins
        .iter()
        .filter(|(pattern, _)| matches_origin(pattern, origin))
        .collect();
    let Some((_, who)) = entries.iter().find(|(_, who)| *who != "user").or(entries.first()) else {
        return SiteStatus {
            state: "off",
            message: "This site is not captured. Turn this on to send its IndexedDB writes to the host on this machine, and from there to Redis and Memcached."
                .into(),
            is_enabled: false,
            is_switchable: true,
            needs_permission: false,
            problem: None,
        };
    };
    status_of_enabled(background, origin, who)
}

/// The status of a site that is enabled by `who`.
fn status_of_enabled(background: &Background, origin: &str, who: &str) -> SiteStatus {
    let enabled = SiteStatus {
        state: "on",
        message: String::new(),
        is_enabled: true,
        is_switchable: who == "user",
        needs_permission: false,
        problem: None,
    };
    if background
        .ungranted
        .iter()
        .any(|pattern| matches_origin(pattern, origin))
    {
        return SiteStatus {
            state: "waiting",
            message: "Enabled, but the browser's permission for this site is missing.".into(),
            needs_permission: true,
            ..enabled
        };
    }
    let (left_out, captured): (Vec<_>, Vec<_>) = background
        .documents
        .iter()
        .filter(|document| document.origin == origin)
        .partition(|document| document.refused.is_some());
    let refused = left_out.first().and_then(|document| document.refused.clone());
    if captured.is_empty() && refused.is_some() {
        return SiteStatus {
            state: "waiting",
            message: "Enabled, but what is open here is not captured.".into(),
            problem: refused,
            ..enabled
        };
    }
    let reason = match who {
        "configuration" => " The host's configuration says so.",
        "policy" => " Your administrator says so.",
        _ => "",
    };
    if background.paused {
        return SiteStatus {
            state: "waiting",
            message: with_waiting("Capture is paused.", background.waiting),
            ..enabled
        };
    }
    if !background.connected {
        return SiteStatus {
            state: "wrong",
            message: with_waiting(
                "Captured, but there is no host to receive it.",
                background.waiting,
            ),
            problem: background.problem.clone(),
            ..enabled
        };
    }
    if background.problem.is_some() {
        return SiteStatus {
            state: "wrong",
            message: with_waiting("Enabled, but there is a problem.", background.waiting),
            problem: background.problem.clone(),
            ..enabled
        };
    }
    if captured.is_empty() {
        return SiteStatus {
            state: "waiting",
            message: format!("Captured from the next load on: reload the page.{reason}"),
            ..enabled
        };
    }
    SiteStatus {
        message: describe_captured(&captured, left_out.len() as u64, reason),
        problem: refused.or_else(|| unobserved_workers(captured.iter().copied())),
        ..enabled
    }
}

/// What is captured, why, and how many frames are not.
fn describe_captured(captured: &[&Document], left_out: u64, reason: &str) -> String {
    let captured = if captured.iter().any(|document| document.late) {
        "Capturing. Existing records are read as well.".to_owned()
    } else {
        let documents = count_with(captured.len() as u64, "document", "documents");
        format!("Captured: {documents}.")
    };
    let left_out = match left_out {
        0 => String::new(),
        frames => format!(
            " {}.",
            count_with(frames, "frame is left out", "frames are left out")
        ),
    };
    captured + reason + &left_out
}

fn matches_origin(pattern: &str, origin: &str) -> bool {
    OriginPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(origin))
}

fn with_waiting(sentence: &str, deliveries: u64) -> String {
    count_waiting(deliveries).map_or_else(|| sentence.to_owned(), |waiting| format!("{sentence} {waiting}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://localhost:8080";

    fn background(origins: &[(&str, &str)]) -> Background {
        Background {
            connected: true,
            origins: origins
                .iter()
                .map(|(origin, who)| ((*origin).to_owned(), (*who).to_owned()))
                .collect(),
            ..Background::default()
        }
    }

    fn document(late: bool, refused: Option<&str>) -> Document {
        Document {
            context: "c".into(),
            origin: ORIGIN.into(),
            tab: 1,
            frame: 0,
            late,
            workers: Vec::new(),
            refused: refused.map(|fix| Problem {
                message: "It is captured later.".into(),
                fix: fix.into(),
            }),
        }
    }

    #[test]
    fn page_without_site_cannot_be_captured() {
        for origin in [
            None,
            Some("null"),
            Some("chrome-extension://abc"),
            Some("about:blank"),
        ] {
            let site = site_status(&background(&[]), origin);
            assert_eq!((site.state, site.is_switchable), ("none", false));
        }
    }

    #[test]
    fn site_is_off_until_it_is_enabled() {
        let off = site_status(&background(&[("http://localhost:1", "user")]), Some(ORIGIN));
        assert_eq!(
            (off.state, off.is_enabled, off.is_switchable),
            ("off", false, true)
        );
        let mut captured = background(&[(ORIGIN, "user")]);
        let soon = site_status(&captured, Some(ORIGIN));
        assert_eq!((soon.state, soon.is_enabled), ("waiting", true));
        assert!(soon.message.contains("reload the page"));
        captured.documents = vec![document(false, None)];
        let on = site_status(&captured, Some(ORIGIN));
        assert_eq!((on.state, on.is_enabled, on.is_switchable), ("on", true, true));
        // An entry of the configuration wins over one of the user.
        let both = background(&[(ORIGIN, "user"), ("http://localhost:*", "configuration")]);
        let locked = site_status(&both, Some(ORIGIN));
        assert_eq!(
            (locked.state, locked.is_enabled, locked.is_switchable),
            ("waiting", true, false)
        );
        assert!(locked.message.contains("configuration"));
    }

    #[test]
    fn left_out_frames_are_counted_and_explained() {
        let mut background = background(&[(ORIGIN, "configuration")]);
        let frame = document(false, Some("Open it in a tab of its own."));
        background.documents = vec![document(false, None), frame.clone(), frame];
        let site = site_status(&background, Some(ORIGIN));
        assert_eq!(site.state, "on");
        assert_eq!(
            site.message,
            "Captured: 1 document. The host's configuration says so. 2 frames are left out."
        );
        assert_eq!(
            site.problem.expect("a problem").fix,
            "Open it in a tab of its own."
        );
    }

    #[test]
    fn workers_that_are_not_observed_are_named_once() {
        let mut background = background(&[(ORIGIN, "user")]);
        let with_workers = |workers: &[&str]| Document {
            workers: workers.iter().map(|url| (*url).to_owned()).collect(),
            ..document(false, None)
        };
        background.documents = vec![with_workers(&["http://a/w.js"]), with_workers(&["http://a/w.js"])];
        let site = site_status(&background, Some(ORIGIN));
        assert_eq!(
            (site.state, site.problem.expect("a problem").message.as_str()),
            ("on", "A worker is not observed: http://a/w.js")
        );
        background.documents.push(with_workers(&["http://a/sw.js"]));
        let site = site_status(&background, Some(ORIGIN));
        assert_eq!(
            site.problem.expect("a problem").message,
            "2 workers are not observed: http://a/sw.js, http://a/w.js"
        );
        // What keeps documents out comes first.
        background
            .documents
            .push(document(false, Some("Open it in a tab of its own.")));
        let site = site_status(&background, Some(ORIGIN));
        assert_eq!(
            site.problem.expect("a problem").fix,
            "Open it in a tab of its own."
        );
    }

    #[test]
    fn problems_are_named() {
        let mut background = background(&[(ORIGIN, "user")]);
        background.documents = vec![document(true, None)];
        assert!(
            site_status(&background, Some(ORIGIN))
                .message
                .contains("Existing records are read")
        );
        background.connected = false;
        background.waiting = 1;
        background.problem = Some(Problem {
            message: "No host.".into(),
            fix: "Run `idb-relay install`.".into(),
        });
        let no_host = site_status(&background, Some(ORIGIN));
        assert_eq!(
            (no_host.state, no_host.problem),
            ("wrong", background.problem.clone())
        );
        assert!(no_host.message.ends_with("1 delivery waits."));
        background.connected = true;
        let wrong = site_status(&background, Some(ORIGIN));
        assert_eq!(
            (wrong.state, wrong.problem),
            ("wrong", background.problem.clone())
        );
        background.paused = true;
        assert!(
            site_status(&background, Some(ORIGIN))
                .message
                .starts_with("Capture is paused")
        );
        background.documents = vec![document(false, Some("Reload the page."))];
        assert_eq!(
            site_status(&background, Some(ORIGIN))
                .problem
                .expect("a problem")
                .fix,
            "Reload the page."
        );
        background.ungranted = vec![ORIGIN.into()];
        assert!(site_status(&background, Some(ORIGIN)).needs_permission);
    }
}
