//! The list of events.

use protocol::wire::inspector::Feed;
use serde_json::json;
use view_testing::document::{
    all, attribute, attributes, click, first, press, text, texts, until, until_count, until_texts, write,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::panel::{Panel, created, feed, healthy, in_one_transaction, notice, passage, until_keys};

#[wasm_bindgen_test]
async fn transaction_has_bracket_and_one_count() {
    let panel = Panel::open();
    let mut events = vec![created(1, &json!(1))];
    events.extend(in_one_transaction(
        (2..=4).map(|number| created(number, &json!(number))).collect(),
    ));
    panel.send_events(&events).await;
    until_keys(&["1", "2", "3", "4"]).await;
    assert_eq!(
        attributes(".row", "data-bracket"),
        ["alone", "first", "middle", "last"]
    );
    assert_eq!(texts(".row em:not([hidden])"), ["3 in one transaction"]);
    // The events of the selected event's transaction are highlighted.
    click(".row:nth-child(3) .key");
    until(
        vec![
            "row",
            "row same-transaction",
            "row same-transaction",
            "row same-transaction",
        ],
        || attributes(".row", "class"),
    )
    .await;
}

#[wasm_bindgen_test]
async fn worker_that_wrote_is_named() {
    let panel = Panel::open();
    let mut event = created(1, &json!(1));
    event["source"]["writer"] = json!({"kind": "shared_worker", "url": "http://a/\u{202e}w.js"});
    panel.send_events(&[event]).await;
    until_keys(&["1"]).await;
    assert_eq!(texts(".row .from"), ["shared"]);
    assert_eq!(attributes(".row .from span", "data-from"), ["worker"]);
    click(".row .key");
    // The page decides the address.
    let named = "Written by a shared worker http://a/\\u{202e}w.js";
    until_texts(".details .writer", &[named]).await;
    let titles = attributes(".row .from span", "title");
    assert!(titles[0].starts_with(named), "{titles:?}");
}

#[wasm_bindgen_test]
async fn rows_are_reused_and_stay_in_order() {
    let panel = Panel::open();
    let events: Vec<_> = (1..=400).map(|number| created(number, &json!(number))).collect();
    panel.send_events(&events).await;
    // The list follows the newest event.
    until("400".to_owned(), || texts(".row .key").pop().unwrap_or_default()).await;
    assert!(all(".row").len() < 100, "{} rows", all(".row").len());
    assert_eq!(attribute("#feed", "aria-rowcount").as_deref(), Some("400"));
    for row in all(".row") {
        row.set_attribute("data-old", "").expect("an attribute");
    }
    press("Home");
    until("1".to_owned(), || {
        texts(".row .key").into_iter().next().unwrap_or_default()
    })
    .await;
    assert_eq!(attribute("#feed .row", "aria-rowindex").as_deref(), Some("1"));
    let old = all(".row[data-old]").len();
    assert!(
        all(".row").len() - old <= 10,
        "{old} of {} rows are old",
        all(".row").len()
    );
    // After scrolling by a few rows, rows have moved from one end to the other, still in order.
    first("#feed").set_scroll_top(12 * 24);
    until(true, || text(".row .key") != "1").await;
    let indices: Vec<usize> = attributes(".row", "aria-rowindex")
        .iter()
        .map(|index| index.parse().expect("a number"))
        .collect();
    assert!(
        indices.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{indices:?}"
    );
}

#[wasm_bindgen_test]
async fn keys_move_the_selection_and_its_aria_reference() {
    let panel = Panel::open();
    let events: Vec<_> = (1..=200).map(|number| created(number, &json!(number))).collect();
    panel.send_events(&events).await;
    until_texts(".count", &["200 events (limit 100,000 or 256 MB)"]).await;
    let selected = || texts(".row[aria-selected=true] .key");
    press("ArrowDown");
    until(vec!["1"], selected).await;
    press("ArrowDown");
    until(vec!["2"], selected).await;
    press("PageDown");
    until(vec!["22"], selected).await;
    press("End");
    until(vec!["200"], selected).await;
    until(attribute("#feed", "aria-activedescendant"), || {
        attribute(".row[aria-selected=true]", "id")
    })
    .await;
    press("ArrowUp");
    until(vec!["199"], selected).await;
    until_texts(".details h2", &["199"]).await;
    press("Escape");
    until_count(".details", 0).await;
    assert_eq!(attribute("#feed", "aria-activedescendant"), None);
    assert!(selected().is_empty());
}

#[wasm_bindgen_test]
async fn event_shows_each_stage_as_it_passes() {
    let panel = Panel::open();
    panel.send_health(healthy()).await;
    panel
        .send_events(&[created(1, &json!("a")), created(2, &json!("b"))])
        .await;
    let states = |row: usize| attributes(&format!(".row:nth-child({row}) .strip i"), "data-state");
    until(vec!["passed", "waiting", "waiting", "waiting"], || states(1)).await;
    let row = first(".row");
    panel
        .send_feed(Feed {
            passages: vec![passage("journal", 2, 1002), passage("redis", 1, 1007)],
            ..feed(&[])
        })
        .await;
    until(vec!["passed", "passed", "passed", "waiting"], || states(1)).await;
    assert_eq!(states(2), ["passed", "passed", "waiting", "waiting"]);
    assert_eq!(texts(".row:nth-child(1) .strip i"), ["", "2", "7", ""]);
    panel
        .send_feed(Feed {
            passages: vec![passage("redis", 2, 1007), passage("memcached", 2, 3500)],
            notices: vec![notice("memcached", 2, "It is too large.")],
            ..feed(&[])
        })
        .await;
    until(vec!["passed", "passed", "passed", "noticed"], || states(2)).await;
    assert_eq!(texts(".row:nth-child(1) .strip i"), ["", "2", "7", "2.5s"]);
    assert_eq!(attributes(".row", "class"), ["row", "row noticed"]);
    let label = attribute(".row:nth-child(2) .strip", "aria-label").expect("a label");
    assert!(label.contains("It is too large."), "{label}");
    // The element was never replaced.
    assert!(row.is_same_node(Some(&first(".row"))));
}

#[wasm_bindgen_test]
async fn searched_text_is_highlighted_while_searched() {
    let panel = Panel::open();
    panel
        .send_events(&[
            created(1, &json!({"name": "Ada"})),
            created(2, &json!({"name": "Bob"})),
        ])
        .await;
    until_keys(&["1", "2"]).await;
    write("#search", "ada");
    until_keys(&["1"]).await;
    until_texts(".row mark", &["Ada"]).await;
    write("#search", "");
    until_keys(&["1", "2"]).await;
    until_count("mark", 0).await;
}
