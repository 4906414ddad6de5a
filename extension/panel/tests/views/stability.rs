//! What the user is about to press or to read stays in place while events stream in.

use protocol::wire::inspector::{Look, Question, Reply, Sight, Store};
use serde_json::{Value, json};
use view_testing::document::{
    all, attribute, attributes, click, click_button, first, focused, press, press_with_control, text, until,
    until_count, until_texts, write,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::panel::{ORIGIN, Panel, created, until_keys};

const OTHER: &str = "http://localhost:2";

/// An event of another site.
fn event_of_other_site(number: u64) -> Value {
    let mut event = created(number, &json!(number));
    event["source"]["origin"] = OTHER.into();
    event
}

#[wasm_bindgen_test]
async fn pressing_the_active_tab_changes_nothing() {
    let panel = Panel::open();
    panel
        .send_events(&[created(1, &json!(1)), created(2, &json!(2))])
        .await;
    until_keys(&["1", "2"]).await;
    click("#tab-Events");
    panel.send_events(&[created(3, &json!(3))]).await;
    until_keys(&["1", "2", "3"]).await;
    assert_eq!(attributes(".row", "id"), ["event-0", "event-1", "event-2"]);
    // To the other tab and back.
    click("#tab-Stores");
    until_count(".row", 0).await;
    click("#tab-Events");
    until_keys(&["1", "2", "3"]).await;
}

#[wasm_bindgen_test]
async fn button_of_an_empty_list_is_kept_while_events_arrive() {
    let panel = Panel::open();
    panel.send_events(&[event_of_other_site(1)]).await;
    until_texts(".empty h2", &["No write yet"]).await;
    until_count(".empty button", 1).await;
    first(".empty button")
        .set_attribute("data-old", "")
        .expect("an attribute");
    for number in 2..=5 {
        panel.send_events(&[event_of_other_site(number)]).await;
        let expected =
            format!("{number} events of this browser, only those of this site are shown. Show all sites");
        until(true, || text(".empty").contains(&expected)).await;
    }
    assert_eq!(attribute(".empty button", "data-old").as_deref(), Some(""));
    click_button("Show all sites");
    until_keys(&["1", "2", "3", "4", "5"]).await;
}

#[wasm_bindgen_test]
async fn empty_list_says_that_the_display_is_paused() {
    let panel = Panel::open();
    press(" ");
    until_texts(".empty h2", &["The display is paused"]).await;
    panel.send_events(&[created(1, &json!(1))]).await;
    until(true, || text(".empty").contains("1 event here")).await;
    assert_eq!(all(".row").len(), 0);
    click_button("Resume the display");
    until_keys(&["1"]).await;
}

#[wasm_bindgen_test]
async fn equivalent_filter_moves_nothing() {
    let panel = Panel::open();
    let events: Vec<_> = (1..=400).map(|number| created(number, &json!(number))).collect();
    panel.send_events(&events).await;
    until_texts(".count", &["400 events (limit 100,000 or 256 MB)"]).await;
    press("Home");
    until("1".to_owned(), || text(".row .key")).await;
    first(".row").set_attribute("data-old", "").expect("an attribute");
    write("#search", "  ");
    panel.send_events(&[created(401, &json!(401))]).await;
    until_texts(".count", &["401 events (limit 100,000 or 256 MB)"]).await;
    assert_eq!(attribute(".row", "data-old").as_deref(), Some(""));
    assert_eq!(
        (text(".row .key"), first("#feed").scroll_top()),
        ("1".to_owned(), 0)
    );
}

#[wasm_bindgen_test]
async fn sites_that_become_visible_are_counted() {
    let panel = Panel::open();
    click("#tab-Stores");
    let id = panel
        .background
        .until_question("the stores", |question| matches!(question, Question::Stores {}));
    let store = |origin: &str| Store {
        origin: origin.to_owned(),
        bucket: String::new(),
        database: "shop".to_owned(),
        version: 1,
        store: "orders".to_owned(),
        records: 1,
        complete: true,
        pending_reads: false,
    };
    panel
        .background
        .answer(id.await, Reply::Stores(vec![store(ORIGIN), store(OTHER)]));
    let (id, _) = panel.background.until_inspection().await;
    panel.background.answer_inspection(id, Sight::Counts(Vec::new()));
    until_texts("td[data-title='In IndexedDB']", &["none"]).await;
    click(".chips .term");
    let (_, look) = panel.background.until_inspection().await;
    assert!(
        matches!(&look, Look::Counts { origin } if origin == OTHER),
        "{look:?}"
    );
}

#[wasm_bindgen_test]
async fn focus_follows_the_tab() {
    let _panel = Panel::open();
    press_with_control("k");
    until("Command".to_owned(), focused).await;
    write("[role=combobox]", "show stores");
    press("Enter");
    until("view".to_owned(), focused).await;
    until_count(".state", 1).await;
}
