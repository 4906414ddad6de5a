//! The state of host and servers, and why the list is empty.

use protocol::wire::{
    host::{ErrorCode, HostError},
    inspector::{Background, FromInspector, Problem, Reply, Sink},
};
use serde_json::json;
use view_testing::document::{
    attribute, attributes, click_button, text, texts, until, until_count, until_texts,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::panel::{ORIGIN, Panel, captured, created, document, healthy, until_keys};

/// Why the list is empty.
fn why() -> Option<String> {
    attribute(".empty [data-why]", "data-why")
}

fn problem(message: &str, fix: &str) -> Problem {
    Problem {
        message: message.to_owned(),
        fix: fix.to_owned(),
    }
}

#[wasm_bindgen_test]
async fn header_shows_host_and_servers() {
    let panel = Panel::open_unconnected();
    until_texts(".health .chip", &["connecting…"]).await;
    panel.send_background(&captured());
    panel.send_health(healthy()).await;
    until_texts(".health .chip", &["host 1.2.4", "Redis", "Memcached"]).await;
    assert_eq!(attributes(".health .chip", "data-state"), ["ok", "ok", "ok"]);
    assert_eq!(text(".health .lag"), "p503p958p9921 ms");
    panel.send_background(&Background {
        paused: true,
        waiting: 3,
        ..captured()
    });
    until("host 1.2.4 · capture paused, 3 waiting", || {
        text(".health .chip")
    })
    .await;
    assert_eq!(attribute(".capture", "aria-pressed").as_deref(), Some("true"));
    click_button("Resume capture");
    let on = panel
        .background
        .until_message("the end of the pause", |message| match message {
            FromInspector::Pause { paused } => Some(!paused),
            _ => None,
        });
    assert!(on.await);
}

#[wasm_bindgen_test]
async fn workers_that_are_not_observed_are_counted() {
    let panel = Panel::open();
    until_texts(".health .chip[data-state=waiting]", &[]).await;
    let mut background = captured();
    background.documents[0].workers = vec!["http://a/w.js".to_owned(), "http://a/sw.js".to_owned()];
    panel.send_background(&background);
    until_texts(".health .chip[data-state=waiting]", &["2 workers not observed"]).await;
    let title = attribute(".health .chip[data-state=waiting]", "title").expect("a title");
    assert!(
        title.starts_with("2 workers are not observed: http://a/sw.js, http://a/w.js. "),
        "{title}"
    );
}

#[wasm_bindgen_test]
async fn failing_server_is_shown_with_its_fix_and_at_events() {
    let panel = Panel::open();
    let mut health = healthy();
    let failing = Sink {
        state: "unreachable".to_owned(),
        attempts: 4,
        behind: 9,
        error: Some("Memcached does not answer".to_owned()),
        fix: Some("Start it, or see `memcached.servers`.".to_owned()),
        ..health.sinks.remove(1)
    };
    health.sinks.push(failing);
    panel.send_events(&[created(1, &json!("a"))]).await;
    panel.send_health(health).await;
    until_texts(".problems[role=alert] strong", &["Memcached does not answer"]).await;
    assert_eq!(texts(".problems code"), ["memcached.servers"]);
    assert_eq!(
        text(".health .chip[data-state=wrong]"),
        "Memcached unreachable · 9 queued"
    );
    until(vec!["passed", "waiting", "waiting", "retrying"], || {
        attributes(".row .strip i", "data-state")
    })
    .await;
    assert_eq!(texts(".row .strip i:last-child"), ["×4"]);
    // The server recovers.
    panel.send_health(healthy()).await;
    until_count(".problems p", 0).await;
    until_count(".health .chip[data-state=wrong]", 0).await;
}

#[wasm_bindgen_test]
async fn problem_of_the_host_is_shown_until_it_is_over() {
    let panel = Panel::open();
    panel.send_health(healthy()).await;
    until_count(".health .lag", 1).await;
    let id = panel.background.until_health_question();
    let failed = Reply::Failed(HostError {
        code: ErrorCode::JournalFailed,
        message: "The journal cannot be read: database disk image is malformed".to_owned(),
        fix: "Move `journal.db` away; a new one is begun.".to_owned(),
        context: None,
        sequence: None,
    });
    panel.background.answer(id.await, failed);
    // The host reported it, not the background, so an empty list does not replace it.
    until_texts(
        ".problems[role=alert] strong",
        &["The journal cannot be read: database disk image is malformed"],
    )
    .await;
    assert_eq!(texts(".problems code"), ["journal.db"]);
    // The earlier health is no longer shown.
    until_count(".health .lag", 0).await;
    assert_eq!(texts(".health .chip"), ["host 1.2.4"]);
    // The next answer is healthy.
    panel.send_health(healthy()).await;
    until_count(".problems p", 0).await;
    until_texts(".health .chip", &["host 1.2.4", "Redis", "Memcached"]).await;
}

#[wasm_bindgen_test]
async fn empty_list_has_its_reason_and_a_button() {
    let panel = Panel::open_unconnected();
    let shows = async |expected: &str, state: Background| {
        panel.send_background(&state);
        until(Some(expected.to_owned()), why).await;
    };
    until(Some("connecting".to_owned()), why).await;
    let none = Background {
        origins: [].into(),
        documents: Vec::new(),
        ..captured()
    };
    shows("site", none.clone()).await;
    click_button("Capture this site");
    assert_eq!(
        panel.background.until_capture_decision().await,
        (ORIGIN.to_owned(), true)
    );
    assert_eq!(panel.background.permission_requests(), ["+http://localhost/*"]);
    let ungranted = Background {
        ungranted: vec![ORIGIN.to_owned()],
        documents: Vec::new(),
        ..captured()
    };
    shows("permission", ungranted).await;
    click_button("Grant the permission");
    assert_eq!(panel.background.permission_requests(), ["+http://localhost/*"]);
    let unhooked = Background {
        documents: Vec::new(),
        ..captured()
    };
    shows("unhooked", unhooked).await;
    let mut late = captured();
    late.documents[0].late = true;
    shows("late", late).await;
    let mut refused = captured();
    refused.documents[0].refused = Some(problem("Too many pages", "Close some."));
    shows("refused", refused).await;
    let paused = Background {
        paused: true,
        ..captured()
    };
    shows("paused", paused).await;
    shows("quiet", captured()).await;
    // The reason disappears with the first event.
    panel.send_events(&[created(1, &json!("a"))]).await;
    until_keys(&["1"]).await;
    assert_eq!(view_testing::document::all(".empty").len(), 0);
}

#[wasm_bindgen_test]
async fn without_a_host_the_install_command_is_shown() {
    let panel = Panel::open_unconnected();
    let without_host = |message: &str| Background {
        connected: false,
        host_version: None,
        waiting: 1,
        problem: Some(problem(message, "Run the command.")),
        documents: vec![document()],
        ..captured()
    };
    panel.send_background(&without_host("The host is not installed"));
    until(Some("host".to_owned()), why).await;
    let command = text(".empty .command code");
    assert!(command.contains("idb-relay install --browser "), "{command}");
    assert_eq!(
        attribute(".empty .command button", "aria-label").as_deref(),
        Some("Copy the command")
    );
    assert!(
        text(".empty").contains("1 delivery waits until there is one"),
        "{}",
        text(".empty")
    );
    assert_eq!(text(".health .chip"), "no host · 1 waiting");
    // The problem is not repeated above the list.
    assert!(texts(".problems p").is_empty());
    // A host with another protocol needs no installation.
    panel.send_background(&without_host(&format!(
        "The host does not speak protocol {}",
        protocol::PROTOCOL_VERSION
    )));
    until(Some("versions".to_owned()), why).await;
    assert_eq!(view_testing::document::all(".empty .command").len(), 0);
}
