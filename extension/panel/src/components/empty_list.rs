//! Shown instead of an empty list: why there is no event, and what to do.

use leptos::prelude::*;
use protocol::{
    PROTOCOL_VERSION,
    origin::OriginPattern,
    wire::inspector::{Background, Problem},
};

use super::{
    dynamic::{dynamic_view, on_press},
    sentence::sentence,
};
use crate::{app::state::App, browser, format, install_command::install_command};

#[component]
pub fn EmptyList(app: App) -> impl IntoView {
    view! { <div class="empty">{dynamic_view(move || explain(app))}</div> }
}

fn explain(app: App) -> AnyView {
    if app.feed.is_filtering.get() {
        return view! { <div data-why="looking"><h2>"Filtering…"</h2></div> }.into_any();
    }
    let has_terms = app.filter.active.with(|filter| !filter.terms().is_empty());
    if has_terms && app.feed.log.with(|log| !log.places().is_empty()) {
        return no_match(app);
    }
    if app.feed.is_paused.get() {
        let received = app.feed.log.with(|log| log.places().len());
        return view! {
            <div data-why="display-paused">
                <h2>"The display is paused"</h2>
                <p>{format!("Capture continues: {} here. New events appear when the display resumes.", format::count_noun(received as u64, "event"))}</p>
                <p><button class="primary" on:click=on_press(move || app.toggle_display_pause())>"Resume the display"</button></p>
            </div>
        }
        .into_any();
    }
    if let Some(name) = app.source.recording.get() {
        return view! {
            <div data-why="recording">
                <h2>{name}" has no events"</h2>
                <p>"A recording has one event per line, as "<b>"Export"</b>" saves them; this one has none."</p>
                <p><button class="primary" on:click=on_press(move || app.return_to_live())>"Back to live"</button></p>
            </div>
        }
        .into_any();
    }
    let Some(background) = app.host.background.get() else {
        return view! { <div data-why="connecting"><h2>"Connecting to the extension…"</h2></div> }.into_any();
    };
    if let (false, Some(problem)) = (background.connected, &background.problem) {
        return no_host(app, &background, problem);
    }
    let origin = app.site.origin.get().unwrap_or_default();
    if !origin.is_empty() && OriginPattern::parse(&origin).is_err() {
        return view! {
            <div data-why="no-page">
                <h2>"This page has no site"</h2>
                <p>"There is no IndexedDB here to capture. Open a page on the web, or one of a server on this machine."</p>
            </div>
        }
        .into_any();
    }
    match app.is_site_enabled() {
        Some(false) => not_captured(app, &origin),
        Some(true) if app.is_permission_missing() => no_permission(app, &origin),
        None if background.origins.is_empty() => view! {
            <div data-why="no-site">
                <h2>"No site is captured"</h2>
                <p>"Open a page that uses IndexedDB and enable it with the extension's button, or add its origin to "<code>"capture.origins"</code>" in the host's configuration."</p>
            </div>
        }
        .into_any(),
        _ => no_write(app, &background),
    }
}

fn no_match(app: App) -> AnyView {
    view! {
        <div data-why="filter">
            <h2>"No event matches the filter"</h2>
            {hidden_events(app)}
            {app.feed.is_paused.get().then(|| view! { <p>"The display is paused: events received since are not shown."</p> })}
            <p><button class="primary" on:click=on_press(move || app.set_filter(String::new()))>"Clear the filter"</button></p>
        </div>
    }
    .into_any()
}

/// The number of events of other sites.
fn hidden_events(app: App) -> Option<impl IntoView> {
    let hidden = app.feed.log.with(|log| log.places().len());
    let is_restricted = app.site.is_exclusive.get()
        && app.site.origin.get().is_some()
        && app.source.recording.get().is_none();
    (is_restricted && hidden > 0).then(|| {
        view! {
            <p>{format::count_noun(hidden as u64, "event")}" of this browser, only those of this site are shown. "
                <button on:click=on_press(move || app.site.is_exclusive.set(false))>"Show all sites"</button></p>
        }
    })
}

/// There is no host, or it speaks another protocol.
fn no_host(app: App, background: &Background, problem: &Problem) -> AnyView {
    let is_mismatch = problem.message.contains(&format!("protocol {PROTOCOL_VERSION}"));
    let (names, platform) = browser::browser_names_and_platform();
    let command = install_command(&names, &platform);
    let copied = command.clone();
    let until = if is_mismatch {
        "the versions match"
    } else {
        "there is one"
    };
    let waiting = describe_waiting(background, until);
    view! {
        <div data-why=if is_mismatch { "versions" } else { "host" }>
            <h2>{sentence(&problem.message)}</h2>
            <p>{sentence(&problem.fix)}</p>
            {(!is_mismatch).then(|| view! {
                <p class="command"><code>{command}</code><button class="primary" aria-label="Copy the command" on:click=on_press(move || app.copy("Command", &copied))>"Copy"</button></p>
            })}
            <p>{waiting}</p>
            <p class="faint">"A recording can be opened without a host: Import."</p>
        </div>
    }
    .into_any()
}

/// That writes wait until something is fixed.
fn describe_waiting(background: &Background, until: &str) -> String {
    let waiting = match background.waiting {
        0 => "Writes of captured pages wait".to_owned(),
        waiting => format::count_with(waiting, "delivery waits", "deliveries wait"),
    };
    format!("{waiting} until {until}; nothing is lost.")
}

fn not_captured(app: App, origin: &str) -> AnyView {
    view! {
        <div data-why="site">
            <h2>{origin.to_owned()}" is not captured"</h2>
            <p>"Capture it to send its IndexedDB writes to the host on this machine, and from there to Redis and Memcached."</p>
            <p><button class="primary" on:click=on_press(move || app.set_site_capture(true))>"Capture this site"</button></p>
        </div>
    }
    .into_any()
}

fn no_permission(app: App, origin: &str) -> AnyView {
    view! {
        <div data-why="permission">
            <h2>"The browser's permission for "{origin.to_owned()}" is missing"</h2>
            <p>"The site is enabled, but it cannot be captured without the permission. The browser asks for this site only."</p>
            <p><button class="primary" on:click=on_press(move || app.request_permission())>"Grant the permission"</button></p>
        </div>
    }
    .into_any()
}

/// Nothing was written, or the page is not captured yet.
fn no_write(app: App, background: &Background) -> AnyView {
    let documents = app.inspected_documents();
    // While the page itself is captured, a frame that is left out does not explain an empty list.
    let none_captured = documents.iter().all(|document| document.refused.is_some());
    let refused = documents.iter().find_map(|document| document.refused.clone());
    if let Some(refused) = refused.filter(|_| none_captured && app.site.inspected_tab.is_some()) {
        return view! {
            <div data-why="refused">
                <h2>{sentence(&refused.message)}</h2>
                <p>{sentence(&refused.fix)}</p>
                <p><button class="primary" on:click=on_press(browser::reload_inspected_page)>"Reload the page"</button></p>
            </div>
        }
        .into_any();
    }
    if background.paused {
        return view! {
            <div data-why="paused">
                <h2>"Capture is paused"</h2>
                <p>{describe_waiting(background, "it resumes")}</p>
                <p><button class="primary" on:click=on_press(move || app.toggle_capture_pause())>"Resume capture"</button></p>
            </div>
        }
        .into_any();
    }
    if app.site.inspected_tab.is_some() && documents.is_empty() {
        return view! {
            <div data-why="unhooked">
                <h2>"Captured from the next load on"</h2>
                <p>"This page was open before its site was enabled, or it failed to load. Reload it to see its writes."</p>
                <p><button class="primary" on:click=on_press(browser::reload_inspected_page)>"Reload the page"</button></p>
            </div>
        }
        .into_any();
    }
    if documents.iter().any(|document| document.late) {
        return view! {
            <div data-why="late">
                <h2>"No write yet"</h2>
                <p>"This page was open before capture began. Its records are read, and its writes from now on appear here. Reload it to see its first writes, too."</p>
                <p><button on:click=on_press(browser::reload_inspected_page)>"Reload the page"</button></p>
            </div>
        }
        .into_any();
    }
    view! {
        <div data-why="quiet">
            <h2>"No write yet"</h2>
            <p>"Every transaction that commits from now on appears here."</p>
            {hidden_events(app)}
        </div>
    }
    .into_any()
}
