//! The filter's language, the keys, and what is not captured.

use leptos::prelude::*;

use super::{
    erased::{Views as _, part, press, stay},
    state::{Over, State},
};

const WORDS: &[(&str, &str)] = &[
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
    ("↑ ↓", "the event before, the next one"),
    ("PgUp PgDn Home End", "further"),
    ("/", "to the filter"),
    ("Esc", "out of the filter; closes details and this"),
    ("Space", "pause the display"),
    ("f", "follow the newest event"),
    ("Ctrl+K, ⌘K", "all commands"),
    ("?", "this"),
];

#[component]
pub fn Help(state: State) -> impl IntoView {
    part(move || (state.over.get() == Some(Over::Help)).then(|| view! { <Open state /> }))
}

#[component]
fn Open(state: State) -> impl IntoView {
    let table = |lines: &'static [(&str, &str)]| {
        let lines = lines.iter().map(|(word, meaning)| {
            view! { <tr><th scope="row"><code>{*word}</code></th><td>{*meaning}</td></tr> }
        });
        view! { <table>{lines.views()}</table> }
    };
    view! {
        <div class="shade" on:click=press(move || state.show(None))>
            <div class="help" role="dialog" aria-modal="true" aria-label="Help" on:click=stay>
                <header><h2>"Help"</h2><button class="icon" autofocus=true aria-label="Close help" on:click=press(move || state.show(None))>"×"</button></header>
                <div tabindex="0" role="group" aria-label="Help text">
                <h3>"Filter: all terms must match"</h3>
                {table(WORDS)}
                <h3>"Keys"</h3>
                {table(KEYS)}
                <h3>"The strip of stages"</h3>
                <p class="legend">
                    <span class="strip"><i data-state="passed"><s></s></i></span>"passed, with the milliseconds since the commit"
                    <span class="strip"><i data-state="waiting"><s></s></i></span>"in transit"
                    <span class="strip"><i data-state="retrying"><s></s></i></span>"the stage failed and tries again"
                    <span class="strip"><i data-state="noticed"><s></s></i></span>"it reported a problem: see the details"
                    <span class="strip"><i data-state="off"><s></s></i></span>"switched off"
                </p>
                <h3>"Not captured"</h3>
                <p>"Workers are not observed as they write: what they wrote is found when a page of the site loads, and comes as read. Private windows and frames in other sites\u{2019} pages are left out."</p>
                </div>
            </div>
        </div>
    }
}
