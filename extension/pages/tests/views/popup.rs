//! The popup.

use idb_relay_pages::open_popup;
use protocol::wire::inspector::{Background, Health, Problem, Reply, Sink};
use view_testing::{
    background::TestBackground,
    document::{attribute, attributes, click, show, style, text, texts, until_texts},
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{ORIGIN, connected, enabled};

/// The popup over the page at this address.
async fn popup(url: &str) -> TestBackground {
    style(include_str!("../../../ui/pages.css"));
    show(include_str!("../../../ui/popup.html"));
    let background = TestBackground::for_page(url);
    open_popup().await;
    background
}

fn is_hidden(selector: &str) -> bool {
    attribute(selector, "hidden").is_some()
}

#[wasm_bindgen_test]
async fn switch_shows_state_and_asks_for_this_site_only() {
    let background = popup(&format!("{ORIGIN}/cart?id=7")).await;
    assert!(
        attribute("#capture", "disabled").is_some(),
        "nothing is known yet"
    );
    background.send_state(connected());
    until_texts("#origin", &[ORIGIN]).await;
    assert_eq!(attribute("#site", "data-state").as_deref(), Some("off"));
    assert_eq!(attribute("#capture", "aria-checked").as_deref(), Some("false"));
    assert!(attribute("#capture", "disabled").is_none() && is_hidden("#destinations"));
    click("#capture");
    assert_eq!(
        background.until_capture_decision().await,
        (ORIGIN.to_owned(), true)
    );
    assert_eq!(background.permission_requests(), ["+https://shop.example/*"]);
    let enabled = enabled(&[(ORIGIN, "user")]);
    background.send_state(Background {
        ungranted: vec![ORIGIN.to_owned()],
        ..enabled.clone()
    });
    assert_eq!(attribute("#capture", "aria-checked").as_deref(), Some("true"));
    assert!(!is_hidden("#grant"));
    click("#grant");
    assert_eq!(background.permission_requests(), ["+https://shop.example/*"]);
    background.send_state(enabled);
    assert!(is_hidden("#grant") && !is_hidden("#destinations"));
    // Switching off needs no permission.
    click("#capture");
    assert_eq!(
        background.until_capture_decision().await,
        (ORIGIN.to_owned(), false)
    );
    assert!(background.permission_requests().is_empty());
}

#[wasm_bindgen_test]
async fn site_of_the_administrator_cannot_be_switched_off() {
    let background = popup(ORIGIN).await;
    background.send_state(enabled(&[(ORIGIN, "policy")]));
    assert_eq!(attribute("#capture", "aria-checked").as_deref(), Some("true"));
    assert!(attribute("#capture", "disabled").is_some());
    assert!(
        text("#words").ends_with("Your administrator says so."),
        "{}",
        text("#words")
    );
}

#[wasm_bindgen_test]
async fn page_without_site_has_no_switch() {
    let background = popup("about:blank").await;
    background.send_state(connected());
    assert_eq!(
        (text("#origin"), attribute("#site", "data-state")),
        ("No site".to_owned(), Some("none".to_owned()))
    );
    assert!(attribute("#capture", "disabled").is_some());
    assert!(is_hidden("#inspect") && is_hidden("#destinations"));
}

#[wasm_bindgen_test]
async fn popup_shows_destinations_and_problems() {
    let background = popup(ORIGIN).await;
    let enabled = enabled(&[(ORIGIN, "user")]);
    background.send_state(enabled.clone());
    assert_eq!(texts("#sinks b"), ["Nowhere"]);
    let sink = |name: &str, error: Option<&str>| Sink {
        name: name.to_owned(),
        servers: vec![format!("{name}.example")],
        enabled: true,
        error: error.map(str::to_owned),
        fix: Some("Start `memcached`.".to_owned()),
        ..Sink::default()
    };
    let health = Health {
        journal: "/home/ann/journal.db".to_owned(),
        channel: "idb:{origin}".to_owned(),
        sinks: vec![
            sink("redis", None),
            sink("memcached", Some("It does not answer.")),
        ],
        ..Health::default()
    };
    let id = background.until_health_question().await;
    background.answer(id, Reply::Health(health));
    assert_eq!(texts("#sinks b"), ["Journal", "Redis", "Memcached"]);
    assert_eq!(attributes("#sinks li", "data-state"), ["on", "on", "wrong"]);
    assert_eq!(texts("#sinks .fix code"), ["memcached"]);
    background.send_state(Background {
        connected: false,
        host_version: None,
        problem: Some(Problem {
            message: "The host is not installed.".to_owned(),
            fix: "Run `idb-relay install`.".to_owned(),
        }),
        ..enabled
    });
    assert!(!is_hidden("#remark"));
    assert_eq!(
        (text("#remark strong"), text("#remark code")),
        (
            "The host is not installed.".to_owned(),
            "idb-relay install".to_owned()
        )
    );
    assert_eq!(attributes("#host, #site", "data-state"), ["wrong", "wrong"]);
    assert_eq!(texts("#sinks b"), ["Nowhere"]);
}
