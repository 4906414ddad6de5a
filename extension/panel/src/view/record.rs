//! One record in IndexedDB, in the mirror and in Memcached, side by side.

use leptos::prelude::*;
use protocol::inspect::{Address, Question, Record, Remark, Reply};
use wasm_bindgen_futures::spawn_local;

use super::state::State;
use crate::{
    browser,
    model::Row,
    side::{Found, Side, of_page, side},
};

/// The record that an event is about.
pub fn now(state: State, row: &Row) -> AnyView {
    if !row.has_key {
        return ().into_any();
    }
    let source = &row.source;
    let address = Address {
        origin: source.origin.clone(),
        bucket: source.bucket.clone(),
        database: source.database.clone(),
        store: source.store.clone(),
        key: row.key().to_owned(),
    };
    // A recording's records are another machine's, or long gone: they are looked for when somebody wants it.
    let at_once = state.recording.with_untracked(Option::is_none);
    view! { <Places state address at_once /> }.into_any()
}

/// The record of an address.
#[component]
pub fn Places(state: State, address: Address, at_once: bool) -> impl IntoView {
    let page = RwSignal::new(None::<Found>);
    let host = RwSignal::new(None::<Result<Record, Remark>>);
    let ask = move || {
        let (asked, read) = (address.clone(), address.clone());
        state.ask(Question::Record(asked), move |reply| {
            // Nobody may look any more.
            let _told = host.try_set(match reply {
                Reply::Record(record) => Some(Ok(record)),
                Reply::Failed(error) => Some(Err(Remark {
                    message: error.message,
                    cure: error.cure,
                })),
                _ => None,
            });
        });
        let tab = tab_of(state, &read.origin);
        spawn_local(async move {
            let text = match tab {
                Some(tab) => browser::read_record(tab, &read).await,
                None => None,
            };
            let _told = page.try_set(Some(of_page(text.as_deref())));
        });
    };
    if at_once {
        ask();
    }
    let content = move || {
        let page = page.get()?;
        host.with(|host| match host {
            None => None,
            Some(Err(Remark { message, cure })) => {
                Some(view! { <p class="error">{message.clone()}" "{cure.clone()}</p> }.into_any())
            }
            Some(Ok(record)) => Some(table(side(page, record))),
        })
    };
    view! {
        <section class="places">
            <h3>"Now"<button on:click=move |_| ask()>"Look again"</button></h3>
            {content}
        </section>
    }
}

/// A tab with a page of the origin: the inspected one if it has one.
fn tab_of(state: State, origin: &str) -> Option<i64> {
    if state
        .origin
        .with_untracked(|inspected| inspected.as_deref() == Some(origin))
        && state.inspected.is_some()
    {
        return state.inspected;
    }
    state.background.with_untracked(|background| {
        let documents = &background.as_ref()?.documents;
        let document = documents
            .iter()
            .find(|document| document.origin == origin && document.refused.is_none())?;
        Some(document.tab)
    })
}

fn table(side: Side) -> AnyView {
    let Side {
        indexeddb,
        mirror,
        memcached,
        verdict,
    } = side;
    let line = |title: &'static str, found: Found| {
        let cell = match found {
            Found::Value(text) => view! { <code>{text}</code> }.into_any(),
            Found::Nothing => view! { <span class="faint">"no such record"</span> }.into_any(),
            Found::Unknown(why) => view! { <span class="faint">{why}</span> }.into_any(),
        };
        view! { <tr><th scope="row">{title}</th><td>{cell}</td></tr> }
    };
    view! {
        <table>
            {line("In IndexedDB", indexeddb)}
            {line("In the mirror", mirror)}
            {line("In Memcached", memcached)}
        </table>
        <p class="verdict" data-state=verdict.0>{verdict.1}</p>
    }
    .into_any()
}
