//! One record in IndexedDB, in the mirror and in Memcached, side by side.

use leptos::prelude::*;
use protocol::wire::inspector::{Address, Background, Look, Problem, Question, Reply};

use super::dynamic::{dynamic_view, on_press};
use crate::{
    app::state::App,
    events::row::EventRow,
    records::comparison::{Content, RecordComparison, compare_record, content_in_page, is_redacted},
    timers::run_later,
    timing,
};

/// The record of an event.
pub fn record_of_event(app: App, row: &EventRow) -> AnyView {
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
    // The records of a recording are on another machine, or long gone: compare them only on
    // request.
    let is_automatic = app.source.recording.with_untracked(Option::is_none);
    view! { <RecordComparisonView app address is_automatic /> }.into_any()
}

#[component]
pub fn RecordComparisonView(app: App, address: Address, is_automatic: bool) -> impl IntoView {
    let comparison = app.start_record_comparison();
    let (database, store) = (address.database.clone(), address.store.clone());
    let redacted = move || {
        let rules =
            |background: &Background| is_redacted(background.rules.values().flatten(), &database, &store);
        app.host
            .background
            .with(|background| background.as_ref().is_some_and(rules))
            .then(|| view! { <p class="faint">"As changed by redaction rules, in all three places."</p> })
    };
    let compare = move || {
        app.ask(Question::Record(address.clone()), move |reply| {
            if app.is_latest_comparison(comparison) {
                app.stores.record_in_host.set(match reply {
                    Reply::Record(record) => Some(Ok(record)),
                    Reply::Failed(error) => Some(Err(Problem {
                        message: error.message,
                        fix: error.fix,
                    })),
                    _ => None,
                });
            }
        });
        app.inspect_page(Look::Record(address.clone()), move |sight| {
            if app.is_latest_comparison(comparison) {
                app.stores.record_in_page.set(Some(content_in_page(&sight)));
            }
        });
    };
    if is_automatic {
        let compare = compare.clone();
        run_later(timing::SELECTION_DELAY_MS, move || {
            // Another record may be shown by then.
            if app.is_latest_comparison(comparison) {
                compare();
            }
        });
    }
    let content = move || {
        let page = app.stores.record_in_page.get()?;
        app.stores.record_in_host.with(|host| match host {
            None => None,
            Some(Err(Problem { message, fix })) => {
                Some(view! { <p class="error">{message.clone()}" "{fix.clone()}</p> }.into_any())
            }
            Some(Ok(record)) => Some(comparison_table(compare_record(page, record))),
        })
    };
    view! {
        <section class="places">
            <h3>"Current values"<button on:click=on_press(compare)>"Look again"</button></h3>
            {dynamic_view(content)}
            {dynamic_view(redacted)}
        </section>
    }
}

fn comparison_table(comparison: RecordComparison) -> AnyView {
    let RecordComparison {
        indexeddb,
        mirror,
        memcached,
        verdict,
    } = comparison;
    let line = |title: &'static str, content: Content| {
        let cell = match content {
            Content::Value(text) => view! { <code>{text}</code> }.into_any(),
            Content::NoRecord => view! { <span class="faint">"no such record"</span> }.into_any(),
            Content::Unknown(reason) => view! { <span class="faint">{reason}</span> }.into_any(),
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
