//! The options page: captured sites, redaction rules with a preview, and the way back to the
//! defaults.
//!
//! - [`state`]: what the page knows. [`sites`]: the list of sites. [`rules`]: the list of rules and
//!   the form.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use protocol::wire::inspector::{FromInspector, ToInspector};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use crate::{
    background_link::BackgroundLink,
    browser_api,
    dom::{by_id, fill, on, sentence, set, set_flag, set_value},
    plural::count_with,
};

mod rules;
mod sites;
mod state;

use self::state::{SharedState, State};

/// The sample record until the user enters another one.
const SAMPLE: &str = r#"{
  "mail": "ann@example.org",
  "name": "Ann",
  "password": "correct horse",
  "cards": [
    {
      "number": "4242 4242 4242 4242",
      "bank": "First"
    }
  ]
}"#;

/// Shows the options page.
#[wasm_bindgen]
pub async fn open_options() {
    let state = Rc::new(RefCell::new(State {
        secret: load_secret().await.unwrap_or_default(),
        ..State::default()
    }));
    set_value("sample", SAMPLE);
    set_value("sample-key-path", "mail");
    let link_cell = Rc::new(OnceCell::<Rc<BackgroundLink>>::new());
    let (known, link_later) = (Rc::clone(&state), Rc::clone(&link_cell));
    let link = BackgroundLink::open(None, move |message| {
        if let ToInspector::Background(background) = message {
            known.borrow_mut().background = *background;
            if let Some(link) = link_later.get() {
                render(&known, link);
            }
        }
    });
    let _first = link_cell.set(Rc::clone(&link));
    sites::listen(&link);
    rules::listen(&state, &link);
    let (known, to) = (Rc::clone(&state), Rc::clone(&link));
    on(&by_id("reset"), "click", move |_| reset(&known, &to));
    render(&state, &link);
}

/// The profile's secret for hashes, so that the preview shows the real ones.
async fn load_secret() -> Option<[u8; 32]> {
    #[derive(Deserialize)]
    struct Items {
        secret: Vec<u8>,
    }
    let items = browser_api::storage_get(&browser_api::list(&["secret"])).await;
    let items: Items = browser_api::from_js(&items.ok()?)?;
    items.secret.try_into().ok()
}

/// Asks once, then removes the user's sites and rules.
fn reset(state: &SharedState, link: &BackgroundLink) {
    let is_confirmed = state.borrow().is_reset_requested;
    state.borrow_mut().is_reset_requested = !is_confirmed;
    let button = by_id("reset");
    if !is_confirmed {
        button.set_text_content(Some("Really forget them"));
        let background = &state.borrow().background;
        let sites = background.origins.values().filter(|who| *who == "user").count();
        let rules = background.rules.get("user").map_or(0, Vec::len);
        by_id("reset-words").set_text_content(Some(&format!(
            "{} and {} of yours will be removed. Press again to confirm.",
            count_with(sites as u64, "site", "sites"),
            count_with(rules as u64, "rule", "rules"),
        )));
        return;
    }
    let background = state.borrow().background.clone();
    for (origin, _) in background.origins.iter().filter(|(_, who)| *who == "user") {
        sites::remove_site(&background, origin, link);
    }
    link.send(&FromInspector::Rules(Vec::new()));
    rules::edit_rule(state, None);
    button.set_text_content(Some("Back to the defaults"));
    by_id("reset-words").set_text_content(Some("All removed."));
}

fn render(state: &SharedState, link: &Rc<BackgroundLink>) {
    let known = state.borrow();
    let background = &known.background;
    let version = background
        .host_version
        .as_deref()
        .map_or_else(|| "no host".to_owned(), |version| format!("host {version}"));
    by_id("host").set_text_content(Some(&version));
    let status = if background.connected { "on" } else { "wrong" };
    set(&by_id("host"), "data-state", status);
    let alert = by_id("remark");
    set_flag(&alert, "hidden", background.problem.is_none());
    if let Some(problem) = &background.problem {
        let parts = [
            sentence("strong", "", &problem.message),
            sentence("span", "", &problem.fix),
        ];
        fill(&alert, &parts);
    }
    sites::render_sites(state, background, link);
    rules::render_rules(state, background, link);
    rules::update_preview(&known, true);
}
