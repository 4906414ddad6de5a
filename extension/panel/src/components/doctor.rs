//! The dialog with the checks of `idb-relay doctor`.

use leptos::prelude::*;
use protocol::wire::inspector::{Check, Question, Reply, Verdict};

use super::{
    dynamic::{IntoViews as _, dynamic_view, on_press, stop_propagation},
    sentence::sentence,
};
use crate::app::state::{App, Overlay};

#[component]
pub fn Doctor(app: App) -> impl IntoView {
    dynamic_view(move || {
        (app.ui.overlay.get() == Some(Overlay::Doctor)).then(|| view! { <DoctorDialog app /> })
    })
}

#[component]
fn DoctorDialog(app: App) -> impl IntoView {
    let checks = app.host.checks;
    let run_checks = move || {
        app.ask(Question::Doctor {}, move |reply| {
            checks.set(match reply {
                Reply::Doctor(checks) => Some(Ok(checks)),
                Reply::Failed(error) => Some(Err(format!("{} {}", error.message, error.fix))),
                _ => None,
            });
        });
    };
    checks.set(None);
    run_checks();
    view! {
        <div class="shade" on:click=on_press(move || app.show_overlay(None))>
            <div class="help doctor" role="dialog" aria-modal="true" aria-label="Pipeline check" on:click=stop_propagation>
                <header><h2>"Pipeline check"</h2>
                    <button on:click=on_press(move || { checks.set(None); run_checks(); })>"Check again"</button>
                    <button class="icon" autofocus=true aria-label="Close the checks" on:click=on_press(move || app.show_overlay(None))>"×"</button></header>
                <div tabindex="0" role="group" aria-label="Checks">
                    {dynamic_view(move || checks.with(|checks| match checks {
                        None => view! { <p class="faint">"The host is checking…"</p> }.into_any(),
                        Some(Err(error)) => view! { <p class="error">{error.clone()}</p> }.into_any(),
                        Some(Ok(checks)) => view! { <ul>{checks.iter().map(check_item).into_views()}</ul> }.into_any(),
                    }))}
                    <p class="faint">"In a terminal: "<code>"idb-relay doctor"</code></p>
                </div>
            </div>
        </div>
    }
}

fn check_item(check: &Check) -> impl IntoView + use<> {
    let (status, word) = match check.verdict {
        Verdict::Ok => ("ok", "ok"),
        Verdict::Note => ("waiting", "note"),
        Verdict::Problem => ("wrong", "problem"),
    };
    let fix = check
        .fix
        .clone()
        .map(|fix| view! { <span class="fix">{sentence(&fix)}</span> });
    view! {
        <li class="chip" data-state=status><i class="dot" role="img" aria-label=word></i><span><b>{check.area.clone()}</b>" "{sentence(&check.message)}{fix}</span></li>
    }
}
