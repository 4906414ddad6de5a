//! What is where: each store with its records in the mirror, and how Memcached differs.

use std::collections::BTreeMap;

use leptos::prelude::*;
use protocol::inspect::{Compared, DifferenceKind, Question, Reply, Store};

use super::state::State;
use crate::words;

/// By origin, database, store: what a comparison has found so far, or why it could not.
type Found = BTreeMap<(String, String, String), Result<Compared, String>>;

#[component]
pub fn Stores(state: State) -> impl IntoView {
    state.load_stores();
    let found = RwSignal::new(Found::new());
    let rows = move || {
        match state.stores.get() {
        None => view! { <p class="empty">"Asking the host…"</p> }.into_any(),
        Some(Err(error)) => view! { <p class="empty error" role="alert">{error}</p> }.into_any(),
        Some(Ok(stores)) if stores.is_empty() => view! { <p class="empty">"The mirror knows no store yet."</p> }.into_any(),
        Some(Ok(stores)) => view! {
            <table class="stores">
                <thead><tr><th scope="col">"Origin › database › store"</th><th scope="col">"In the mirror"</th><th scope="col">"State"</th><th scope="col">"Memcached"</th><th scope="col"></th></tr></thead>
                <tbody>{stores.into_iter().map(|store| row(state, found, store)).collect_view()}</tbody>
            </table>
        }
        .into_any(),
    }
    };
    view! {
        <section class="state" aria-label="Stores">
            <p class="bar"><button on:click=move |_| state.load_stores()>"Refresh"</button></p>
            {rows}
        </section>
    }
}

fn row(state: State, found: RwSignal<Found>, store: Store) -> impl IntoView {
    let place = (store.origin.clone(), store.database.clone(), store.store.clone());
    let compare = {
        let place = place.clone();
        move |repair: bool| {
            let (origin, database, name) = place.clone();
            let key = place.clone();
            let question = Question::Compare {
                origin,
                database,
                store: name,
                repair,
            };
            state.ask(question, move |reply| {
                let told = match reply {
                    Reply::Compared(compared) => Ok(compared),
                    Reply::Failed(error) => Err(format!("{} {}", error.message, error.cure)),
                    _ => return,
                };
                found.update(|found| {
                    let mut told = told;
                    // Differences come piece by piece.
                    if let (Ok(new), Some(Ok(old))) = (&mut told, found.get(&key))
                        && !old.done
                    {
                        let mut all = old.differences.clone();
                        all.append(&mut new.differences);
                        new.differences = all;
                    }
                    found.insert(key.clone(), told);
                });
            });
        }
    };
    let (check, repair) = (compare.clone(), compare);
    let origin = store.origin.clone();
    let resync = move |_| {
        let origin = origin.clone();
        state.ask(Question::Resync { origin }, move |_| {
            state.say("An open page of the origin reads its stores")
        });
    };
    let condition = match (store.complete, store.doubtful) {
        (true, false) => "complete",
        (true, true) => "records are read again",
        (false, _) => "not read as a whole yet",
    };
    let outcome = move || found.with(|found| found.get(&place).map(told));
    view! {
        <tr>
            <th scope="row"><span class="origin">{store.origin.clone()}" › "</span>{store.database.clone()}" › "{store.store.clone()}
                {(!store.bucket.is_empty()).then(|| format!(" (bucket {})", store.bucket))}</th>
            <td class="number">{words::count(usize::try_from(store.records).unwrap_or(usize::MAX))}</td>
            <td>{condition}</td>
            <td>{outcome}</td>
            <td class="buttons">
                <button on:click=move |_| check(false)>"Compare"</button>
                <button on:click=move |_| repair(true)>"Repair"</button>
                <button on:click=resync>"Read again"</button>
            </td>
        </tr>
    }
}

fn told(outcome: &Result<Compared, String>) -> AnyView {
    let compared = match outcome {
        Ok(compared) => compared,
        Err(error) => return view! { <span class="error">{error.clone()}</span> }.into_any(),
    };
    let differing = compared.missing + compared.stale + compared.foreign;
    let summary = if !compared.done {
        format!("{} of {} compared…", compared.compared, compared.total)
    } else if differing == 0 {
        format!("holds all {}", compared.total)
    } else {
        format!(
            "{} missing, {} stale, {} foreign; {} put right",
            compared.missing, compared.stale, compared.foreign, compared.repaired
        )
    };
    let lines = compared.differences.iter().take(20).map(|difference| {
        let kind = match difference.kind {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Stale => "stale",
            DifferenceKind::Foreign => "foreign",
        };
        view! { <li title=difference.memcached_key.clone()><b>{kind}</b>" "<code>{difference.address.key.clone()}</code></li> }
    });
    view! { <span class:error=differing != 0>{summary}</span><ul class="differences">{lines.collect_view()}</ul> }.into_any()
}
