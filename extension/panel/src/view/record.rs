//! One record side by side: what the event left, what the mirror and Memcached hold now.

use leptos::prelude::*;
use protocol::{
    inspect::{Address, Question, Record, Remark, Reply},
    value::plain,
};

use super::state::State;
use crate::model::Row;

/// How much of a plain value is shown.
const PLAIN_BYTES: usize = 256 * 1024;

/// What the host said.
type Answer = Result<Record, Remark>;

#[component]
pub fn Places(state: State, row: Row) -> impl IntoView {
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
    view! { <OneRecord state address /> }.into_any()
}

/// The record of an address, asked for at once and again on demand.
#[component]
pub fn OneRecord(state: State, address: Address) -> impl IntoView {
    let answer = RwSignal::new(None::<Answer>);
    let ask = move || {
        state.ask(Question::Record(address.clone()), move |reply| {
            // It may have been closed meanwhile.
            let _told = answer.try_set(match reply {
                Reply::Record(record) => Some(Ok(record)),
                Reply::Failed(error) => Some(Err(Remark {
                    message: error.message,
                    cure: error.cure,
                })),
                _ => None,
            });
        });
    };
    if state.recording.with_untracked(Option::is_none) {
        ask();
    }
    let content = move || {
        answer.with(|answer| match answer {
            None => None,
            Some(Err(Remark { message, cure })) => {
                Some(view! { <p class="error">{message.clone()}" "{cure.clone()}</p> }.into_any())
            }
            Some(Ok(record)) => Some(table(record)),
        })
    };
    view! {
        <section class="places">
            <h3>"Now"<button on:click=move |_| ask()>"Look again"</button></h3>
            {content}
        </section>
    }
}

fn table(record: &Record) -> AnyView {
    let mirror = record.mirror.as_ref().map(|typed| {
        plain(typed.get(), PLAIN_BYTES).map_or_else(|_| typed.get().to_owned(), std::borrow::Cow::into_owned)
    });
    let verdict = match (record.same, &record.trouble) {
        (Some(true), _) => ("ok", "Memcached holds what the mirror does.".to_owned()),
        (Some(false), _) => ("wrong", "Memcached does not hold what it should.".to_owned()),
        (None, Some(trouble)) => ("wrong", format!("{} {}", trouble.message, trouble.cure)),
        (None, None) => ("off", "Memcached is switched off.".to_owned()),
    };
    let cell = |text: Option<String>| match text {
        Some(text) => view! { <td><code>{text}</code></td> }.into_any(),
        None => view! { <td class="faint">"no such record"</td> }.into_any(),
    };
    view! {
        <table>
            <tr><th scope="row">"In the mirror"</th>{cell(mirror)}</tr>
            <tr><th scope="row">"In Memcached"</th>{cell(record.found.clone())}</tr>
        </table>
        <p class="verdict" data-state=verdict.0>{verdict.1}</p>
    }
    .into_any()
}
