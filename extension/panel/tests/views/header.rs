//! How host and servers are, and why a list is empty.

use protocol::{
    inspect::{Background as Told, FromInspector, Remark, Reply, Sink},
    message::{ErrorCode, HostError},
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

/// Something that is wrong.
fn remark(message: &str, cure: &str) -> Remark {
    Remark {
        message: message.to_owned(),
        cure: cure.to_owned(),
    }
}

#[wasm_bindgen_test]
async fn the_header_says_how_host_and_servers_are() {
    let panel = Panel::silent();
    until_texts(".health .chip", &["connecting…"]).await;
    panel.told(&captured());
    panel.is_well(healthy()).await;
    until_texts(".health .chip", &["host 1.2.4", "Redis", "Memcached"]).await;
    assert_eq!(attributes(".health .chip", "data-state"), ["ok", "ok", "ok"]);
    assert_eq!(text(".health .lag"), "p503p958p9921 ms");
    panel.told(&Told {
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
        .hears("the pause's end", |message| match message {
            FromInspector::Pause { paused } => Some(!paused),
            _ => None,
        });
    assert!(on.await);
}

#[wasm_bindgen_test]
async fn a_server_in_trouble_is_told_with_its_cure_and_on_the_way_of_events() {
    let panel = Panel::open();
    let mut health = healthy();
    let trouble = Sink {
        state: "unreachable".to_owned(),
        attempts: 4,
        behind: 9,
        error: Some("Memcached does not answer".to_owned()),
        cure: Some("Start it, or see `memcached.servers`.".to_owned()),
        ..health.sinks.remove(1)
    };
    health.sinks.push(trouble);
    panel.written(&[created(1, &json!("a"))]).await;
    panel.is_well(health).await;
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
    // It comes back a second later.
    panel.is_well(healthy()).await;
    until_count(".problems p", 0).await;
    until_count(".health .chip[data-state=wrong]", 0).await;
}

#[wasm_bindgen_test]
async fn a_hosts_own_trouble_is_told_until_it_is_over() {
    let panel = Panel::open();
    panel.is_well(healthy()).await;
    until_count(".health .lag", 1).await;
    let id = panel.background.is_asked_for_health();
    let failed = Reply::Failed(HostError {
        code: ErrorCode::JournalFailed,
        message: "The journal cannot be read: database disk image is malformed".to_owned(),
        cure: "Move `journal.db` away; a new one is begun.".to_owned(),
        context: None,
    });
    panel.background.answer(id.await, failed);
    // It is the host's word, not the background's: an empty list does not say it in its place.
    until_texts(
        ".problems[role=alert] strong",
        &["The journal cannot be read: database disk image is malformed"],
    )
    .await;
    assert_eq!(texts(".problems code"), ["journal.db"]);
    // What it said before is no news any more.
    until_count(".health .lag", 0).await;
    assert_eq!(texts(".health .chip"), ["host 1.2.4"]);
    // It is asked again, and is well.
    panel.is_well(healthy()).await;
    until_count(".problems p", 0).await;
    until_texts(".health .chip", &["host 1.2.4", "Redis", "Memcached"]).await;
}

#[wasm_bindgen_test]
async fn an_empty_list_says_why_and_what_to_press() {
    let panel = Panel::silent();
    let is = async |wanted: &str, told: Told| {
        panel.told(&told);
        until(Some(wanted.to_owned()), why).await;
    };
    until(Some("connecting".to_owned()), why).await;
    let none = Told {
        origins: [].into(),
        documents: Vec::new(),
        ..captured()
    };
    is("site", none.clone()).await;
    click_button("Capture this site");
    assert_eq!(panel.background.hears_decision().await, (ORIGIN.to_owned(), true));
    assert_eq!(panel.background.permissions(), ["+http://localhost/*"]);
    let ungranted = Told {
        ungranted: vec![ORIGIN.to_owned()],
        documents: Vec::new(),
        ..captured()
    };
    is("permission", ungranted).await;
    click_button("Grant the permission");
    assert_eq!(panel.background.permissions(), ["+http://localhost/*"]);
    let unhooked = Told {
        documents: Vec::new(),
        ..captured()
    };
    is("unhooked", unhooked).await;
    let mut late = captured();
    late.documents[0].late = true;
    is("late", late).await;
    let mut refused = captured();
    refused.documents[0].refused = Some(remark("Too many pages", "Close some."));
    is("refused", refused).await;
    let paused = Told {
        paused: true,
        ..captured()
    };
    is("paused", paused).await;
    is("quiet", captured()).await;
    // And goes when there is something.
    panel.written(&[created(1, &json!("a"))]).await;
    until_keys(&["1"]).await;
    assert_eq!(view_testing::document::all(".empty").len(), 0);
}

#[wasm_bindgen_test]
async fn without_a_host_it_is_told_how_to_install_one() {
    let panel = Panel::silent();
    let hostless = |message: &str| Told {
        connected: false,
        host_version: None,
        waiting: 1,
        problem: Some(remark(message, "Run the command.")),
        documents: vec![document()],
        ..captured()
    };
    panel.told(&hostless("The host is not installed"));
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
    // It is said once: there, not above the list as well.
    assert!(texts(".problems p").is_empty());
    // One that is there but speaks otherwise is not installed once more.
    panel.told(&hostless(&format!(
        "The host does not speak protocol {}",
        protocol::PROTOCOL_VERSION
    )));
    until(Some("versions".to_owned()), why).await;
    assert_eq!(view_testing::document::all(".empty .command").len(), 0);
}
