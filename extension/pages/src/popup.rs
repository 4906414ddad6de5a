//! The popup: this site's state in one glance, one switch to capture it, and where it goes.

use std::{cell::RefCell, rc::Rc};

use protocol::{
    inspect::{Ask, Background, FromInspector, Health, Question, Reply, ToInspector},
    origin::OriginPattern,
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::{
    chrome,
    dom::{add, by_id, element, fill, on, sentence, set, set_flag, text},
    link::Link,
    site::{Site, site},
    way::{Stop, stops},
};

/// How often the sinks are asked after while the popup is open, in milliseconds.
const PACE: f64 = 1000.0;

/// What the popup knows.
#[derive(Default)]
struct State {
    tab: Option<i64>,
    origin: Option<String>,
    background: Option<Background>,
    health: Option<Health>,
}

/// The tab, as far as it matters here.
#[derive(Deserialize)]
struct Tab {
    id: i64,
    url: Option<String>,
}

/// Shows the popup of the active tab, or of the one that the address names (`?tab=7`).
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
    let told = Rc::clone(&state);
    let link = Link::open(tab.map(|tab| tab.id), move |message| {
        match message {
            ToInspector::Background(background) => told.borrow_mut().background = Some(background),
            ToInspector::Seen(_) | ToInspector::Trace(_) => {}
            ToInspector::Answer(answer) => {
                told.borrow_mut().health = match answer.reply {
                    Reply::Health(health) => Some(health),
                    _ => None,
                };
            }
        }
        render(&told.borrow());
    });
    listen(&state, &link);
    ask(link);
}

async fn current_tab() -> Option<Tab> {
    let search = web_sys::window()?.location().search().ok()?;
    let named = search
        .strip_prefix("?tab=")
        .and_then(|number| number.parse::<i32>().ok());
    if let Some(id) = named {
        return chrome::from_js(&chrome::tab(id.into()).await.ok()?);
    }
    let active = chrome::object(&[("active", true.into()), ("currentWindow", true.into())]);
    let tabs = chrome::query_tabs(&active).await.ok()?;
    chrome::from_js::<Vec<Tab>>(&tabs)?.into_iter().next()
}

/// Asks after the host's health now and then.
fn ask(link: Rc<Link>) {
    link.send(&FromInspector::Ask(Ask {
        id: 1,
        question: Question::Health {},
    }));
    let again = Closure::once_into_js(move || ask(link));
    chrome::set_timeout(&again, PACE);
}

fn listen(state: &Rc<RefCell<State>>, link: &Rc<Link>) {
    let (known, to) = (Rc::clone(state), Rc::clone(link));
    on(&by_id("capture"), "click", move |_| {
        let state = known.borrow();
        let (Some(background), Some(origin)) = (&state.background, &state.origin) else {
            return;
        };
        let Site {
            enabled, switchable, ..
        } = site(background, Some(origin));
        if !switchable {
            return;
        }
        // The decision goes first: a browser may close the popup when it asks for the permission.
        to.send(&FromInspector::Capture {
            origin: origin.clone(),
            enabled: !enabled,
        });
        if !enabled {
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
            // A tab of its own: the popup closes with the focus.
            let url = chrome::url(&format!("ui/panel.html?tab={tab}"));
            let opened = chrome::object(&[("url", url.into()), ("openerTabId", chrome::number(tab))]);
            spawn_local(async move { drop(chrome::open_tab(&opened).await) });
        }
    });
    on(&by_id("options"), "click", |_| {
        spawn_local(async { drop(chrome::open_options_page().await) });
    });
}

/// Asks for this origin only. Has to be called while the user's click is being handled.
fn request_permission(origin: &str) {
    let Ok(pattern) = OriginPattern::parse(origin) else {
        return;
    };
    let origins = chrome::list(&[&pattern.match_pattern()]);
    let wanted = chrome::object(&[("origins", origins)]);
    if let Ok(request) = chrome::request_permissions(&wanted) {
        // Without it the site stays enabled and says what is missing.
        spawn_local(async move { drop(JsFuture::from(request).await) });
    }
}

fn render(state: &State) {
    let Some(background) = &state.background else {
        return;
    };
    let site = site(background, state.origin.as_deref());
    set(&by_id("site"), "data-state", site.state);
    let origin = state.origin.as_deref().filter(|_| site.state != "none");
    by_id("origin").set_text_content(Some(origin.unwrap_or("No site")));
    by_id("words").set_text_content(Some(&site.words));
    let switch = by_id("capture");
    set(
        &switch,
        "aria-checked",
        if site.enabled { "true" } else { "false" },
    );
    set_flag(&switch, "disabled", !site.switchable);
    set_flag(&by_id("grant"), "hidden", !site.ungranted);
    let remark = site.remark.or_else(|| background.problem.clone());
    let alert = by_id("remark");
    set_flag(&alert, "hidden", remark.is_none());
    if let Some(remark) = remark {
        fill(
            &alert,
            &[
                sentence("strong", "", &remark.message),
                sentence("span", "", &remark.cure),
            ],
        );
    }
    set_flag(&by_id("way"), "hidden", !site.enabled);
    let stops = stops(background, state.health.as_ref());
    fill(&by_id("sinks"), &stops.iter().map(stop).collect::<Vec<_>>());
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

fn stop(stop: &Stop) -> web_sys::Element {
    let item = element("li", "");
    set(&item, "data-state", stop.state);
    let place = text("span", "target", &stop.place);
    if let Some(whole) = &stop.whole {
        set(&place, "title", whole);
    }
    let head = element("p", "stop");
    add(&head, &[text("b", "", stop.name), place]);
    add(&item, &[head]);
    for (what, name) in &stop.names {
        let line = element("p", "named");
        add(&line, &[text("span", "", what), text("code", "", name)]);
        add(&item, &[line]);
    }
    if !stop.remark.is_empty() {
        add(&item, &[sentence("small", "", &stop.remark)]);
    }
    if !stop.cure.is_empty() {
        add(&item, &[sentence("small", "cure", &stop.cure)]);
    }
    item
}
