//! The options page.

use idb_relay_pages::open_options;
use protocol::{
    inspect::{Background as Told, FromInspector},
    redact::{How, Rule},
};
use view_testing::{
    background::Background,
    document::{
        all, attribute, attributes, click, click_button, focused, show, style, text, texts, until,
        until_texts, value, write,
    },
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{ORIGIN, connected, enabled};

/// The options page, told this.
async fn options(told: Told) -> Background {
    style(include_str!("../../../ui/pages.css"));
    show(include_str!("../../../ui/options.html"));
    let background = Background::of_tab("about:blank");
    open_options().await;
    background.is(told);
    until_texts("#host", &["host 1.2.4"]).await;
    background
}

fn rule(store: &str, field: &str, how: How) -> Rule {
    Rule {
        database: String::new(),
        store: store.to_owned(),
        fields: vec![field.to_owned()],
        how,
    }
}

/// The rules that the page decides on.
async fn rules(background: &Background) -> Vec<Rule> {
    background
        .hears("the rules", |message| match message {
            FromInspector::Rules(rules) => Some(rules.clone()),
            _ => None,
        })
        .await
}

#[wasm_bindgen_test]
async fn a_rule_is_tried_while_it_is_written() {
    let _background = options(connected()).await;
    assert_eq!(text("#after-words"), "Leaves as it is.");
    assert!(text("#after").contains("correct horse") && text("#after-key") == "\"ann@example.org\"");
    write("#rule-fields", "/password");
    assert!(!text("#after").contains("password"), "{}", text("#after"));
    assert_eq!(text("#after-words"), "Redacted.");
    assert_eq!(attribute("#after-words", "role").as_deref(), Some("status"));
    write("#rule-how", "mask");
    assert!(
        text("#after").contains("\"password\": \"***\""),
        "{}",
        text("#after")
    );
    // A field that is the key is hashed there too: nobody sees it whole.
    write("#rule-fields", "/mail");
    assert!(
        text("#after-key").starts_with("\"hash-"),
        "{}",
        text("#after-key")
    );
    // What can't be applied says so where it is written, and shows what held before.
    assert!(attribute("#rule-error", "hidden").is_some());
    write("#rule-fields", "mail");
    assert!(attribute("#rule-error", "hidden").is_none());
    assert!(
        text("#rule-error").contains("\"/mail\""),
        "{}",
        text("#rule-error")
    );
    write("#rule-fields", "/mail");
    assert!(attribute("#rule-error", "hidden").is_some());
    write("#sample", "{");
    assert!(
        text("#sample-error").starts_with("The sample is not JSON"),
        "{}",
        text("#sample-error")
    );
}

#[wasm_bindgen_test]
async fn a_rule_is_changed_in_the_form_and_leaves_it_empty() {
    let (first, second) = (rule("users", "/a", How::Drop), rule("orders", "/b", How::Hash));
    let policy = rule("", "/c", How::Mask);
    let told = Told {
        rules: [
            ("policy".to_owned(), vec![policy]),
            ("user".to_owned(), vec![first.clone(), second]),
        ]
        .into(),
        ..connected()
    };
    let background = options(told).await;
    until_texts("#rules .by", &["managed policy", "you", "you"]).await;
    // What an administrator said is not changed here.
    let labels = attributes("#rules button", "aria-label");
    assert_eq!(
        labels,
        [
            "Change the rule for users of every database",
            "Remove the rule for users of every database",
            "Change the rule for orders of every database",
            "Remove the rule for orders of every database",
        ]
    );
    click(&format!("[aria-label='{}']", labels[2]));
    assert_eq!(
        (value("#rule-store"), value("#rule-fields"), value("#rule-how")),
        ("orders".into(), "/b".into(), "hash".into())
    );
    assert_eq!(
        (text("#edit-title"), focused()),
        ("Change the rule".to_owned(), "rule-fields".to_owned())
    );
    write("#rule-fields", "/b\n/d");
    click_button("Save rule");
    let mut changed = rule("orders", "/b", How::Hash);
    changed.fields.push("/d".to_owned());
    assert_eq!(rules(&background).await, [first.clone(), changed]);
    assert_eq!(
        (text("#edit-title"), value("#rule-fields")),
        ("New rule".to_owned(), String::new())
    );
    assert!(attribute("#cancel-rule", "hidden").is_some());
    click(&format!("[aria-label='{}']", labels[3]));
    assert_eq!(rules(&background).await, [first]);
}

#[wasm_bindgen_test]
async fn a_site_comes_with_its_permission_and_goes_with_it() {
    let told = Told {
        ungranted: vec![ORIGIN.to_owned()],
        ..enabled(&[(ORIGIN, "user"), ("https://fixed.example", "configuration")])
    };
    let background = options(told).await;
    until_texts("#sites .by", &["host's configuration", "you"]).await;
    assert_eq!(texts("#sites .error"), ["permission missing"]);
    click_button("Allow access");
    assert_eq!(background.permissions(), ["+https://shop.example/*"]);
    click_button("Remove");
    assert_eq!(background.hears_decision().await, (ORIGIN.to_owned(), false));
    assert_eq!(focused(), "site-origin");
    until(vec!["-https://shop.example/*"], || background.permissions()).await;
    write("#site-origin", "shop");
    click_button("Capture this site");
    assert!(
        text("#site-error").contains("write the whole origin"),
        "{}",
        text("#site-error")
    );
    // Accepted, these would match nothing.
    for (written, named) in [
        ("https://bücher.example:*", "https://xn--bcher-kva.example:*"),
        ("http://127.1:8080", "http://127.0.0.1:8080"),
    ] {
        write("#site-origin", written);
        click_button("Capture this site");
        assert!(text("#site-error").contains(named), "{}", text("#site-error"));
    }
    write("#site-origin", " https://new.example ");
    click_button("Capture this site");
    assert_eq!(
        background.hears_decision().await,
        ("https://new.example".to_owned(), true)
    );
    assert_eq!(background.permissions(), ["+https://new.example/*"]);
    assert!(attribute("#site-error", "hidden").is_some());
    assert_eq!(value("#site-origin"), "");
}

#[wasm_bindgen_test]
async fn the_defaults_come_back_only_when_it_is_meant() {
    let told = Told {
        rules: [("user".to_owned(), vec![rule("users", "/a", How::Drop)])].into(),
        ..enabled(&[(ORIGIN, "user"), ("https://fixed.example", "policy")])
    };
    let background = options(told).await;
    until(2, || all("#sites li").len()).await;
    click("#reset");
    assert_eq!(
        text("#reset-words"),
        "1 site and 1 rule of yours will go. Press again to mean it."
    );
    click_button("Really forget them");
    assert_eq!(background.hears_decision().await, (ORIGIN.to_owned(), false));
    assert!(rules(&background).await.is_empty());
    assert_eq!(
        (text("#reset"), text("#reset-words")),
        ("Back to the defaults".to_owned(), "All forgotten.".to_owned())
    );
}
