//! Why there is nothing to see, and what to press.

use leptos::prelude::*;
use protocol::{
    PROTOCOL_VERSION,
    inspect::{Background, Remark},
    origin::OriginPattern,
};

use super::{
    erased::{part, press},
    sentence::sentence,
    state::State,
};
use crate::{browser, install, words};

#[component]
pub fn Empty(state: State) -> impl IntoView {
    view! { <div class="empty">{part(move || reason(state))}</div> }
}

fn reason(state: State) -> AnyView {
    if state.looking.get() {
        return view! { <div data-why="looking"><h2>"Looking…"</h2></div> }.into_any();
    }
    let words = state.standing.with(|query| !query.terms().is_empty());
    if words && state.model.with(|model| !model.places().is_empty()) {
        return filtered(state);
    }
    if state.frozen.get() {
        let come = state.model.with(|model| model.places().len());
        return view! {
            <div data-why="display-paused">
                <h2>"The display is paused"</h2>
                <p>{format!("Capture goes on: {} here, and what is written meanwhile appears when the display goes on.", words::counted(come, "event"))}</p>
                <p><button class="primary" on:click=press(move || state.toggle_display())>"Resume the display"</button></p>
            </div>
        }
        .into_any();
    }
    if let Some(name) = state.recording.get() {
        return view! {
            <div data-why="recording">
                <h2>{name}" holds no event"</h2>
                <p>"A recording has one event a line, as "<b>"Export"</b>" saves them; this one has none."</p>
                <p><button class="primary" on:click=press(move || state.live())>"Back to live"</button></p>
            </div>
        }
        .into_any();
    }
    let Some(told) = state.background.get() else {
        return view! { <div data-why="connecting"><h2>"Connecting to the extension…"</h2></div> }.into_any();
    };
    if let (false, Some(problem)) = (told.connected, &told.problem) {
        return hostless(state, &told, problem);
    }
    let origin = state.origin.get().unwrap_or_default();
    if !origin.is_empty() && OriginPattern::parse(&origin).is_err() {
        return view! {
            <div data-why="no-page">
                <h2>"This page belongs to no site"</h2>
                <p>"There is no IndexedDB here to capture. Open a page on the web, or one of a server on this machine."</p>
            </div>
        }
        .into_any();
    }
    match state.is_enabled() {
        Some(false) => disabled(state, &origin),
        Some(true) if state.is_ungranted() => ungranted(state, &origin),
        None if told.origins.is_empty() => view! {
            <div data-why="no-site">
                <h2>"No site is captured"</h2>
                <p>"Open a page that uses IndexedDB and switch it on with the extension's button, or name its origin in "<code>"capture.origins"</code>" in the host's configuration."</p>
            </div>
        }
        .into_any(),
        _ => quiet(state, &told),
    }
}

fn filtered(state: State) -> AnyView {
    view! {
        <div data-why="filter">
            <h2>"No event fits the filter"</h2>
            {others(state)}
            {state.frozen.get().then(|| view! { <p>"The display is paused: what came since is not looked at."</p> })}
            <p><button class="primary" on:click=press(move || state.set_filter(String::new()))>"Clear the filter"</button></p>
        </div>
    }
    .into_any()
}

/// That there are events, but of other sites.
fn others(state: State) -> Option<impl IntoView> {
    let hidden = state.model.with(|model| model.places().len());
    let confined = state.only_site.get() && state.origin.get().is_some() && state.recording.get().is_none();
    (confined && hidden > 0).then(|| {
        view! {
            <p>{words::counted(hidden, "event")}" of this browser, only those of this site are shown. "
                <button on:click=press(move || state.only_site.set(false))>"Show all sites"</button></p>
        }
    })
}

/// There is no host, or none that we understand.
fn hostless(state: State, told: &Background, problem: &Remark) -> AnyView {
    let mismatch = problem.message.contains(&format!("protocol {PROTOCOL_VERSION}"));
    let (brands, platform) = browser::names();
    let command = install::command(&brands, &platform);
    let copied = command.clone();
    let waiting = waiting(told, if mismatch { "the two fit" } else { "it is there" });
    view! {
        <div data-why=if mismatch { "versions" } else { "host" }>
            <h2>{sentence(&problem.message)}</h2>
            <p>{sentence(&problem.cure)}</p>
            {(!mismatch).then(|| view! {
                <p class="command"><code>{command}</code><button class="primary" aria-label="Copy the command" on:click=press(move || state.copy("Command", &copied))>"Copy"</button></p>
            })}
            <p>{waiting}</p>
            <p class="faint">"A recording opens without a host: Import."</p>
        </div>
    }
    .into_any()
}

/// What becomes of writes until something is put right.
fn waiting(told: &Background, until: &str) -> String {
    let who = match told.waiting {
        0 => "Writes of captured pages wait".to_owned(),
        1 => "1 delivery waits".to_owned(),
        waiting => format!("{waiting} deliveries wait"),
    };
    format!("{who} until {until}; nothing is lost.")
}

fn disabled(state: State, origin: &str) -> AnyView {
    view! {
        <div data-why="site">
            <h2>{origin.to_owned()}" is not captured"</h2>
            <p>"Nothing leaves a page before you say so. Then what it writes to IndexedDB goes to the host on this machine, and from there to Redis and Memcached."</p>
            <p><button class="primary" on:click=press(move || state.capture(true))>"Capture this site"</button></p>
        </div>
    }
    .into_any()
}

fn ungranted(state: State, origin: &str) -> AnyView {
    view! {
        <div data-why="permission">
            <h2>"The browser's permission for "{origin.to_owned()}" is missing"</h2>
            <p>"The site is enabled, but without the permission nothing of it can be captured. The browser asks for this site only."</p>
            <p><button class="primary" on:click=press(move || state.grant())>"Grant the permission"</button></p>
        </div>
    }
    .into_any()
}

/// All is well, and nothing was written.
fn quiet(state: State, told: &Background) -> AnyView {
    let documents = state.inspected_documents();
    // Where the page is captured, a frame that is left out is no reason for an empty list.
    let none_captured = documents.iter().all(|document| document.refused.is_some());
    let refused = documents.iter().find_map(|document| document.refused.clone());
    if let Some(refused) = refused.filter(|_| none_captured && state.inspected.is_some()) {
        return view! {
            <div data-why="refused">
                <h2>{sentence(&refused.message)}</h2>
                <p>{sentence(&refused.cure)}</p>
                <p><button class="primary" on:click=press(browser::reload)>"Reload the page"</button></p>
            </div>
        }
        .into_any();
    }
    if told.paused {
        return view! {
            <div data-why="paused">
                <h2>"Capture is paused"</h2>
                <p>{waiting(told, "it goes on")}</p>
                <p><button class="primary" on:click=press(move || state.toggle_capture())>"Resume capture"</button></p>
            </div>
        }
        .into_any();
    }
    if state.inspected.is_some() && documents.is_empty() {
        return view! {
            <div data-why="unhooked">
                <h2>"Captured from the next load on"</h2>
                <p>"This page was open before its site was enabled, or it could not be loaded. Its writes appear here once it is loaded again."</p>
                <p><button class="primary" on:click=press(browser::reload)>"Reload the page"</button></p>
            </div>
        }
        .into_any();
    }
    if documents.iter().any(|document| document.late) {
        return view! {
            <div data-why="late">
                <h2>"No write yet"</h2>
                <p>"This page was open before capture began: what it has stored is read, and its writes from now on appear here. Load it again to see its first writes, too."</p>
                <p><button on:click=press(browser::reload)>"Reload the page"</button></p>
            </div>
        }
        .into_any();
    }
    view! {
        <div data-why="quiet">
            <h2>"No write yet"</h2>
            <p>"Every transaction that commits from now on appears here."</p>
            {others(state)}
        </div>
    }
    .into_any()
}
