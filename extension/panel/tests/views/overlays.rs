//! The dialogs: palette, help and doctor.

use protocol::wire::inspector::{Check, Question, Reply, Verdict};
use view_testing::document::{
    attribute, attributes, click, focused, press, press_with_control, texts, until, until_count, until_texts,
    value, write,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::panel::Panel;

#[wasm_bindgen_test]
async fn palette_works_by_keyboard_alone() {
    let _panel = Panel::open();
    press_with_control("k");
    until_count("[role=dialog][aria-modal=true] [role=combobox]", 1).await;
    until("Command".to_owned(), focused).await;
    let chosen = || texts(".palette [role=option][aria-selected=true]");
    write(".palette input", "show only");
    until_texts(
        ".palette [role=option]",
        &["Show only events with problems", "Show only deletions"],
    )
    .await;
    assert_eq!(chosen(), ["Show only events with problems"]);
    press("ArrowDown");
    until(vec!["Show only deletions"], chosen).await;
    assert_eq!(
        attribute(".palette input", "aria-activedescendant"),
        attribute(".palette [aria-selected=true]", "id")
    );
    // At the last command the key does nothing.
    press("ArrowDown");
    until(vec!["Show only deletions"], chosen).await;
    press("Enter");
    until_count(".palette", 0).await;
    until("op:delete".to_owned(), || value("#search")).await;
    // The same keys close it. So does Escape, which moves the focus to the list.
    press_with_control("k");
    until_count(".palette", 1).await;
    press_with_control("k");
    until_count(".palette", 0).await;
    press_with_control("k");
    until("Command".to_owned(), focused).await;
    press("Escape");
    until_count(".palette", 0).await;
    assert_eq!(focused(), "feed");
    // A command that moves the focus wins over the list.
    press_with_control("k");
    until("Command".to_owned(), focused).await;
    write(".palette input", "search");
    until_texts(".palette [role=option]", &["Search/"]).await;
    press("Enter");
    until("search".to_owned(), focused).await;
}

#[wasm_bindgen_test]
async fn help_takes_the_focus_and_gives_it_back() {
    let _panel = Panel::open();
    press("?");
    until("Close help".to_owned(), focused).await;
    assert_eq!(attribute(".help", "role").as_deref(), Some("dialog"));
    // The keys of the list do nothing meanwhile.
    press("f");
    assert_eq!(
        attributes(".toolbar button[aria-pressed]", "aria-pressed"),
        ["false", "true", "false"]
    );
    press("Escape");
    until_count(".help", 0).await;
    assert_eq!(focused(), "feed");
    press("f");
    until(vec!["false", "false", "false"], || {
        attributes(".toolbar button[aria-pressed]", "aria-pressed")
    })
    .await;
}

#[wasm_bindgen_test]
async fn doctor_shows_the_checks_of_the_host() {
    let panel = Panel::open();
    click(".health button[title^='Check everything']");
    until_texts(".doctor .faint:first-child", &["The host is checking…"]).await;
    let check = |area: &str, verdict, message: &str, fix: Option<&str>| Check {
        area: area.to_owned(),
        verdict,
        message: message.to_owned(),
        fix: fix.map(str::to_owned),
    };
    let id = panel
        .background
        .until_question("the doctor", |question| matches!(question, Question::Doctor {}));
    let checks = vec![
        check("journal", Verdict::Ok, "It can be written.", None),
        check(
            "redis",
            Verdict::Problem,
            "It is away.",
            Some("Start `redis-server`."),
        ),
    ];
    panel.background.answer(id.await, Reply::Doctor(checks));
    until_texts(".doctor li b", &["journal", "redis"]).await;
    assert_eq!(attributes(".doctor li", "data-state"), ["ok", "wrong"]);
    assert_eq!(attributes(".doctor li i", "aria-label"), ["ok", "problem"]);
    assert_eq!(texts(".doctor .fix code"), ["redis-server"]);
}
