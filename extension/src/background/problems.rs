//! The problems that the extension itself finds, each with its fix. They are shown at its button.

use protocol::{
    HOST_NAME, PROTOCOL_VERSION,
    redact::RuleError,
    wire::{host::HostHello, inspector::Problem},
};

/// The connection to the host ended, with what the browser says of it (Chromium's and Firefox's
/// words differ).
pub fn host_gone(reason: &str) -> Problem {
    let known = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if known(&["not found", "No such native application"]) {
        return Problem {
            message: format!("The native host {HOST_NAME} is not installed for this browser."),
            fix: "Run `idb-relay install`. If it is installed, `idb-relay status` says where.".into(),
        };
    }
    if known(&["forbidden", "does not have permission"]) {
        return Problem {
            message: format!("The native host {HOST_NAME} does not allow this extension."),
            fix: "Run `idb-relay install` again: the host's manifest names another extension.".into(),
        };
    }
    let reason = if reason.is_empty() {
        "it ended without a reason"
    } else {
        reason
    };
    Problem {
        message: format!("The idb-relay host stopped: {reason}"),
        fix: "It is started again by itself. If this stays, run `idb-relay status`.".into(),
    }
}

/// The document's origin is not enabled.
pub fn not_captured(origin: &str) -> Problem {
    Problem {
        message: format!("{origin} is not captured."),
        fix: "To capture it, press the extension's button, or add it to capture.origins in the host's configuration file."
            .into(),
    }
}

/// The document was loaded before its origin was enabled, and turned away.
pub fn loaded_before(origin: &str) -> Problem {
    Problem {
        message: format!("{origin} is captured from its next load on."),
        fix: "The page was loaded before its site was enabled: reload it.".into(),
    }
}

/// The document is a frame in another site's page.
pub fn embedded_elsewhere(origin: &str) -> Problem {
    Problem {
        message: format!(
            "{origin} is not captured in the pages of other sites: it has databases of its own there."
        ),
        fix: "Open it in a tab of its own.".into(),
    }
}

/// The document is a frame of its own site's page, with a document of another site in between.
pub fn embedded_between(origin: &str, ancestor: &str) -> Problem {
    let site = if ancestor == "null" {
        "another site"
    } else {
        ancestor
    };
    Problem {
        message: format!(
            "A frame of {origin} is left out: it is inside a frame of {site}, and has databases of its own there."
        ),
        fix: "Open it in a tab of its own, or put it into the page without the frame around it.".into(),
    }
}

/// The document's databases are thrown away with it.
pub fn ephemeral(origin: &str) -> Problem {
    Problem {
        message: format!(
            "A frame of {origin} is left out: it is credentialless or fenced, and its databases are thrown away with it."
        ),
        fix: "Open it in a tab of its own, or embed it as an ordinary frame.".into(),
    }
}

/// The document is in a container tab.
pub fn container(origin: &str) -> Problem {
    Problem {
        message: format!("Container tabs are never captured: {origin} has databases of its own in each."),
        fix: "Open the page in a tab without a container.".into(),
    }
}

/// The document is in no tab.
pub fn outside_tabs(origin: &str) -> Problem {
    Problem {
        message: format!(
            "{origin} is not captured outside of tabs: the browser does not say there whose databases it has."
        ),
        fix: "Open the page in a tab.".into(),
    }
}

/// The document goes by the name of another origin's document.
pub fn context_of_another(origin: &str) -> Problem {
    Problem {
        message: format!("A page of {origin} goes by the id of a document of another origin."),
        fix: "Reload the page. If this stays, do not trust the page: its process may be taken over.".into(),
    }
}

/// The background has failed on what the document sends, twice.
pub fn cut_off(origin: &str) -> Problem {
    Problem {
        message: format!("A page of {origin} is not captured any more: the extension failed on it twice."),
        fix: "Reload the page. If this stays, please report what the page writes.".into(),
    }
}

/// The document is in a private window.
pub fn incognito() -> Problem {
    Problem {
        message: "Private windows are never captured.".into(),
        fix: "Open the page in an ordinary window.".into(),
    }
}

/// The browser's permission for an enabled origin is missing.
pub fn ungranted(origin: &str) -> Problem {
    Problem {
        message: format!("{origin} is enabled, but the browser's permission for it is missing."),
        fix: "Open the site, press this button and allow access.".into(),
    }
}

/// A redaction rule cannot be applied.
pub fn broken_rule(error: &RuleError) -> Problem {
    Problem {
        message: format!("Nothing is sent: a redaction rule cannot be applied: {error}."),
        fix: "Correct it where it was made: on the options page, in the host's configuration file, or in the policy.".into(),
    }
}

/// The browser has not reported the policy yet.
pub fn policy_awaited() -> Problem {
    Problem {
        message: "Nothing is sent: the browser has not reported the managed policy yet.".into(),
        fix: "Try again in a few seconds: browsers read policies after their start.".into(),
    }
}

/// The same, when it should have long ago.
pub fn policy_late() -> Problem {
    Problem {
        message: "Nothing is sent: for half a minute the browser has not reported the managed policy.".into(),
        fix: "Restart the browser. If this stays, let your administrator look at the browser's policies."
            .into(),
    }
}

/// The policy's redaction rules are none.
pub fn unreadable_policy(reason: &str) -> Problem {
    Problem {
        message: format!("Nothing is sent: the managed policy's redaction rules cannot be read: {reason}."),
        fix: "Let your administrator correct `redact` in the policy of this extension.".into(),
    }
}

/// The host speaks another protocol.
pub fn protocol_mismatch(host: &HostHello) -> Problem {
    let (older, newer) = if host.protocol < PROTOCOL_VERSION {
        ("host", "extension")
    } else {
        ("extension", "host")
    };
    Problem {
        message: format!(
            "The host (version {}) speaks protocol {}, the extension protocol {PROTOCOL_VERSION}.",
            host.version, host.protocol
        ),
        fix: format!("Update the {older} to the version of the {newer}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_browsers_words_lead_to_the_fix() {
        for reason in [
            "Specified native messaging host not found.",
            "No such native application dev.idb_relay.host",
        ] {
            assert!(host_gone(reason).fix.contains("idb-relay install"));
        }
        assert!(
            host_gone("Access to the specified native messaging host is forbidden.")
                .message
                .contains("does not allow")
        );
        assert!(host_gone("").message.ends_with("it ended without a reason"));
    }

    #[test]
    fn a_mismatch_names_the_older_side() {
        let mut host = HostHello {
            protocol: PROTOCOL_VERSION + 1,
            version: "9.0.0".into(),
            origins: Vec::new(),
            redact: Vec::new(),
        };
        assert!(protocol_mismatch(&host).fix.starts_with("Update the extension"));
        host.protocol = 0;
        assert!(protocol_mismatch(&host).fix.starts_with("Update the host"));
    }
}
