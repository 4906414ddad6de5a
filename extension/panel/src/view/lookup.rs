//! Any record of a store by its key, without there being an event or a difference of it.

use leptos::{ev, prelude::*};
use protocol::{inspect::Address, key::Key};

use super::{
    erased::{press, switch, text},
    page,
    record::Places,
    state::State,
};
use crate::words;

/// The id of the button in a store's row that opens its field.
pub fn opener(row: usize) -> String {
    format!("look-up-{row}")
}

fn title(address: &Address) -> String {
    let mut title = words::names(&[&address.database, &address.store]);
    if !address.bucket.is_empty() {
        title = format!("{title} (bucket {})", address.bucket);
    }
    if !address.key.is_empty() {
        title = format!("{title} › {}", words::names(&[&address.key]));
    }
    title
}

#[component]
pub fn Lookup(state: State, address: Address, row: usize) -> impl IntoView {
    let (written, mistake) = (state.memory.written, state.memory.mistake);
    written.set(address.key.clone());
    mistake.set(String::new());
    if address.key.is_empty() {
        page::soon(|| {
            page::focus("lookup-key");
        });
    }
    let title = title(&address);
    let store = address.clone();
    let look = move || match Key::parse(written.get_untracked().trim()) {
        // The page, the host and its servers know a key by its canonical text.
        Ok(key) => {
            let key = key.to_string();
            let sought = Address { key, ..store.clone() };
            state.memory.chosen.set(Some((sought, row)));
        }
        Err(error) => mistake.set(error.to_string()),
    };
    let close = move || {
        state.memory.chosen.set(None);
        page::focus(&opener(row));
    };
    let looked = look.clone();
    let keys = move |event: ev::KeyboardEvent| match &*event.key() {
        "Enter" if page::is_typing() => looked(),
        "Escape" => {
            event.prevent_default();
            event.stop_propagation();
            close();
        }
        _ => {}
    };
    let places = (!address.key.is_empty()).then(|| view! { <Places state address at_once=true /> });
    view! {
        <aside class="chosen details" aria-label="Record" on:keydown=keys>
            <header><h2>{title}</h2>
                <button class="icon" aria-label="Close the record" on:click=press(close)>"×"</button></header>
            <section class="lookup">
                <label for="lookup-key">"Look up a record"</label>
                <input id="lookup-key" type="text" spellcheck="false" autocomplete="off" aria-describedby="lookup-mistake lookup-hint"
                    aria-invalid=switch(move || mistake.with(|mistake| !mistake.is_empty()))
                    prop:value=text(move || written.get())
                    on:input=move |event| written.set(event_target_value(&event)) />
                <button class="primary" on:click=press(look)>"Look up"</button>
                <p id="lookup-mistake" class="error" role="alert">{text(move || mistake.get())}</p>
                <p id="lookup-hint" class="faint">"A key as its events have it: "<code>"7"</code>", "<code>"\"a\""</code>", "<code>"[1,\"b\"]"</code>", "<code>"{\"$date\":\"2026-01-31T12:00:00.000Z\"}"</code></p>
            </section>
            {places}
        </aside>
    }
}
