//! One record in IndexedDB, in the mirror and in Memcached, side by side.

use leptos::prelude::*;
use protocol::inspect::{Address, Background, Look, Question, Remark, Reply};

use super::{
    erased::{part, press},
    state::State,
};
use crate::{
    link,
    model::Row,
    side::{Found, Side, is_redacted, of_page, side},
};

/// How long something is looked at until servers are asked about it, in milliseconds: who runs through a list asks nothing.
pub const MOMENT: i32 = 150;

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
    let memory = state.memory;
    let look = memory.look_anew();
    let (database, store) = (address.database.clone(), address.store.clone());
    let redacted = move || {
        let rules =
            |background: &Background| is_redacted(background.rules.values().flatten(), &database, &store);
        state
            .background
            .with(|background| background.as_ref().is_some_and(rules))
            .then(|| view! { <p class="faint">"As redaction rules let it leave the browser, in all three places."</p> })
    };
    let ask = move || {
        state.ask(Question::Record(address.clone()), move |reply| {
            if memory.still_looks(look) {
                memory.host.set(match reply {
                    Reply::Record(record) => Some(Ok(record)),
                    Reply::Failed(error) => Some(Err(Remark {
                        message: error.message,
                        cure: error.cure,
                    })),
                    _ => None,
                });
            }
        });
        state.look(Look::Record(address.clone()), move |sight| {
            if memory.still_looks(look) {
                memory.page.set(Some(of_page(&sight)));
            }
        });
    };
    if at_once {
        let ask = ask.clone();
        link::later(MOMENT, move || {
            // Nobody may look any more.
            if memory.still_looks(look) {
                ask();
            }
        });
    }
    let content = move || {
        let page = memory.page.get()?;
        memory.host.with(|host| match host {
            None => None,
            Some(Err(Remark { message, cure })) => {
                Some(view! { <p class="error">{message.clone()}" "{cure.clone()}</p> }.into_any())
            }
            Some(Ok(record)) => Some(table(side(page, record))),
        })
    };
    view! {
        <section class="places">
            <h3>"Now"<button on:click=press(ask)>"Look again"</button></h3>
            {part(content)}
            {part(redacted)}
        </section>
    }
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
