//! The filter with its chips, and the buttons.

use leptos::{ev, html, prelude::*};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::{
    erased::{Views as _, part, press, switch, text},
    state::{Counts, Over, State, Tab},
};
use crate::{
    browser,
    model::{BOUND, BOUND_BYTES},
    words,
};

#[component]
pub fn Toolbar(state: State) -> impl IntoView {
    let file = NodeRef::<html::Input>::new();
    let choose = move || {
        if let Some(input) = file.get_untracked() {
            input.click();
        }
    };
    let chosen = move |_: ev::Event| read_file(state, &file);
    let (_, platform) = browser::names();
    let shortcut = if platform.starts_with("Mac") {
        "⌘K"
    } else {
        "Ctrl K"
    };
    let tab = move |tab: Tab, name: &'static str, title: &'static str| {
        view! {
            <button id=format!("tab-{name}") role="tab" aria-controls="view" title=title
                aria-selected=switch(move || state.tab.get() == tab)
                on:click=press(move || state.tab.put(tab))>{name}</button>
        }
    };
    view! {
        <div class="toolbar" role="toolbar" aria-label="Filter and display">
            <div class="tabs" role="tablist" aria-label="Views">
                {tab(Tab::Events, "Events", "Each write on its way")}
                {tab(Tab::Stores, "Stores", "What is where: records in the mirror and in Memcached")}
            </div>
            <div class="search">
                <input id="search" type="search" placeholder="Filter   op:put store:orders text   ( / )" aria-label="Filter events"
                    spellcheck="false" autocomplete="off" aria-describedby="mistake"
                    aria-invalid=switch(move || state.query.with(Result::is_err))
                    prop:value=text(move || state.filter.get())
                    on:input=move |event| state.set_filter(event_target_value(&event)) />
                <button class="icon" title="Filter language and keys (?)" aria-label="Help" on:click=press(move || state.show(Some(Over::Help)))>"?"</button>
            </div>
            <div class="buttons">
                <button title="Pause the display; capture goes on (space)" aria-pressed=switch(move || state.frozen.get())
                    on:click=press(move || state.toggle_display())>
                    {text(move || if state.frozen.get() { "Resume" } else { "Pause" }.to_owned())}
                </button>
                <button title="Keep the newest event in sight" aria-pressed=switch(move || state.follow.get())
                    on:click=press(move || state.toggle_follow())>"Follow"</button>
                <button title="Take the stack of each write of the inspected page from now on: where it was called from. Costs the page a little"
                    aria-pressed=switch(move || state.tracing.get())
                    on:click=press(move || state.toggle_tracing())>"Stacks"</button>
                <button title="Forget the events shown; the journal keeps them" on:click=press(move || state.clear())>"Clear"</button>
            </div>
            <div class="buttons">
                <button title="Save the events shown, one JSON object a line" on:click=press(move || state.export())>"Export"</button>
                <button title="Open a recording; no host is needed" on:click=press(choose)>"Import"</button>
                <input class="file" node_ref=file type="file" accept=".ndjson,.jsonl,.json" aria-label="Recording" tabindex="-1" on:change=chosen />
            </div>
            <button class="icon" title="All commands" aria-label=format!("{shortcut}: all commands") on:click=press(move || state.show(Some(Over::Palette)))>{shortcut}</button>
        </div>
        <div class="chips">
            {part(move || chips(state))}
            {part(move || state.recording.get().map(|name| view! {
                <span class="recording">"Recording "<b>{name}</b></span>
                <button class="primary" on:click=press(move || state.live())>"Back to live"</button>
            }))}
            <span class="grow"></span>
            {part(move || state.frozen.get().then(|| view! { <span class="paused">"Display paused"</span> }))}
            <span class="count" title="Older events go when there are more, or when their texts take more room; the journal keeps them by its own bounds">{text(move || shown(state.counts.get()))}</span>
        </div>
    }
}

fn chips(state: State) -> AnyView {
    // A page of no site has the origin `null`.
    let site = state.origin.get().filter(|origin| origin != "null" && state.recording.with(Option::is_none)).map(|origin| {
        view! {
            <button class="term" title="Only events of the inspected site, or of all sites" aria-pressed=switch(move || state.only_site.get())
                on:click=press(move || state.only_site.update(|only| *only = !*only))>
                "only "{words::site(&origin).to_owned()}
            </button>
        }
    });
    let terms = match state.query.get() {
        Err(error) => view! { <span id="mistake" class="error" role="alert">{error}</span> }.into_any(),
        Ok(query) => query
            .terms()
            .iter()
            .enumerate()
            .map(|(index, term)| {
                let without = query.without(index);
                let label = format!("Remove {}", term.text);
                view! {
                    <button class="term" title=label.clone() aria-label=label on:click=press(move || state.set_filter(without.clone()))>
                        {term.text.clone()}<i aria-hidden="true">"×"</i>
                    </button>
                }
            })
            .views()
            .into_any(),
    };
    view! { {site} {terms} }.into_any()
}

/// How many events are shown, of how many, and the two bounds.
fn shown(counts: Counts) -> String {
    let Counts {
        shown, there, gone, ..
    } = counts;
    let bound = format!("{} or {} MB", words::count(BOUND), BOUND_BYTES / (1024 * 1024));
    let mut text = if shown == there {
        format!("{} (limit {bound})", words::counted(there, "event"))
    } else {
        format!(
            "{} of {} (limit {bound})",
            words::count(shown),
            words::counted(there, "event")
        )
    };
    if gone > 0 {
        text = format!("{text}; {} older ones went", words::count(gone));
    }
    text
}

fn read_file(state: State, input: &NodeRef<html::Input>) {
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
            Some(text) => state.import(&name, &text),
            None => state.say(&format!("{name} could not be read")),
        }
    });
    input.set_value("");
}
