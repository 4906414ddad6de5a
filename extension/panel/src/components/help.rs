//! The help dialog: filter language, keys, and what is not captured.

use leptos::prelude::*;

use super::dynamic::{IntoViews as _, dynamic_view, on_press, stop_propagation};
use crate::app::state::{App, Overlay};

const TERMS: &[(&str, &str)] = &[
    ("text", "has the text in its key, its values or its names"),
    (
        "op:put",
        "create, update, delete, read, clear, schema; put is create or update",
    ),
    (
        "store:orders",
        "also db: and origin:; * matches anything, as in origin:http://localhost:*",
    ),
    ("key:42", "the record's key; key:[1,* for arrays"),
    (
        "stage:redis",
        "has passed journal, redis or memcached; -stage:memcached has not yet",
    ),
    (
        "is:error",
        "a stage reported a problem; is:snapshot: the record was read, its write was not observed",
    ),
    ("tx:ID", "of this transaction"),
    ("-word", "negates a term"),
    ("\"two words\"", "quotes keep spaces"),
];

const KEYS: &[(&str, &str)] = &[
    ("↑ ↓", "previous event, next event"),
    ("PgUp PgDn Home End", "a page up or down, first and last event"),
    ("/", "go to the filter"),
    ("Esc", "leave the filter; close the details or a dialog"),
    ("Space", "pause the display"),
    ("f", "follow the newest event"),
    ("Ctrl+K, ⌘K", "all commands"),
    ("?", "this help"),
];

#[component]
pub fn Help(app: App) -> impl IntoView {
    dynamic_view(move || (app.ui.overlay.get() == Some(Overlay::Help)).then(|| view! { <HelpDialog app /> }))
}

#[component]
fn HelpDialog(app: App) -> impl IntoView {
    let table = |rows: &'static [(&str, &str)]| {
        let rows = rows.iter().map(|(term, meaning)| {
            view! { <tr><th scope="row"><code>{*term}</code></th><td>{*meaning}</td></tr> }
        });
        view! { <table>{rows.into_views()}</table> }
    };
    view! {
        <div class="shade" on:click=on_press(move || app.show_overlay(None))>
            <div class="help" role="dialog" aria-modal="true" aria-label="Help" on:click=stop_propagation>
                <header><h2>"Help"</h2><button class="icon" autofocus=true aria-label="Close help" on:click=on_press(move || app.show_overlay(None))>"×"</button></header>
                <div tabindex="0" role="group" aria-label="Help text">
                <h3>"Filter: all terms must match"</h3>
                {table(TERMS)}
                <h3>"Keys"</h3>
                {table(KEYS)}
                <h3>"Stages of an event"</h3>
                <p class="legend">
                    <span class="strip"><i data-state="passed"><s></s></i></span>"passed, with the milliseconds since the commit"
                    <span class="strip"><i data-state="waiting"><s></s></i></span>"in transit"
                    <span class="strip"><i data-state="retrying"><s></s></i></span>"the stage failed and tries again"
                    <span class="strip"><i data-state="noticed"><s></s></i></span>"the stage reported a problem: see the details"
                    <span class="strip"><i data-state="off"><s></s></i></span>"switched off"
                </p>
                <h3>"Not captured"</h3>
                <p>"Writes of workers are not observed; they are found by comparison while a page of the site is visible, in Firefox less often. Private windows and frames in other sites\u{2019} pages are left out."</p>
                </div>
            </div>
        </div>
    }
}
