//! Looks up a record of a store by its key.

use leptos::{ev, prelude::*};
use protocol::{key::Key, wire::inspector::Address};

use super::{
    dynamic::{aria_bool, dynamic_text, on_press},
    record_comparison::RecordComparisonView,
};
use crate::{app::state::App, dom::page, format, timers::run_with_next_frame};

/// The id of the button in the row of a store that opens the lookup.
pub fn button_id(row: usize) -> String {
    format!("look-up-{row}")
}

fn title_of(address: &Address) -> String {
    let mut title = format::join_names(&[&address.database, &address.store]);
    if !address.bucket.is_empty() {
        title = format!("{title} (bucket {})", address.bucket);
    }
    if !address.key.is_empty() {
        title = format!("{title} › {}", format::join_names(&[&address.key]));
    }
    title
}

#[component]
pub fn RecordLookup(app: App, address: Address, row: usize) -> impl IntoView {
    let (key_text, key_error) = (app.stores.key_text, app.stores.key_error);
    key_text.set(address.key.clone());
    key_error.set(String::new());
    if address.key.is_empty() {
        run_with_next_frame(|| {
            page::focus("lookup-key");
        });
    }
    let title = title_of(&address);
    let store = address.clone();
    let look_up = move || match Key::parse(key_text.get_untracked().trim()) {
        // Page, host and servers identify a key by its canonical text.
        Ok(key) => {
            let key = key.to_string();
            let sought = Address { key, ..store.clone() };
            app.stores.chosen.set(Some((sought, row)));
        }
        Err(error) => key_error.set(error.to_string()),
    };
    let close = move || {
        app.stores.chosen.set(None);
        page::focus(&button_id(row));
    };
    let look_up_by_key = look_up.clone();
    let handle_key = move |event: ev::KeyboardEvent| match &*event.key() {
        "Enter" if page::is_typing() => look_up_by_key(),
        "Escape" => {
            event.prevent_default();
            event.stop_propagation();
            close();
        }
        _ => {}
    };
    let comparison =
        (!address.key.is_empty()).then(|| view! { <RecordComparisonView app address is_automatic=true /> });
    view! {
        <aside class="chosen details" aria-label="Record" on:keydown=handle_key>
            <header><h2>{title}</h2>
                <button class="icon" aria-label="Close the record" on:click=on_press(close)>"×"</button></header>
            <section class="lookup">
                <label for="lookup-key">"Look up a record"</label>
                <input id="lookup-key" type="text" spellcheck="false" autocomplete="off" aria-describedby="lookup-mistake lookup-hint"
                    aria-invalid=aria_bool(move || key_error.with(|error| !error.is_empty()))
                    prop:value=dynamic_text(move || key_text.get())
                    on:input=move |event| key_text.set(event_target_value(&event)) />
                <button class="primary" on:click=on_press(look_up)>"Look up"</button>
                <p id="lookup-mistake" class="error" role="alert">{dynamic_text(move || key_error.get())}</p>
                <p id="lookup-hint" class="faint">"A key as events show it: "<code>"7"</code>", "<code>"\"a\""</code>", "<code>"[1,\"b\"]"</code>", "<code>"{\"$date\":\"2026-01-31T12:00:00.000Z\"}"</code></p>
            </section>
            {comparison}
        </aside>
    }
}
