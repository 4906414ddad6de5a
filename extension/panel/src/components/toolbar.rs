//! The tabs, the filter with its chips, and the buttons.

use leptos::{ev, html, prelude::*};
use protocol::wire::inspector::{DeepCapture, DeepCaptureState};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::dynamic::{IntoViews as _, aria_bool, dynamic_text, dynamic_view, on_press};
use crate::{
    app::state::{App, FeedCounts, Overlay, Tab},
    browser,
    events::log::{MAX_BYTES, MAX_EVENTS},
    format,
};

#[component]
pub fn Toolbar(app: App) -> impl IntoView {
    let file = NodeRef::<html::Input>::new();
    let choose_file = move || {
        if let Some(input) = file.get_untracked() {
            input.click();
        }
    };
    let handle_file = move |_: ev::Event| read_file(app, &file);
    let (_, platform) = browser::browser_names_and_platform();
    let shortcut = if platform.starts_with("Mac") {
        "⌘K"
    } else {
        "Ctrl K"
    };
    let tab = move |tab: Tab, name: &'static str, title: &'static str| {
        view! {
            <button id=format!("tab-{name}") role="tab" aria-controls="view" title=title
                aria-selected=aria_bool(move || app.ui.tab.get() == tab)
                on:click=on_press(move || app.ui.tab.set_if_changed(tab))>{name}</button>
        }
    };
    view! {
        <div class="toolbar" role="toolbar" aria-label="Filter and display">
            <div class="tabs" role="tablist" aria-label="Views">
                {tab(Tab::Events, "Events", "Each write, from the page to Memcached")}
                {tab(Tab::Stores, "Stores", "The records of each store in IndexedDB, in the mirror and in Memcached")}
            </div>
            <div class="search">
                <input id="search" type="search" placeholder="Filter   op:put store:orders text   ( / )" aria-label="Filter events"
                    spellcheck="false" autocomplete="off" aria-describedby="mistake"
                    aria-invalid=aria_bool(move || app.filter.parsed.with(Result::is_err))
                    prop:value=dynamic_text(move || app.filter.text.get())
                    on:input=move |event| app.set_filter(event_target_value(&event)) />
                <button class="icon" title="Filter language and keys (?)" aria-label="Help" on:click=on_press(move || app.show_overlay(Some(Overlay::Help)))>"?"</button>
            </div>
            <div class="buttons">
                <button title="Pause the display; capture continues (space)" aria-pressed=aria_bool(move || app.feed.is_paused.get())
                    on:click=on_press(move || app.toggle_display_pause())>
                    {dynamic_text(move || if app.feed.is_paused.get() { "Resume" } else { "Pause" }.to_owned())}
                </button>
                <button title="Keep the newest event in view (f)" aria-pressed=aria_bool(move || app.list.is_following.get())
                    on:click=on_press(move || app.toggle_follow())>"Follow"</button>
                <button title="Record the call stack of each write of the inspected page from now on. Slows the page down a little"
                    aria-pressed=aria_bool(move || app.source.is_tracing.get())
                    on:click=on_press(move || app.toggle_tracing())>"Stacks"</button>
                {dynamic_view(move || app.has_deep_capture().then(|| view! {
                    <button class="deep" title="Deep capture: capture the workers of this tab as they write, by the browser's debugger. The browser shows a banner meanwhile; closing the banner ends deep capture"
                        aria-pressed=aria_bool(move || app.deep_capture().is_some_and(|deep| deep.state == DeepCaptureState::On))
                        on:click=on_press(move || app.toggle_deep_capture())>"Workers"</button>
                }))}
                <button title="Remove the events from the display; the journal keeps them" on:click=on_press(move || app.clear_events())>"Clear"</button>
            </div>
            <div class="buttons">
                <button title="Save the events shown, one JSON object per line" on:click=on_press(move || app.export())>"Export"</button>
                <button title="Open a recording; this needs no host" on:click=on_press(choose_file)>"Import"</button>
                <input class="file" node_ref=file type="file" accept=".ndjson,.jsonl,.json" aria-label="Recording" tabindex="-1" on:change=handle_file />
            </div>
            <button class="icon" title="All commands" aria-label=format!("{shortcut}: all commands") on:click=on_press(move || app.show_overlay(Some(Overlay::Palette)))>{shortcut}</button>
        </div>
        <div class="chips">
            {dynamic_view(move || chips(app))}
            {dynamic_view(move || app.source.recording.get().map(|name| view! {
                <span class="recording">"Recording "<b>{name}</b></span>
                <button class="primary" on:click=on_press(move || app.return_to_live())>"Back to live"</button>
            }))}
            {dynamic_view(move || app.deep_capture().and_then(|deep| describe_deep_capture(&deep)).map(|text| view! {
                <span class="recording" role="status">{text}</span>
            }))}
            <span class="grow"></span>
            {dynamic_view(move || app.feed.is_paused.get().then(|| view! { <span class="paused">"Display paused"</span> }))}
            <span class="count" title="Beyond the limits the oldest events are removed from the display; the journal has limits of its own">{dynamic_text(move || describe_counts(app.feed.counts.get()))}</span>
        </div>
    }
}

fn chips(app: App) -> AnyView {
    // A page without a site has the origin `null`.
    let site = app.site.origin.get().filter(|origin| origin != "null" && app.source.recording.with(Option::is_none)).map(|origin| {
        view! {
            <button class="term" title="Only events of the inspected site, or of all sites" aria-pressed=aria_bool(move || app.site.is_exclusive.get())
                on:click=on_press(move || app.site.is_exclusive.update(|is_exclusive| *is_exclusive = !*is_exclusive))>
                "only "{format::without_scheme(&origin).to_owned()}
            </button>
        }
    });
    let terms = match app.filter.parsed.get() {
        Err(error) => view! { <span id="mistake" class="error" role="alert">{error}</span> }.into_any(),
        Ok(filter) => filter
            .terms()
            .iter()
            .enumerate()
            .map(|(index, term)| {
                let without = filter.text_without(index);
                let label = format!("Remove {}", term.text);
                view! {
                    <button class="term" title=label.clone() aria-label=label on:click=on_press(move || app.set_filter(without.clone()))>
                        {term.text.clone()}<i aria-hidden="true">"×"</i>
                    </button>
                }
            })
            .into_views()
            .into_any(),
    };
    view! { {site} {terms} }.into_any()
}

/// What deep capture does, and what ends it. Why it has ended stands with the problems.
fn describe_deep_capture(deep: &DeepCapture) -> Option<String> {
    match (deep.state, deep.hooked) {
        (DeepCaptureState::Ended, _) => None,
        (DeepCaptureState::Attaching, _) => Some("Deep capture is starting…".to_owned()),
        (DeepCaptureState::On, 0) => Some(
            "Deep capture is on: workers that start from now on are captured as they write. Closing the browser's banner ends it."
                .to_owned(),
        ),
        (DeepCaptureState::On, hooked) => Some(format!(
            "Deep capture: {} captured. Closing the browser's banner ends it.",
            format::count_noun(hooked.into(), "worker")
        )),
    }
}

/// The number of events shown, of all events, and the limits.
fn describe_counts(counts: FeedCounts) -> String {
    let FeedCounts {
        matching,
        kept,
        evicted,
        ..
    } = counts;
    let limits = format!(
        "{} or {} MB",
        format::count(MAX_EVENTS as u64),
        MAX_BYTES / (1024 * 1024)
    );
    let kept_events = format::count_noun(kept as u64, "event");
    let mut text = if matching == kept {
        format!("{kept_events} (limit {limits})")
    } else {
        format!(
            "{} of {kept_events} (limit {limits})",
            format::count(matching as u64)
        )
    };
    if evicted > 0 {
        text = format!("{text}; {} older ones removed", format::count(evicted as u64));
    }
    text
}

fn read_file(app: App, input: &NodeRef<html::Input>) {
    let Some(input) = input.get_untracked() else {
        return;
    };
    let Some(file) = input.files().and_then(|files| files.get(0)) else {
        return;
    };
    let name = file.name();
    let reading = JsFuture::from(file.text());
    spawn_local(async move {
        match reading.await.ok().and_then(|text| text.as_string()) {
            Some(text) => app.import(&name, &text),
            None => app.show_toast(&format!("{name} could not be read")),
        }
    });
    input.set_value("");
}
