//! The popup.

use idb_relay_pages::open_popup;
use protocol::inspect::{Background as Told, Health, Remark, Reply, Sink};
use view_testing::{
    background::Background,
    document::{attribute, attributes, click, show, style, text, texts, until_texts},
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{ORIGIN, connected, enabled};

/// The popup over the page at this address.
async fn popup(url: &str) -> Background {
    style(include_str!("../../../ui/pages.css"));
    show(include_str!("../../../ui/popup.html"));
    let background = Background::of_tab(url);
    open_popup().await;
    background
}

fn is_hidden(selector: &str) -> bool {
    attribute(selector, "hidden").is_some()
}

#[wasm_bindgen_test]
async fn the_switch_says_how_it_is_and_asks_for_this_site_alone() {
    let background = popup(&format!("{ORIGIN}/cart?id=7")).await;
    assert!(
        attribute("#capture", "disabled").is_some(),
        "nothing is known yet"
    );
    background.is(connected());
    until_texts("#origin", &[ORIGIN]).await;
    assert_eq!(attribute("#site", "data-state").as_deref(), Some("off"));
    assert_eq!(attribute("#capture", "aria-checked").as_deref(), Some("false"));
    assert!(attribute("#capture", "disabled").is_none() && is_hidden("#way"));
    click("#capture");
    assert_eq!(background.hears_decision().await, (ORIGIN.to_owned(), true));
    assert_eq!(background.permissions(), ["+https://shop.example/*"]);
    let enabled = enabled(&[(ORIGIN, "user")]);
    background.is(Told {
        ungranted: vec![ORIGIN.to_owned()],
        ..enabled.clone()
    });
    assert_eq!(attribute("#capture", "aria-checked").as_deref(), Some("true"));
    assert!(!is_hidden("#grant"));
    click("#grant");
    assert_eq!(background.permissions(), ["+https://shop.example/*"]);
    background.is(enabled);
    assert!(is_hidden("#grant") && !is_hidden("#way"));
    // Off again; that takes no permission.
    click("#capture");
    assert_eq!(background.hears_decision().await, (ORIGIN.to_owned(), false));
    assert!(background.permissions().is_empty());
}

#[wasm_bindgen_test]
async fn what_an_administrator_enabled_is_not_switched_off() {
    let background = popup(ORIGIN).await;
    background.is(enabled(&[(ORIGIN, "policy")]));
    assert_eq!(attribute("#capture", "aria-checked").as_deref(), Some("true"));
    assert!(attribute("#capture", "disabled").is_some());
    assert!(
        text("#words").ends_with("Your administrator says so."),
        "{}",
        text("#words")
    );
}

#[wasm_bindgen_test]
async fn a_page_of_no_site_has_nothing_to_switch() {
    let background = popup("about:blank").await;
    background.is(connected());
    assert_eq!(
        (text("#origin"), attribute("#site", "data-state")),
        ("No site".to_owned(), Some("none".to_owned()))
    );
    assert!(attribute("#capture", "disabled").is_some());
    assert!(is_hidden("#inspect") && is_hidden("#way"));
}

#[wasm_bindgen_test]
async fn it_says_where_it_goes_and_what_is_in_the_way() {
    let background = popup(ORIGIN).await;
    let enabled = enabled(&[(ORIGIN, "user")]);
    background.is(enabled.clone());
    assert_eq!(texts("#sinks b"), ["Nowhere"]);
    let sink = |name: &str, error: Option<&str>| Sink {
        name: name.to_owned(),
        servers: vec![format!("{name}.example")],
        enabled: true,
        error: error.map(str::to_owned),
        cure: Some("Start `memcached`.".to_owned()),
        ..Sink::default()
    };
    let health = Health {
        journal: "/home/ann/journal.db".to_owned(),
        channel: "idb:{origin}".to_owned(),
        sinks: vec![sink("redis", None), sink("memcached", Some("It is away."))],
        ..Health::default()
    };
    let id = background.is_asked_for_health().await;
    background.answer(id, Reply::Health(health));
    assert_eq!(texts("#sinks b"), ["Journal", "Redis", "Memcached"]);
    assert_eq!(attributes("#sinks li", "data-state"), ["on", "on", "wrong"]);
    assert_eq!(texts("#sinks .cure code"), ["memcached"]);
    background.is(Told {
        connected: false,
        host_version: None,
        problem: Some(Remark {
            message: "The host is not installed.".to_owned(),
            cure: "Run `idb-relay install`.".to_owned(),
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
