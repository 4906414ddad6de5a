//! Any record of a store by its key, without there being an event or a difference of it.

use leptos::{ev, prelude::*};
use protocol::{inspect::Address, key::Key};

use super::{page, record::Places, state::State};

/// The record that is looked at, and the store's row in the table. An empty key: the store alone, until somebody writes one.
pub type Chosen = Option<(Address, usize)>;

/// The id of the button in a store's row that opens its field.
pub fn opener(row: usize) -> String {
    format!("look-up-{row}")
}

fn title(address: &Address) -> String {
    let mut title = format!("{} › {}", address.database, address.store);
    if !address.bucket.is_empty() {
        title = format!("{title} (bucket {})", address.bucket);
    }
    if !address.key.is_empty() {
        title = format!("{title} › {}", address.key);
    }
    title
}

#[component]
pub fn Lookup(state: State, address: Address, row: usize, chosen: RwSignal<Chosen>) -> impl IntoView {
    let (written, mistake) = (RwSignal::new(address.key.clone()), RwSignal::new(String::new()));
    if address.key.is_empty() {
        page::soon(|| {
            page::focus("lookup-key");
        });
    }
    let sought = RwSignal::new(address);
    let look = move || {
        mistake.set(match Key::parse(written.get_untracked().trim()) {
            // The page, the host and its servers know a key by its canonical text.
            Ok(key) => {
                sought.update(|address| address.key = key.to_string());
                String::new()
            }
            Err(error) => error.to_string(),
        });
    };
    let close = move || {
        chosen.set(None);
        page::focus(&opener(row));
    };
    let keys = move |event: ev::KeyboardEvent| match &*event.key() {
        "Enter" if page::is_typing() => look(),
        "Escape" => {
            event.prevent_default();
            event.stop_propagation();
            close();
        }
        _ => {}
    };
    let title = move || sought.with(title);
    let places = move || {
        let address = sought.get();
        (!address.key.is_empty()).then(|| view! { <Places state address at_once=true /> })
    };
    view! {
        <aside class="chosen details" aria-label="Record" on:keydown=keys>
            <header><h2>{title}</h2>
                <button class="icon" aria-label="Close the record" on:click=move |_| close()>"×"</button></header>
            <section class="lookup">
                <label for="lookup-key">"Look up a record"</label>
                <input id="lookup-key" type="text" spellcheck="false" autocomplete="off" aria-describedby="lookup-mistake lookup-hint"
                    aria-invalid=move || mistake.with(|mistake| !mistake.is_empty()).to_string()
                    prop:value=move || written.get()
                    on:input=move |event| written.set(event_target_value(&event)) />
                <button class="primary" on:click=move |_| look()>"Look up"</button>
                <p id="lookup-mistake" class="error" role="alert">{move || mistake.get()}</p>
                <p id="lookup-hint" class="faint">"A key as its events have it: "<code>"7"</code>", "<code>"\"a\""</code>", "<code>"[1,\"b\"]"</code>", "<code>"{\"$date\":\"2026-01-31T12:00:00.000Z\"}"</code></p>
            </section>
            {places}
        </aside>
    }
}
