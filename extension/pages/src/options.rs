//! The options page: the sites that are captured, the redaction rules with what they make of a record, and the way back.

use std::{cell::RefCell, rc::Rc};

use protocol::{
    inspect::{Background, FromInspector, ToInspector},
    origin::{OriginError, OriginPattern},
    redact::{Redaction, Rule},
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, Url};

use crate::{
    chrome,
    dom::{add, by_id, element, fill, on, sentence, set, set_flag, set_value, text, value_of},
    link::Link,
    rules::{self, Draft},
    site::count,
};

/// Shown before the user writes another one.
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

/// The fields in which a rule is written and tried.
const WRITTEN: [&str; 6] = [
    "rule-database",
    "rule-store",
    "rule-how",
    "rule-fields",
    "sample",
    "sample-key-path",
];

/// What the page knows.
#[derive(Default)]
struct State {
    background: Background,
    /// This profile's own: so that what is shown is what will leave.
    secret: [u8; 32],
    /// Which of the user's rules is being changed.
    editing: Option<usize>,
    /// Whether the next press on "Back to the defaults" means it.
    resetting: bool,
}

impl State {
    fn users(&self) -> Vec<Rule> {
        self.background.rules.get("user").cloned().unwrap_or_default()
    }
}

type Shared = Rc<RefCell<State>>;

/// Shows the options page.
#[wasm_bindgen]
pub async fn open_options() {
    let state = Rc::new(RefCell::new(State {
        secret: secret().await.unwrap_or_default(),
        ..State::default()
    }));
    set_value("sample", SAMPLE);
    set_value("sample-key-path", "mail");
    let link = Rc::new(std::cell::OnceCell::<Rc<Link>>::new());
    let (known, way) = (Rc::clone(&state), Rc::clone(&link));
    let opened = Link::open(None, move |message| {
        if let ToInspector::Background(background) = message {
            known.borrow_mut().background = background;
            if let Some(link) = way.get() {
                render(&known, link);
            }
        }
    });
    let _first = link.set(Rc::clone(&opened));
    listen(&state, &opened);
    render(&state, &opened);
}

async fn secret() -> Option<[u8; 32]> {
    #[derive(Deserialize)]
    struct Items {
        secret: Vec<u8>,
    }
    let items = chrome::storage_get(&chrome::list(&["secret"])).await;
    let items: Items = chrome::from_js(&items.ok()?)?;
    items.secret.try_into().ok()
}

fn listen(state: &Shared, link: &Rc<Link>) {
    let to = Rc::clone(link);
    on(&by_id("add-site"), "submit", move |event| {
        event.prevent_default();
        add_site(&to);
    });
    for id in WRITTEN {
        let known = Rc::clone(state);
        on(&by_id(id), "input", move |_| try_out(&known.borrow(), false));
    }
    let (known, to) = (Rc::clone(state), Rc::clone(link));
    on(&by_id("edit-rule"), "submit", move |event| {
        event.prevent_default();
        save_rule(&known, &to);
    });
    let known = Rc::clone(state);
    on(&by_id("cancel-rule"), "click", move |_| edit(&known, None));
    let (known, to) = (Rc::clone(state), Rc::clone(link));
    on(&by_id("reset"), "click", move |_| reset(&known, &to));
}

/// Has to be called while the user's click is being handled: browsers ask for a permission only then.
fn add_site(link: &Link) {
    let written = value_of("site-origin");
    let error = match entry(written.trim()) {
        Ok(pattern) => {
            link.send(&FromInspector::Capture {
                origin: pattern.to_string(),
                enabled: true,
            });
            request_permission(&pattern);
            set_value("site-origin", "");
            None
        }
        Err(error) => Some(error),
    };
    say("site-error", error.as_deref());
}

/// A pattern that the origin of some page matches. Browsers name an origin in one spelling only; in another one the entry would be
/// taken and match nothing.
fn entry(written: &str) -> Result<OriginPattern, String> {
    let pattern = OriginPattern::parse(written);
    let text = match &pattern {
        Ok(pattern) => pattern.to_string(),
        Err(OriginError::NotAscii(_)) => written.to_owned(),
        Err(error) => return Err(error.to_string()),
    };
    let (origin, any_port) = match text.strip_suffix(":*") {
        Some(origin) => (origin, ":*"),
        None => (text.as_str(), ""),
    };
    let named = Url::new(origin).ok().map(|url| url.origin() + any_port);
    match (pattern, named) {
        (Ok(pattern), Some(named)) if named == text => Ok(pattern),
        (_, Some(named)) => Err(format!("Browsers name this origin {named:?}: write that.")),
        (_, None) => Err(format!("{written:?} is no origin in a browser.")),
    }
}

/// Asks for this origin only.
fn request_permission(pattern: &OriginPattern) {
    let origins = chrome::list(&[&pattern.match_pattern()]);
    let wanted = chrome::object(&[("origins", origins)]);
    if let Ok(request) = chrome::request_permissions(&wanted) {
        // Without it the site stays enabled and says what is missing.
        spawn_local(async move { drop(JsFuture::from(request).await) });
    }
}

/// Stops capturing, and gives the permission back unless another entry lives on it.
fn remove_site(background: &Background, origin: &str, link: &Link) {
    link.send(&FromInspector::Capture {
        origin: origin.to_owned(),
        enabled: false,
    });
    let Ok(pattern) = OriginPattern::parse(origin) else {
        return;
    };
    let pattern = pattern.match_pattern();
    let shared = background
        .origins
        .keys()
        .filter(|other| *other != origin)
        .filter_map(|other| OriginPattern::parse(other).ok())
        .any(|other| other.match_pattern() == pattern);
    if !shared {
        // Those of this machine are required ones, which the browser keeps.
        let permission = chrome::object(&[("origins", chrome::list(&[&pattern]))]);
        spawn_local(async move { drop(chrome::remove_permissions(&permission).await) });
    }
}

fn draft() -> Draft {
    Draft {
        database: value_of("rule-database"),
        store: value_of("rule-store"),
        fields: value_of("rule-fields"),
        how: value_of("rule-how"),
    }
}

fn save_rule(state: &Shared, link: &Link) {
    let rule = match draft().rule() {
        Ok(rule) => rule,
        Err(error) => {
            say("rule-error", Some(&error.to_string()));
            return focus("rule-fields");
        }
    };
    let mut rules = state.borrow().users();
    let editing = state.borrow().editing;
    match editing.and_then(|index| rules.get_mut(index)) {
        Some(old) => *old = rule,
        None => rules.push(rule),
    }
    link.send(&FromInspector::Rules(rules));
    edit(state, None);
}

/// Puts one of the user's rules into the form, or empties it.
fn edit(state: &Shared, index: Option<usize>) {
    state.borrow_mut().editing = index;
    let draft = index
        .and_then(|index| state.borrow().users().get(index).map(Draft::of))
        .unwrap_or_default();
    set_value("rule-database", &draft.database);
    set_value("rule-store", &draft.store);
    set_value("rule-fields", &draft.fields);
    set_value("rule-how", if draft.how.is_empty() { "drop" } else { &draft.how });
    let changing = index.is_some();
    by_id("edit-title").set_text_content(Some(if changing { "Change the rule" } else { "New rule" }));
    by_id("save-rule").set_text_content(Some(if changing { "Save rule" } else { "Add rule" }));
    set_flag(&by_id("cancel-rule"), "hidden", !changing);
    say("rule-error", None);
    if changing {
        focus("rule-fields");
    }
    try_out(&state.borrow(), true);
}

/// Shows what all rules that hold, with the one that is being written, make of the sample.
fn try_out(state: &State, untouched: bool) {
    let written = draft();
    let rule = if written.fields.trim().is_empty() {
        None
    } else {
        match written.rule() {
            Ok(rule) => Some(rule),
            Err(error) => return say("rule-error", Some(&error.to_string())),
        }
    };
    if !untouched {
        say("rule-error", None);
    }
    let others = state.background.rules.iter().flat_map(|(who, rules)| {
        let changed = state.editing.filter(|_| who == "user");
        rules
            .iter()
            .enumerate()
            .filter(move |(index, _)| Some(*index) != changed)
            .map(|(_, rule)| rule)
    });
    let redaction = match Redaction::new(others.chain(&rule), &state.secret) {
        Ok(redaction) => redaction,
        Err(error) => return say("rule-error", Some(&error.to_string())),
    };
    let shown = rules::preview(
        &redaction,
        written.database.trim(),
        written.store.trim(),
        &value_of("sample-key-path"),
        &value_of("sample"),
    );
    match shown {
        Ok(shown) => {
            say("sample-error", None);
            by_id("after").set_text_content(Some(&shown.value));
            by_id("after-key").set_text_content(Some(shown.key.as_deref().unwrap_or("none in the value")));
            by_id("after-words").set_text_content(Some(if shown.changed {
                "Redacted."
            } else {
                "Leaves as it is."
            }));
        }
        Err(error) => say("sample-error", Some(&error)),
    }
}

/// Asks once, then forgets everything that was decided here.
fn reset(state: &Shared, link: &Link) {
    let asked = state.borrow().resetting;
    state.borrow_mut().resetting = !asked;
    let button = by_id("reset");
    if !asked {
        button.set_text_content(Some("Really forget them"));
        let background = &state.borrow().background;
        let sites = background.origins.values().filter(|who| *who == "user").count();
        let rules = background.rules.get("user").map_or(0, Vec::len);
        by_id("reset-words").set_text_content(Some(&format!(
            "{} and {} of yours will go. Press again to mean it.",
            count(sites as u64, "site", "sites"),
            count(rules as u64, "rule", "rules"),
        )));
        return;
    }
    let background = state.borrow().background.clone();
    for (origin, _) in background.origins.iter().filter(|(_, who)| *who == "user") {
        remove_site(&background, origin, link);
    }
    link.send(&FromInspector::Rules(Vec::new()));
    edit(state, None);
    button.set_text_content(Some("Back to the defaults"));
    by_id("reset-words").set_text_content(Some("All forgotten."));
}

fn render(state: &Shared, link: &Rc<Link>) {
    let known = state.borrow();
    let background = &known.background;
    let version = background
        .host_version
        .as_deref()
        .map_or_else(|| "no host".to_owned(), |version| format!("host {version}"));
    by_id("host").set_text_content(Some(&version));
    let how = if background.connected { "on" } else { "wrong" };
    set(&by_id("host"), "data-state", how);
    let alert = by_id("remark");
    set_flag(&alert, "hidden", background.problem.is_none());
    if let Some(problem) = &background.problem {
        let parts = [
            sentence("strong", "", &problem.message),
            sentence("span", "", &problem.cure),
        ];
        fill(&alert, &parts);
    }
    let sites: Vec<Element> = background
        .origins
        .iter()
        .map(|(origin, who)| site_row(state, background, origin, who, link))
        .collect();
    fill_or(&by_id("sites"), &sites, "No site is captured.");
    let mut rows = Vec::new();
    for (who, rules) in background.rules.iter() {
        for (index, rule) in rules.iter().enumerate() {
            rows.push(rule_row(state, who, index, rule, link));
        }
    }
    fill_or(
        &by_id("rules"),
        &rows,
        "Nothing is redacted: records leave as they are.",
    );
    try_out(&known, true);
}

/// The rows of a list, or a sentence.
fn fill_or(list: &Element, rows: &[Element], none: &str) {
    if rows.is_empty() {
        fill(list, &[text("li", "faint", none)]);
    } else {
        fill(list, rows);
    }
}

/// Who made an entry, in words.
fn by(who: &str) -> &'static str {
    match who {
        "policy" => "managed policy",
        "configuration" => "host's configuration",
        _ => "you",
    }
}

fn site_row(state: &Shared, background: &Background, origin: &str, who: &str, link: &Rc<Link>) -> Element {
    let row = element("li", "");
    add(
        &row,
        &[text("span", "code", origin), text("small", "by", by(who))],
    );
    if background.ungranted.iter().any(|other| other == origin)
        && let Ok(pattern) = OriginPattern::parse(origin)
    {
        add(&row, &[text("small", "error", "permission missing")]);
        let allow = button("Allow access", &format!("Allow access to {origin}"));
        on(&allow, "click", move |_| request_permission(&pattern));
        add(&row, &[allow]);
    }
    if who == "user" {
        let remove = button("Remove", &format!("Remove {origin}: capture it no more"));
        let (known, to, origin) = (Rc::clone(state), Rc::clone(link), origin.to_owned());
        on(&remove, "click", move |_| {
            remove_site(&known.borrow().background, &origin, &to);
            focus("site-origin");
        });
        add(&row, &[remove]);
    }
    row
}

fn rule_row(state: &Shared, who: &str, index: usize, rule: &Rule, link: &Rc<Link>) -> Element {
    let row = element("li", "");
    let place = rules::place(rule);
    let fields: Vec<&str> = rule
        .fields
        .iter()
        .map(|field| {
            if field.is_empty() {
                "the whole value"
            } else {
                field
            }
        })
        .collect();
    let words = element("span", "");
    add(
        &words,
        &[
            text("b", "", rules::how_name(rule.how)),
            text("span", "code", &format!(" {} ", fields.join(", "))),
            text("small", "", &format!("in {place}")),
        ],
    );
    add(&row, &[words, text("small", "by", by(who))]);
    if who == "user" {
        let change = button("Change", &format!("Change the rule for {place}"));
        let known = Rc::clone(state);
        on(&change, "click", move |_| edit(&known, Some(index)));
        let remove = button("Remove", &format!("Remove the rule for {place}"));
        let (known, to) = (Rc::clone(state), Rc::clone(link));
        on(&remove, "click", move |_| {
            let mut rules = known.borrow().users();
            if index < rules.len() {
                rules.remove(index);
            }
            to.send(&FromInspector::Rules(rules));
            edit(&known, None);
        });
        add(&row, &[change, remove]);
    }
    row
}

fn button(words: &str, label: &str) -> Element {
    let button = text("button", "", words);
    set(&button, "type", "button");
    set(&button, "aria-label", label);
    button
}

/// Shows a sentence, or hides it.
fn say(id: &str, words: Option<&str>) {
    let element = by_id(id);
    set_flag(&element, "hidden", words.is_none());
    element.set_text_content(words);
}

fn focus(id: &str) {
    if let Some(element) = by_id(id).dyn_ref::<web_sys::HtmlElement>() {
        let _focused = element.focus();
    }
}
