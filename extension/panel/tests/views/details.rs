//! The details of an event.

use protocol::wire::inspector::{Look, Question, Record, Reply, Sight};
use serde_json::{json, value::to_raw_value};
use view_testing::document::{
    all, attributes, click, first, focused, press, text, texts, until, until_count, until_texts,
};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::HtmlElement;

use crate::panel::{Panel, created, event, in_one_transaction, until_keys};

#[wasm_bindgen_test]
async fn tree_opens_and_closes_with_aria_attributes() {
    let panel = Panel::open();
    panel
        .send_events(&[created(
            1,
            &json!({"age": 36, "deep": {"cards": [{"number": 7}]}}),
        )])
        .await;
    until_keys(&["1"]).await;
    press("ArrowDown");
    until_count(".tree", 1).await;
    let lines = || texts(".tree li .name");
    assert_eq!(lines(), ["age", "deep", "cards"]);
    assert_eq!(attributes(".tree li", "aria-level"), ["1", "2", "2", "3"]);
    assert_eq!(
        attributes(".tree .twisty", "aria-expanded"),
        ["true", "true", "false"]
    );
    assert_eq!(
        attributes(".tree .twisty", "aria-label"),
        ["Object", "deep", "cards"]
    );
    click(".tree .twisty[aria-expanded=false]");
    until(vec!["age", "deep", "cards", "0"], lines).await;
    click(".tree li:nth-child(3) .twisty");
    until(vec!["age", "deep"], lines).await;
    assert_eq!(attributes(".tree .twisty", "aria-expanded"), ["true", "false"]);
    // An inner part that was opened is still open when the outer one opens again.
    click(".tree li:nth-child(3) .twisty");
    until(vec!["age", "deep", "cards", "0"], lines).await;
}

#[wasm_bindgen_test]
async fn changes_have_sign_and_path() {
    let panel = Panel::open();
    let (before, after) = (
        json!({"a": 1, "b": [1, 2], "gone": true}),
        json!({"a": 1, "b": [1, 3], "new": "x"}),
    );
    panel
        .send_events(&[
            event(1, "u", &json!("k"), &before, &after),
            event(2, "u", &json!("k"), &after, &after),
        ])
        .await;
    until_count(".row", 2).await;
    press("ArrowDown");
    until_texts(".changes .sign", &["~", "−", "+"]).await;
    assert_eq!(texts(".changes th"), [".b[1]", ".gone", ".new"]);
    assert_eq!(texts(".changes del"), ["2", "true"]);
    assert_eq!(texts(".changes ins"), ["3", "\"x\""]);
    press("ArrowDown");
    until_count(".changes tr", 0).await;
    assert!(
        text(".details").contains("the same value was written again"),
        "{}",
        text(".details")
    );
}

#[wasm_bindgen_test]
async fn details_keep_focus_when_the_event_changes() {
    let panel = Panel::open();
    panel
        .send_events(&[created(1, &json!(1)), created(2, &json!(2))])
        .await;
    until_keys(&["1", "2"]).await;
    press("ArrowDown");
    until_texts(".details h2", &["1"]).await;
    let sections: HtmlElement = first(".sections").dyn_into().expect("an element of HTML");
    sections.focus().expect("the focus");
    panel.send_stage("redis", 2).await;
    until(vec!["passed"], || {
        attributes(".row:first-child [data-stage=redis]", "data-state")
    })
    .await;
    until("sections".to_owned(), focused).await;
    // The keys scroll the details, and do not move the selection.
    press("ArrowDown");
    assert_eq!(texts(".row[aria-selected=true] .key"), ["1"]);
}

#[wasm_bindgen_test]
async fn events_of_a_transaction_are_listed_and_selectable() {
    let panel = Panel::open();
    let mut events = in_one_transaction((1..=3).map(|number| created(number, &json!(number))).collect());
    events.push(created(4, &json!(4)));
    panel.send_events(&events).await;
    until_keys(&["1", "2", "3", "4"]).await;
    press("ArrowDown");
    until_count(".sibling", 3).await;
    assert_eq!(attributes(".sibling", "aria-current"), ["true", "", ""]);
    click("li:nth-child(3) .sibling");
    until_texts(".details h2", &["3"]).await;
    until(vec!["", "", "true"], || attributes(".sibling", "aria-current")).await;
    assert_eq!(texts(".row[aria-selected=true] .key"), ["3"]);
    view_testing::document::click_button("Show only these");
    until_keys(&["1", "2", "3"]).await;
}

#[wasm_bindgen_test]
async fn record_is_compared_in_all_three_places() {
    let panel = Panel::open();
    panel.send_events(&[created(1, &json!({"n": 1}))]).await;
    until_keys(&["1"]).await;
    press("ArrowDown");
    let question = panel.background.until_question("the record", |question| {
        matches!(question, Question::Record(address) if address.store == "orders" && address.key == "1")
    });
    let question = question.await;
    let (id, look) = panel.background.until_inspection().await;
    assert!(
        matches!(&look, Look::Record(address) if address.key == "1"),
        "{look:?}"
    );
    let value = |value| to_raw_value(&value).expect("JSON");
    let record = Record {
        mirror: Some(value(json!({"n": 2}))),
        memcached_key: "k".to_owned(),
        wanted: Some("{\"n\":2}".to_owned()),
        found: Some("{\"n\":2}".to_owned()),
        same: Some(true),
        trouble: None,
    };
    panel.background.answer(question, Reply::Record(record));
    assert!(all(".places table").is_empty(), "the page has not answered yet");
    panel
        .background
        .answer_inspection(id, Sight::Record(Some(value(json!({"n": 1})))));
    until_texts(".places td", &["{\"n\":1}", "{\"n\":2}", "{\"n\":2}"]).await;
    assert_eq!(attributes(".verdict", "data-state"), ["wrong"]);
    // An answer after the details were closed is ignored.
    view_testing::document::click_button("Look again");
    let (id, _) = panel.background.until_inspection().await;
    press("Escape");
    until_count(".details", 0).await;
    panel.background.answer_inspection(id, Sight::Record(None));
    press("ArrowDown");
    until_texts(".details h2", &["1"]).await;
    assert!(first("#feed").is_connected());
}
