//! What `idb-relay doctor` finds, in its own words.

use leptos::prelude::*;
use protocol::inspect::{Check, Question, Reply, Verdict};

use super::{
    erased::{Views as _, part, press, stay},
    sentence::sentence,
    state::{Over, State},
};

#[component]
pub fn Doctor(state: State) -> impl IntoView {
    part(move || (state.over.get() == Some(Over::Doctor)).then(|| view! { <Open state /> }))
}

#[component]
fn Open(state: State) -> impl IntoView {
    let checks = state.checks;
    let ask = move || {
        state.ask(Question::Doctor {}, move |reply| {
            checks.set(match reply {
                Reply::Doctor(found) => Some(Ok(found)),
                Reply::Failed(error) => Some(Err(format!("{} {}", error.message, error.cure))),
                _ => None,
            });
        });
    };
    checks.set(None);
    ask();
    view! {
        <div class="shade" on:click=press(move || state.show(None))>
            <div class="help doctor" role="dialog" aria-modal="true" aria-label="Pipeline check" on:click=stay>
                <header><h2>"Pipeline check"</h2>
                    <button on:click=press(move || { checks.set(None); ask(); })>"Check again"</button>
                    <button class="icon" autofocus=true aria-label="Close the checks" on:click=press(move || state.show(None))>"×"</button></header>
                <div tabindex="0" role="group" aria-label="Checks">
                    {part(move || checks.with(|checks| match checks {
                        None => view! { <p class="faint">"The host looks…"</p> }.into_any(),
                        Some(Err(error)) => view! { <p class="error">{error.clone()}</p> }.into_any(),
                        Some(Ok(checks)) => view! { <ul>{checks.iter().map(line).views()}</ul> }.into_any(),
                    }))}
                    <p class="faint">"In a terminal: "<code>"idb-relay doctor"</code></p>
                </div>
            </div>
        </div>
    }
}

fn line(check: &Check) -> impl IntoView + use<> {
    let (state, word) = match check.verdict {
        Verdict::Ok => ("ok", "ok"),
        Verdict::Note => ("waiting", "note"),
        Verdict::Problem => ("wrong", "problem"),
    };
    let cure = check
        .cure
        .clone()
        .map(|cure| view! { <span class="cure">{sentence(&cure)}</span> });
    view! {
        <li class="chip" data-state=state><i class="dot" role="img" aria-label=word></i><span><b>{check.area.clone()}</b>" "{sentence(&check.message)}{cure}</span></li>
    }
}
