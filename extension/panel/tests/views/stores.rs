//! The Stores view.

use protocol::wire::inspector::{
    Address, Compared, Difference, DifferenceKind, Look, Question, Reply, Sight, Store, StoreCount,
};
use view_testing::document::{
    all, attribute, click, click_button, focused, press, text, texts, until, until_count, until_texts, write,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::panel::{ORIGIN, Panel};

fn store(name: &str, records: u64) -> Store {
    Store {
        origin: ORIGIN.to_owned(),
        bucket: String::new(),
        database: "shop".to_owned(),
        version: 1,
        store: name.to_owned(),
        records,
        complete: true,
        pending_reads: false,
    }
}

/// A panel with two stores of the mirror, and one that only the page has.
async fn open_stores() -> Panel {
    let panel = Panel::open();
    click("#tab-Stores");
    let id = panel
        .background
        .until_question("the stores", |question| matches!(question, Question::Stores {}));
    panel.background.answer(
        id.await,
        Reply::Stores(vec![store("carts", 2), store("orders", 7)]),
    );
    let (id, look) = panel.background.until_inspection().await;
    assert!(
        matches!(&look, Look::Counts { origin } if origin == ORIGIN),
        "{look:?}"
    );
    let count = |store: &str, records| StoreCount {
        bucket: String::new(),
        database: "shop".to_owned(),
        store: store.to_owned(),
        records,
    };
    until_texts("td[data-title='In IndexedDB']", &["…", "…"]).await;
    panel.background.answer_inspection(
        id,
        Sight::Counts(vec![count("carts", 2), count("orders", 9), count("users", 1)]),
    );
    until_count(".stores tbody tr", 3).await;
    panel
}

#[wasm_bindgen_test]
async fn store_has_its_counts_side_by_side() {
    let _panel = open_stores().await;
    assert_eq!(
        attribute("#view", "aria-labelledby").as_deref(),
        Some("tab-Stores")
    );
    assert_eq!(attribute("#tab-Stores", "aria-selected").as_deref(), Some("true"));
    assert_eq!(texts("td[data-title='In IndexedDB']"), ["2", "9", "1"]);
    assert_eq!(texts("td[data-title='In the mirror']"), ["2", "7", "0"]);
    assert_eq!(texts("td[data-title='In Memcached']"), ["?", "?", "?"]);
    // Only a mismatch between mirror and page is an error.
    assert_eq!(all("tr:nth-child(1) .error").len(), 0);
    assert!(
        all("tr:nth-child(2) .number.error").len() == 1,
        "{}",
        text("tbody tr:nth-child(2)")
    );
}

#[wasm_bindgen_test]
async fn comparison_shows_progress_then_differences() {
    let panel = open_stores().await;
    click("tbody tr:nth-child(2) button");
    let id = panel.background.until_question(
        "a comparison",
        |question| matches!(question, Question::Compare { store: Some(store), repair: false, .. } if store == "orders"),
    );
    let id = id.await;
    let compared = |compared, done, differences| {
        Reply::Compared(Compared {
            total: 7,
            compared,
            done,
            missing: 1,
            stale: 1,
            differences,
            ..Compared::default()
        })
    };
    let difference = |key: &str, kind| Difference {
        address: Address {
            origin: ORIGIN.to_owned(),
            bucket: String::new(),
            database: "shop".to_owned(),
            store: "orders".to_owned(),
            key: key.to_owned(),
        },
        memcached_key: format!("idb:{key}"),
        kind,
        repaired: false,
    };
    panel.background.answer(
        id,
        compared(3, false, vec![difference("4", DifferenceKind::Missing)]),
    );
    until(Some("3".to_owned()), || {
        all("tbody progress")
            .first()
            .and_then(|bar| bar.get_attribute("value"))
    })
    .await;
    assert_eq!(attribute("tbody progress", "max").as_deref(), Some("7"));
    panel.background.answer(
        id,
        compared(7, true, vec![difference("6", DifferenceKind::Stale)]),
    );
    until_count("tbody progress", 0).await;
    // Differences of the earlier answer are kept.
    assert_eq!(texts(".differences li"), ["missing4", "stale6"]);
    assert_eq!(texts("td[data-title='In Memcached']"), ["?", "6", "?"]);
    // A difference opens its record.
    click_button("6");
    until_texts(".chosen h2", &["shop › orders › 6"]).await;
    let asked = panel.background.until_question(
        "the record",
        |question| matches!(question, Question::Record(address) if address.key == "6"),
    );
    asked.await;
    click("[aria-label='Close the record']");
    until_count(".chosen", 0).await;
}

#[wasm_bindgen_test]
async fn record_is_looked_up_by_canonical_key() {
    let panel = open_stores().await;
    click("[aria-label='Look up a record in orders']");
    until_texts(".chosen h2", &["shop › orders"]).await;
    until("lookup-key".to_owned(), focused).await;
    // An invalid key sends nothing.
    write("#lookup-key", "null");
    click(".lookup button");
    until_texts(
        "#lookup-mistake",
        &["null is not an IndexedDB key: a key is a number, a string, a date, bytes, or an array of these"],
    )
    .await;
    assert_eq!(attribute("#lookup-key", "aria-invalid").as_deref(), Some("true"));
    assert_eq!(all(".places").len(), 0);
    write("#lookup-key", "[1.0, \"b\"]");
    press("Enter");
    until_texts(".chosen h2", &["shop › orders › [1,\"b\"]"]).await;
    until_texts("#lookup-mistake", &[""]).await;
    let asked = panel.background.until_question(
        "the record",
        |question| matches!(question, Question::Record(address) if address.store == "orders" && address.key == "[1,\"b\"]"),
    );
    asked.await;
    let (_, look) = panel.background.until_inspection().await;
    assert!(
        matches!(&look, Look::Record(address) if address.key == "[1,\"b\"]"),
        "{look:?}"
    );
    press("Escape");
    until_count(".chosen", 0).await;
    until("look-up-1".to_owned(), focused).await;
}
