//! The filter, its chips, and the buttons.

use serde_json::json;
use view_testing::document::{
    attribute, attributes, click, click_button, focused, press, text, texts, until, until_count, until_texts,
    write,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::panel::{ORIGIN, Panel, created, event, until_keys};

#[wasm_bindgen_test]
async fn terms_become_chips_that_remove_them() {
    let panel = Panel::open();
    panel
        .send_events(&[
            created(1, &json!("a")),
            created(2, &json!("b")),
            event(3, "d", &json!(1), &json!("a"), &json!(null)),
        ])
        .await;
    until_keys(&["1", "2", "1"]).await;
    press("/");
    assert_eq!(focused(), "search");
    write("#search", "op:put -key:2");
    until_keys(&["1"]).await;
    until_texts(".count", &["1 of 3 events (limit 100,000 or 256 MB)"]).await;
    assert_eq!(texts(".chips .term"), ["only localhost:1", "op:put×", "-key:2×"]);
    click("[aria-label='Remove -key:2']");
    until_keys(&["1", "2"]).await;
    assert_eq!(view_testing::document::value("#search"), "op:put");
    // Escape moves the focus from the field to the list.
    press("Escape");
    assert_eq!(focused(), "feed");
}

#[wasm_bindgen_test]
async fn invalid_filter_is_reported_and_changes_nothing() {
    let panel = Panel::open();
    panel
        .send_events(&[created(1, &json!("a")), created(2, &json!("b"))])
        .await;
    write("#search", "key:2");
    until_keys(&["2"]).await;
    write("#search", "stor:x");
    until_count("#mistake[role=alert]", 1).await;
    assert!(text("#mistake").contains("store:"), "{}", text("#mistake"));
    assert_eq!(attribute("#search", "aria-invalid").as_deref(), Some("true"));
    assert_eq!(
        attribute("#search", "aria-describedby").as_deref(),
        Some("mistake")
    );
    // A further event is counted only.
    panel.send_events(&[created(3, &json!("c"))]).await;
    until(true, || text(".count").contains("of 3 events")).await;
    until_keys(&["2"]).await;
    write("#search", "");
    until_keys(&["1", "2", "3"]).await;
    until_count("#mistake", 0).await;
    assert_eq!(attribute("#search", "aria-invalid").as_deref(), Some("false"));
}

#[wasm_bindgen_test]
async fn paused_display_does_not_change_as_events_arrive() {
    let panel = Panel::open();
    panel.send_events(&[created(1, &json!("a"))]).await;
    until_keys(&["1"]).await;
    press(" ");
    until_texts(".paused", &["Display paused"]).await;
    panel.send_events(&[created(2, &json!("b"))]).await;
    until(true, || text(".count").starts_with("1 of 2 events")).await;
    assert_eq!(texts(".row .key"), ["1"]);
    let pressed = || attributes(".toolbar button[aria-pressed]", "aria-pressed");
    assert_eq!(pressed(), ["true", "true", "false"]);
    click_button("Resume");
    until_keys(&["1", "2"]).await;
    until_count(".paused", 0).await;
    assert_eq!(pressed(), ["false", "true", "false"]);
}

#[wasm_bindgen_test]
async fn list_shows_one_site_or_all() {
    let panel = Panel::open();
    let mut other = created(2, &json!("b"));
    other["source"]["origin"] = json!("https://shop.example");
    panel.send_events(&[other]).await;
    // Hidden events are mentioned.
    until_count("[data-why=quiet] button", 1).await;
    panel.send_events(&[created(3, &json!("c"))]).await;
    until_keys(&["3"]).await;
    assert_eq!(
        text(".chips .term"),
        format!("only {}", ORIGIN.trim_start_matches("http://"))
    );
    click(".chips .term");
    until_keys(&["2", "3"]).await;
    until(Some("false".to_owned()), || {
        attribute(".chips .term", "aria-pressed")
    })
    .await;
}
