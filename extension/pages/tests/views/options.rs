//! The options page.

use idb_relay_pages::open_options;
use protocol::{
    redact::{How, Rule},
    wire::inspector::{Background, FromInspector},
};
use view_testing::{
    background::TestBackground,
    document::{
        all, attribute, attributes, click, click_button, focused, show, style, text, texts, until,
        until_texts, value, write,
    },
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{ORIGIN, connected, enabled};

/// The options page with this state of the extension.
async fn options(state: Background) -> TestBackground {
    style(include_str!("../../../ui/pages.css"));
    show(include_str!("../../../ui/options.html"));
    let background = TestBackground::for_page("about:blank");
    open_options().await;
    background.send_state(state);
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

/// Waits until the page sends its rules.
async fn rules(background: &TestBackground) -> Vec<Rule> {
    background
        .until_message("the rules", |message| match message {
            FromInspector::Rules(rules) => Some(rules.clone()),
            _ => None,
        })
        .await
}

#[wasm_bindgen_test]
async fn preview_follows_the_rule_in_the_form() {
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
    // A field that is the key path is hashed in the key, too.
    write("#rule-fields", "/mail");
    assert!(
        text("#after-key").starts_with("\"hash-"),
        "{}",
        text("#after-key")
    );
    // An invalid rule is reported at its field, and the preview keeps the valid ones.
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
async fn rule_is_changed_in_the_form_and_the_form_emptied() {
    let (first, second) = (rule("users", "/a", How::Drop), rule("orders", "/b", How::Hash));
    let policy = rule("", "/c", How::Mask);
    let state = Background {
        rules: [
            ("policy".to_owned(), vec![policy]),
            ("user".to_owned(), vec![first.clone(), second]),
        ]
        .into(),
        ..connected()
    };
    let background = options(state).await;
    until_texts("#rules .by", &["managed policy", "you", "you"]).await;
    // A rule of the administrator cannot be changed here.
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
async fn site_and_permission_are_added_and_removed_together() {
    let state = Background {
        ungranted: vec![ORIGIN.to_owned()],
        ..enabled(&[(ORIGIN, "user"), ("https://fixed.example", "configuration")])
    };
    let background = options(state).await;
    until_texts("#sites .by", &["host's configuration", "you"]).await;
    assert_eq!(texts("#sites .error"), ["permission missing"]);
    click_button("Allow access");
    assert_eq!(background.permission_requests(), ["+https://shop.example/*"]);
    click_button("Remove");
    assert_eq!(
        background.until_capture_decision().await,
        (ORIGIN.to_owned(), false)
    );
    assert_eq!(focused(), "site-origin");
    until(vec!["-https://shop.example/*"], || {
        background.permission_requests()
    })
    .await;
    write("#site-origin", "shop");
    click_button("Capture this site");
    assert!(
        text("#site-error").contains("write the whole origin"),
        "{}",
        text("#site-error")
    );
    // If accepted, these would match no page.
    for (entered, spelling) in [
        ("https://bücher.example:*", "https://xn--bcher-kva.example:*"),
        ("http://127.1:8080", "http://127.0.0.1:8080"),
    ] {
        write("#site-origin", entered);
        click_button("Capture this site");
        assert!(text("#site-error").contains(spelling), "{}", text("#site-error"));
    }
    write("#site-origin", " https://new.example ");
    click_button("Capture this site");
    assert_eq!(
        background.until_capture_decision().await,
        ("https://new.example".to_owned(), true)
    );
    assert_eq!(background.permission_requests(), ["+https://new.example/*"]);
    assert!(attribute("#site-error", "hidden").is_some());
    assert_eq!(value("#site-origin"), "");
}

#[wasm_bindgen_test]
async fn defaults_are_restored_only_after_confirmation() {
    let state = Background {
        rules: [("user".to_owned(), vec![rule("users", "/a", How::Drop)])].into(),
        ..enabled(&[(ORIGIN, "user"), ("https://fixed.example", "policy")])
    };
    let background = options(state).await;
    until(2, || all("#sites li").len()).await;
    click("#reset");
    assert_eq!(
        text("#reset-words"),
        "1 site and 1 rule of yours will be removed. Press again to confirm."
    );
    click_button("Really forget them");
    assert_eq!(
        background.until_capture_decision().await,
        (ORIGIN.to_owned(), false)
    );
    assert!(rules(&background).await.is_empty());
    assert_eq!(
        (text("#reset"), text("#reset-words")),
        ("Back to the defaults".to_owned(), "All removed.".to_owned())
    );
}
