//! The filter with its chips, and the buttons.

use leptos::{ev, html, prelude::*};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::state::{State, Tab};
use crate::{model::BOUND, words};

const HELP: &str = "All words must hold. op:put db:shop store:orders key:42 origin:http://localhost:* stage:redis is:error \
    is:snapshot tx:ID · * stands for anything · -word turns it round · \"quotes keep spaces\" · any other word is searched for";

#[component]
pub fn Toolbar(state: State) -> impl IntoView {
    let file = NodeRef::<html::Input>::new();
    let choose = move |_: ev::MouseEvent| {
        if let Some(input) = file.get_untracked() {
            input.click();
        }
    };
    let chosen = move |_: ev::Event| read_file(state, &file);
    let paused = move || {
        state
            .background
            .with(|told| told.as_ref().is_some_and(|told| told.paused))
    };
    view! {
        <div class="toolbar" role="toolbar" aria-label="Filter and display">
            <div class="tabs" role="tablist">
                <button role="tab" aria-selected=move || (state.tab.get() == Tab::Events).to_string()
                    on:click=move |_| state.tab.set(Tab::Events)>"Events"</button>
                <button role="tab" aria-selected=move || (state.tab.get() == Tab::Stores).to_string()
                    on:click=move |_| state.tab.set(Tab::Stores)>"Stores"</button>
            </div>
            <input id="search" type="search" placeholder="Filter: op:put store:orders text…   ( / )" title=HELP aria-label="Filter events"
                spellcheck="false" autocomplete="off"
                aria-invalid=move || state.query.with(Result::is_err).to_string()
                prop:value=move || state.filter.get()
                on:input=move |event| state.filter.set(event_target_value(&event)) />
            <button title="Pause the display; capture goes on (space)" aria-pressed=move || state.frozen.get().to_string()
                on:click=move |_| state.toggle_display()>
                {move || if state.frozen.get() { "▶ Resume" } else { "❚❚ Pause" }}
            </button>
            <button title="Keep the newest event in sight" aria-pressed=move || state.follow.get().to_string()
                on:click=move |_| state.follow.update(|follow| *follow = !*follow)>"Follow"</button>
            <button title="Forget the events shown; the journal keeps them" on:click=move |_| state.clear()>"Clear"</button>
            <button title="Save the events shown, one JSON object a line" on:click=move |_| state.export()>"Export"</button>
            <button title="Open a recording; no host is needed" on:click=choose>"Import"</button>
            <input class="file" node_ref=file type="file" accept=".ndjson,.jsonl,.json" aria-label="Recording" tabindex="-1" on:change=chosen />
            <button class="capture" title="Pause capture itself: pages keep their commits until it goes on" aria-pressed=move || paused().to_string()
                on:click=move |_| state.toggle_capture()>
                {move || if paused() { "Resume capture" } else { "Pause capture" }}
            </button>
            <button title="All commands (Ctrl+K)" aria-label="All commands" on:click=move |_| state.palette.set(true)>"⌘K"</button>
        </div>
        <div class="chips">
            {move || state.query.get().map_or_else(
                |error| view! { <span class="error" role="alert">{error}</span> }.into_any(),
                |query| query.terms().iter().enumerate().map(|(index, term)| {
                    let without = query.without(index);
                    let label = format!("Remove {}", term.text);
                    view! {
                        <button class="term" aria-label=label on:click=move |_| state.filter.set(without.clone())>
                            {term.text.clone()}<i aria-hidden="true">"×"</i>
                        </button>
                    }
                }).collect_view().into_any(),
            )}
            {move || state.recording.get().map(|name| view! {
                <span class="note">"Recording "<b>{name}</b></span>
                <button class="term" on:click=move |_| state.live()>"Back to live"</button>
            })}
            <span class="grow"></span>
            <span class="note">{move || shown(state)}</span>
        </div>
    }
}

/// How many events are shown, of how many, and the bound.
fn shown(state: State) -> String {
    let (there, gone) = state.model.with(|model| (model.places().len(), model.gone()));
    let visible = state.visible.with(|visible| visible.places.len());
    let mut text = if visible == there {
        format!("{} events", words::count(there))
    } else {
        format!("{} of {} events", words::count(visible), words::count(there))
    };
    if gone > 0 {
        text.push_str(&format!(
            "; {} older ones are no longer shown (at most {})",
            words::count(gone),
            words::count(BOUND)
        ));
    }
    if state.frozen.get() {
        text.push_str("; display paused");
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
