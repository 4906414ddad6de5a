//! The popup: the status of the site, a switch to capture it, and where its writes go.

use std::{cell::RefCell, rc::Rc};

use protocol::{
    origin::OriginPattern,
    wire::inspector::{Ask, Background, FromInspector, Health, Question, Reply, ToInspector},
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::{
    background_link::BackgroundLink,
    browser_api,
    destinations::{Destination, destinations},
    dom::{add, by_id, element, fill, on, sentence, set, set_flag, text},
    site_status::site_status,
    timing,
};

#[derive(Default)]
struct State {
    tab: Option<i64>,
    origin: Option<String>,
    background: Option<Background>,
    health: Option<Health>,
}

#[derive(Deserialize)]
struct Tab {
    id: i64,
    url: Option<String>,
}

/// Shows the popup of the active tab, or of the tab in the address (`?tab=7`).
#[wasm_bindgen]
pub async fn open_popup() {
    let tab = current_tab().await;
    let origin = tab
        .as_ref()
        .and_then(|tab| web_sys::Url::new(tab.url.as_deref()?).ok())
        .map(|url| url.origin());
    let state = Rc::new(RefCell::new(State {
        tab: tab.as_ref().map(|tab| tab.id),
        origin,
        ..State::default()
    }));
    let known = Rc::clone(&state);
    let link = BackgroundLink::open(tab.map(|tab| tab.id), move |message| {
        match message {
            ToInspector::Background(background) => known.borrow_mut().background = Some(*background),
            ToInspector::Seen(_) | ToInspector::Trace(_) => {}
            ToInspector::Answer(answer) => {
                known.borrow_mut().health = match answer.reply {
                    Reply::Health(health) => Some(health),
                    _ => None,
                };
            }
        }
        render(&known.borrow());
    });
    listen(&state, &link);
    watch_health(link);
}

async fn current_tab() -> Option<Tab> {
    let search = web_sys::window()?.location().search().ok()?;
    let id_in_address = search
        .strip_prefix("?tab=")
        .and_then(|number| number.parse::<i32>().ok());
    if let Some(id) = id_in_address {
        return browser_api::from_js(&browser_api::tab(id.into()).await.ok()?);
    }
    let active = browser_api::object(&[("active", true.into()), ("currentWindow", true.into())]);
    let tabs = browser_api::query_tabs(&active).await.ok()?;
    browser_api::from_js::<Vec<Tab>>(&tabs)?.into_iter().next()
}

/// Asks for the host's health again and again.
fn watch_health(link: Rc<BackgroundLink>) {
    link.send(&FromInspector::Ask(Ask {
        id: 1,
        question: Question::Health {},
    }));
    let ask_again = Closure::once_into_js(move || watch_health(link));
    browser_api::set_timeout(&ask_again, timing::HEALTH_INTERVAL_MS);
}

fn listen(state: &Rc<RefCell<State>>, link: &Rc<BackgroundLink>) {
    let (known, to) = (Rc::clone(state), Rc::clone(link));
    on(&by_id("capture"), "click", move |_| {
        let state = known.borrow();
        let (Some(background), Some(origin)) = (&state.background, &state.origin) else {
            return;
        };
        let status = site_status(background, Some(origin));
        if !status.is_switchable {
            return;
        }
        // Send it first: a browser may close the popup when it asks for the permission.
        to.send(&FromInspector::Capture {
            origin: origin.clone(),
            enabled: !status.is_enabled,
        });
        if !status.is_enabled {
            request_permission(origin);
        }
    });
    let known = Rc::clone(state);
    on(&by_id("grant"), "click", move |_| {
        if let Some(origin) = &known.borrow().origin {
            request_permission(origin);
        }
    });
    let (known, to) = (Rc::clone(state), Rc::clone(link));
    on(&by_id("pause"), "click", move |_| {
        let paused = known
            .borrow()
            .background
            .as_ref()
            .is_some_and(|background| background.paused);
        to.send(&FromInspector::Pause { paused: !paused });
    });
    let known = Rc::clone(state);
    on(&by_id("inspect"), "click", move |_| {
        if let Some(tab) = known.borrow().tab {
            // A tab of its own, since the popup closes when it loses the focus.
            let url = browser_api::url(&format!("ui/panel.html?tab={tab}"));
            let opened =
                browser_api::object(&[("url", url.into()), ("openerTabId", browser_api::number(tab))]);
            spawn_local(async move { drop(browser_api::open_tab(&opened).await) });
        }
    });
    on(&by_id("options"), "click", |_| {
        spawn_local(async { drop(browser_api::open_options_page().await) });
    });
}

/// Call it while a click is handled: browsers refuse to ask otherwise.
fn request_permission(origin: &str) {
    if let Ok(pattern) = OriginPattern::parse(origin) {
        browser_api::request_permission(&pattern);
    }
}

fn render(state: &State) {
    let Some(background) = &state.background else {
        return;
    };
    let status = site_status(background, state.origin.as_deref());
    set(&by_id("site"), "data-state", status.state);
    let origin = state.origin.as_deref().filter(|_| status.state != "none");
    by_id("origin").set_text_content(Some(origin.unwrap_or("No site")));
    by_id("words").set_text_content(Some(&status.message));
    let switch = by_id("capture");
    set(
        &switch,
        "aria-checked",
        if status.is_enabled { "true" } else { "false" },
    );
    set_flag(&switch, "disabled", !status.is_switchable);
    set_flag(&by_id("grant"), "hidden", !status.needs_permission);
    let problem = status.problem.or_else(|| background.problem.clone());
    let alert = by_id("remark");
    set_flag(&alert, "hidden", problem.is_none());
    if let Some(problem) = problem {
        fill(
            &alert,
            &[
                sentence("strong", "", &problem.message),
                sentence("span", "", &problem.fix),
            ],
        );
    }
    set_flag(&by_id("destinations"), "hidden", !status.is_enabled);
    let destinations = destinations(background, state.health.as_ref());
    let items: Vec<_> = destinations.iter().map(destination_item).collect();
    fill(&by_id("sinks"), &items);
    set_flag(
        &by_id("inspect"),
        "hidden",
        state.tab.is_none() || origin.is_none(),
    );
    let pause = by_id("pause");
    set(
        &pause,
        "aria-pressed",
        if background.paused { "true" } else { "false" },
    );
    pause.set_text_content(Some(if background.paused {
        "Resume capture"
    } else {
        "Pause capture"
    }));
    let version = background
        .host_version
        .as_deref()
        .map_or_else(|| "no host".to_owned(), |version| format!("host {version}"));
    by_id("host").set_text_content(Some(&version));
    set(
        &by_id("host"),
        "data-state",
        if background.connected { "on" } else { "wrong" },
    );
}

fn destination_item(destination: &Destination) -> web_sys::Element {
    let item = element("li", "");
    set(&item, "data-state", destination.state);
    let address = text("span", "target", &destination.address);
    if let Some(full) = &destination.full_address {
        set(&address, "title", full);
    }
    let head = element("p", "destination");
    add(&head, &[text("b", "", destination.name), address]);
    add(&item, &[head]);
    for (what, name) in &destination.names {
        let name_line = element("p", "named");
        add(&name_line, &[text("span", "", what), text("code", "", name)]);
        add(&item, &[name_line]);
    }
    if !destination.message.is_empty() {
        add(&item, &[sentence("small", "", &destination.message)]);
    }
    if !destination.fix.is_empty() {
        add(&item, &[sentence("small", "fix", &destination.fix)]);
    }
    item
}
