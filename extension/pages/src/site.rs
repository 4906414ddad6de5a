//! How it stands with a site, in words.

use protocol::{
    inspect::{Background, Document, Remark},
    origin::OriginPattern,
};

/// What the popup says of the site in the tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// One word that styles hang on: `none`, `off`, `on`, `waiting`, `wrong`.
    pub state: &'static str,
    /// The state in a sentence.
    pub words: String,
    /// Whether the switch is on.
    pub enabled: bool,
    /// Whether the switch does something: what configuration or policy enabled is not switched off here.
    pub switchable: bool,
    /// Whether the permission for the site is missing.
    pub ungranted: bool,
    /// What is to be done.
    pub remark: Option<Remark>,
}

/// How it stands with the site of this origin; `None`: the tab shows no site.
pub fn site(background: &Background, origin: Option<&str>) -> Site {
    let Some(origin) = origin.filter(|origin| OriginPattern::parse(origin).is_ok()) else {
        return Site {
            state: "none",
            words: "This page has no site, so there is nothing to capture.".into(),
            enabled: false,
            switchable: false,
            ungranted: false,
            remark: None,
        };
    };
    let rules: Vec<(&String, &String)> = background
        .origins
        .iter()
        .filter(|(pattern, _)| matches(pattern, origin))
        .collect();
    let Some((_, who)) = rules.iter().find(|(_, who)| *who != "user").or(rules.first()) else {
        return Site {
            state: "off",
            words: "This site is not captured. Turn this on to send its IndexedDB writes to the host on this machine, and from there to Redis and Memcached."
                .into(),
            enabled: false,
            switchable: true,
            ungranted: false,
            remark: None,
        };
    };
    let enabled = Site {
        state: "on",
        words: String::new(),
        enabled: true,
        switchable: *who == "user",
        ungranted: false,
        remark: None,
    };
    if background
        .ungranted
        .iter()
        .any(|pattern| matches(pattern, origin))
    {
        return Site {
            state: "waiting",
            words: "Enabled, but the browser's permission for this site is missing.".into(),
            ungranted: true,
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
        return Site {
            state: "waiting",
            words: "Enabled, but what is open here is not captured.".into(),
            remark: refused,
            ..enabled
        };
    }
    let by = match who.as_str() {
        "configuration" => " The host's configuration says so.",
        "policy" => " Your administrator says so.",
        _ => "",
    };
    if background.paused {
        return Site {
            state: "waiting",
            words: with_waiting("Capture is paused.", background.waiting),
            ..enabled
        };
    }
    if !background.connected {
        return Site {
            state: "wrong",
            words: with_waiting("Captured, but there is no host to take it.", background.waiting),
            remark: background.problem.clone(),
            ..enabled
        };
    }
    if background.problem.is_some() {
        return Site {
            state: "wrong",
            words: with_waiting("Enabled, but something is in the way.", background.waiting),
            remark: background.problem.clone(),
            ..enabled
        };
    }
    if captured.is_empty() {
        return Site {
            state: "waiting",
            words: format!("Captured from the next load on: reload the page.{by}"),
            ..enabled
        };
    }
    Site {
        words: words_of_captured(&captured, left_out.len() as u64, by),
        remark: refused,
        ..enabled
    }
}

/// What is captured, for which reason (`by`), and how many frames are not.
fn words_of_captured(captured: &[&Document], left_out: u64, by: &str) -> String {
    let captured = if captured.iter().any(|document| document.late) {
        "Capturing. Existing records are read as well.".to_owned()
    } else {
        let documents = count(captured.len() as u64, "document", "documents");
        format!("Captured: {documents}.")
    };
    let left_out = match left_out {
        0 => String::new(),
        frames => format!(" {}.", count(frames, "frame is left out", "frames are left out")),
    };
    captured + by + &left_out
}

fn matches(pattern: &str, origin: &str) -> bool {
    OriginPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(origin))
}

/// How many deliveries wait, if any do.
pub fn waiting(deliveries: u64) -> Option<String> {
    (deliveries > 0).then(|| format!("{}.", count(deliveries, "delivery waits", "deliveries wait")))
}

fn with_waiting(sentence: &str, deliveries: u64) -> String {
    waiting(deliveries).map_or_else(|| sentence.to_owned(), |waiting| format!("{sentence} {waiting}"))
}

/// `1 document`, `2 documents`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
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
            refused: refused.map(|cure| Remark {
                message: "It is captured later.".into(),
                cure: cure.into(),
            }),
        }
    }

    #[test]
    fn what_is_no_site_cannot_be_switched_on() {
        for origin in [
            None,
            Some("null"),
            Some("chrome-extension://abc"),
            Some("about:blank"),
        ] {
            let site = site(&background(&[]), origin);
            assert_eq!((site.state, site.switchable), ("none", false));
        }
    }

    #[test]
    fn a_site_is_off_until_somebody_enables_it() {
        let off = site(&background(&[("http://localhost:1", "user")]), Some(ORIGIN));
        assert_eq!((off.state, off.enabled, off.switchable), ("off", false, true));
        let mut captured = background(&[(ORIGIN, "user")]);
        let soon = site(&captured, Some(ORIGIN));
        assert_eq!((soon.state, soon.enabled), ("waiting", true));
        assert!(soon.words.contains("reload the page"));
        captured.documents = vec![document(false, None)];
        let on = site(&captured, Some(ORIGIN));
        assert_eq!((on.state, on.enabled, on.switchable), ("on", true, true));
        // The user's own entry takes nothing from the configuration's.
        let both = background(&[(ORIGIN, "user"), ("http://localhost:*", "configuration")]);
        let locked = site(&both, Some(ORIGIN));
        assert_eq!(
            (locked.state, locked.enabled, locked.switchable),
            ("waiting", true, false)
        );
        assert!(locked.words.contains("configuration"));
    }

    #[test]
    fn frames_that_are_left_out_are_counted_and_explained() {
        let mut background = background(&[(ORIGIN, "configuration")]);
        let frame = document(false, Some("Open it in a tab of its own."));
        background.documents = vec![document(false, None), frame.clone(), frame];
        let site = site(&background, Some(ORIGIN));
        assert_eq!(site.state, "on");
        assert_eq!(
            site.words,
            "Captured: 1 document. The host's configuration says so. 2 frames are left out."
        );
        assert_eq!(site.remark.expect("there").cure, "Open it in a tab of its own.");
    }

    #[test]
    fn what_is_in_the_way_is_said() {
        let mut background = background(&[(ORIGIN, "user")]);
        background.documents = vec![document(true, None)];
        assert!(
            site(&background, Some(ORIGIN))
                .words
                .contains("Existing records are read")
        );
        background.connected = false;
        background.waiting = 1;
        background.problem = Some(Remark {
            message: "No host.".into(),
            cure: "Run `idb-relay install`.".into(),
        });
        let away = site(&background, Some(ORIGIN));
        assert_eq!((away.state, away.remark), ("wrong", background.problem.clone()));
        assert!(away.words.ends_with("1 delivery waits."));
        background.connected = true;
        let wrong = site(&background, Some(ORIGIN));
        assert_eq!((wrong.state, wrong.remark), ("wrong", background.problem.clone()));
        background.paused = true;
        assert!(
            site(&background, Some(ORIGIN))
                .words
                .starts_with("Capture is paused")
        );
        background.documents = vec![document(false, Some("Reload the page."))];
        assert_eq!(
            site(&background, Some(ORIGIN)).remark.expect("there").cure,
            "Reload the page."
        );
        background.ungranted = vec![ORIGIN.into()];
        assert!(site(&background, Some(ORIGIN)).ungranted);
    }
}
