//! What is where: each store with its records in IndexedDB, in the mirror and in Memcached, and what differs.

use leptos::prelude::*;
use protocol::inspect::{Address, Compared, DifferenceKind, Look, Question, Reply, Store};

use super::{
    erased::{Views as _, part, press, text},
    lookup::{Lookup, opener},
    state::{Memory, State},
};
use crate::{
    counts::{Count, difference},
    drift::{Drift, Name, differing, name, sentence, there},
    query::find,
    words,
};

/// How many differences of a store are listed.
const LISTED: usize = 100;

#[component]
pub fn Stores(state: State) -> impl IntoView {
    state.load_stores();
    let memory = state.memory;
    memory.open();
    // With the mirror's numbers come the pages' own: all are asked for each time that somebody wants to see them, and those of sites that
    // come into sight between.
    Effect::new(move |_| {
        let revision = state.stores.revision();
        if state.stores.with(Option::is_some) {
            count_in_pages(state, memory, memory.counted.replace(revision) != revision);
        }
    });
    let compare_all = move || compare(state, memory, shown(state, memory), false);
    view! {
        <section class="state" aria-label="Stores">
            <p class="bar">
                <button on:click=press(move || state.load_stores())>"Refresh"</button>
                <button on:click=press(compare_all)>"Compare all with Memcached"</button>
            </p>
            {part(move || table(state, memory))}
            {part(move || memory.chosen.get().map(|(address, row)| view! { <Lookup state address row /> }))}
        </section>
    }
}

/// Has pages of the origins that are shown count their records, all of them or those that were never asked.
fn count_in_pages(state: State, memory: Memory, all: bool) {
    let here = state.origin.get().filter(|_| state.is_enabled() == Some(true));
    let mut origins: Vec<String> = here.into_iter().collect();
    for Store { origin, .. } in shown(state, memory) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    for origin in origins {
        if !all && memory.counts.with_untracked(|counts| !counts.is_new(&origin)) {
            continue;
        }
        memory.counts.update(|counts| counts.ask(&origin));
        let look = Look::Counts {
            origin: origin.clone(),
        };
        state.look(look, move |sight| {
            memory.counts.update(|counts| counts.tell(&origin, sight));
        });
    }
}

/// The stores that fit the filter's words and the inspected site.
fn shown(state: State, memory: Memory) -> Vec<Store> {
    let texts = state.texts.get();
    let origin = state.origin.get().filter(|_| state.only_site.get());
    let fits = |store: &Store| {
        origin.as_ref().is_none_or(|origin| *origin == store.origin)
            && texts.iter().all(|text| {
                [&store.origin, &store.database, &store.store]
                    .iter()
                    .any(|name| find(name, text).is_some())
            })
    };
    state.stores.with(|stores| match stores {
        Some(Ok(stores)) => {
            let mut joined = memory.counts.with(|counts| counts.joined(stores));
            joined.retain(fits);
            joined
        }
        _ => Vec::new(),
    })
}

fn table(state: State, memory: Memory) -> AnyView {
    match state.stores.get() {
        None => return view! { <p class="faint">"Asking the host…"</p> }.into_any(),
        Some(Err(error)) => return view! { <p class="error" role="alert">{error}</p> }.into_any(),
        Some(Ok(_)) => {}
    }
    let stores = shown(state, memory);
    if stores.is_empty() {
        return view! { <p class="faint">"Neither the mirror nor an open page has such a store. The mirror fills with the first page of a captured site."</p> }.into_any();
    }
    let rows = stores
        .iter()
        .enumerate()
        .map(|(number, store)| row(state, memory, number, store))
        .views();
    view! {
        <table class="stores">
            <thead><tr>
                <th scope="col">"Origin › database › store"</th>
                <th scope="col" class="number">"In IndexedDB"</th>
                <th scope="col" class="number">"In the mirror"</th>
                <th scope="col" class="number">"In Memcached"</th>
                <th scope="col">"Drift"</th>
                <th scope="col">"State"</th>
                <td></td>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(state: State, memory: Memory, number: usize, store: &Store) -> impl IntoView + use<> {
    let name = name(store);
    let (check, repair) = (store.clone(), store.clone());
    let address = Address {
        origin: store.origin.clone(),
        bucket: store.bucket.clone(),
        database: store.database.clone(),
        store: store.store.clone(),
        key: String::new(),
    };
    let label = format!("Look up a record in {}", words::names(&[&store.store]));
    let origin = store.origin.clone();
    let resync = move || {
        let origin = origin.clone();
        state.ask(Question::Resync { origin }, move |reply| match reply {
            Reply::Failed(error) => state.say(&format!("{} {}", error.message, error.cure)),
            _ => state.say("An open page of the site reads its stores again"),
        });
    };
    let counted = memory.counts.with(|counts| counts.of(&name));
    let differs = difference(&counted, store);
    let condition = match (&differs, store.complete, store.doubtful) {
        (_, true, true) => "some records are read again".into_any(),
        (Some(words), true, false) => {
            view! { <span class="error" title="On its way, or written unseen: \u{201c}Read again\u{201d} settles it">{words.clone()}</span> }
                .into_any()
        }
        (None, true, false) => "complete".into_any(),
        (_, false, _) => "not read as a whole yet".into_any(),
    };
    let (held, drifted) = (name.clone(), name);
    view! {
        <tr>
            <th scope="row"><span class="origin">{words::site(&store.origin).to_owned()}" › "</span><span class="name">{store.database.clone()}</span>" › "<span class="name">{store.store.clone()}</span>
                {(!store.bucket.is_empty()).then(|| format!(" (bucket {})", store.bucket))}</th>
            <td class="number" data-title="In IndexedDB">{in_indexeddb(counted)}</td>
            <td class="number" class:error=differs.is_some() data-title="In the mirror">{count(store.records)}</td>
            <td class="number" data-title="In Memcached">{text(move || memory.drift.with(|drift| in_memcached(drift, &held)))}</td>
            <td>{part(move || memory.drift.with(|drift| told(memory, number, drift, &drifted)))}</td>
            <td>{condition}</td>
            <td class="buttons">
                <button title="Compare each record with its item in Memcached" on:click=press(move || compare(state, memory, vec![check.clone()], false))>"Compare"</button>
                <button title="Compare, and write what differs" on:click=press(move || compare(state, memory, vec![repair.clone()], true))>"Repair"</button>
                <button title="Have an open page of the site read its stores again" on:click=press(resync)>"Read again"</button>
                <button id=opener(number) title=label.clone() aria-label=label on:click=press(move || memory.chosen.set(Some((address.clone(), number))))>"Look up"</button>
            </td>
        </tr>
    }
}

/// Compares stores one after the other.
fn compare(state: State, memory: Memory, stores: Vec<Store>, repair: bool) {
    let mut rest = stores.into_iter();
    let Some(store) = rest.next() else { return };
    let name = name(&store);
    let question = Question::Compare {
        origin: Some(store.origin),
        bucket: Some(store.bucket),
        database: Some(store.database),
        store: Some(store.store),
        repair,
    };
    memory.drift.update(|drift| drift.begin(name.clone()));
    let mut rest = Some(rest.collect::<Vec<_>>());
    let opening = memory.opening();
    state.ask(question, move |reply| {
        // Nobody may look any more.
        if memory.opening() != opening {
            return;
        }
        let told = match reply {
            Reply::Compared(compared) => Ok(compared),
            Reply::Failed(error) => Err(format!("{} {}", error.message, error.cure)),
            _ => return,
        };
        let done = told.as_ref().map_or(true, |compared| compared.done);
        memory.drift.update(|drift| drift.tell(&name, told));
        if let Some(rest) = rest.take_if(|_| done) {
            compare(state, memory, rest, repair);
        }
    });
}

fn count(number: u64) -> String {
    words::count(usize::try_from(number).unwrap_or(usize::MAX))
}

fn in_indexeddb(counted: Count) -> AnyView {
    match counted {
        Count::Records(records) => count(records).into_any(),
        Count::Asked => "…".into_any(),
        Count::NoStore => {
            view! { <span class="faint" title="There is no such store in IndexedDB">"none"</span> }.into_any()
        }
        Count::Unknown(why) => {
            view! { <span class="faint" role="note" aria-label=why.clone() title=why.clone()>"?"</span> }
                .into_any()
        }
    }
}

fn in_memcached(drift: &Drift, name: &Name) -> String {
    match drift.of(name) {
        Some(Ok(compared)) if compared.done => count(there(compared)),
        Some(Ok(_)) => "…".to_owned(),
        _ => "?".to_owned(),
    }
}

fn told(memory: Memory, row: usize, drift: &Drift, name: &Name) -> AnyView {
    let compared = match drift.of(name) {
        None => return view! { <span class="faint">"not compared yet"</span> }.into_any(),
        Some(Err(error)) => return view! { <span class="error">{error.clone()}</span> }.into_any(),
        Some(Ok(compared)) => compared,
    };
    let wrong = compared.done && differing(compared) + compared.held > compared.repaired;
    let good = compared.done && !wrong;
    let progress = (!compared.done).then(|| {
        view! { <progress max=compared.total.max(1).to_string() value=compared.compared.to_string() aria-label="Compared"></progress>" " }
    });
    view! {
        {progress}<span class:error=wrong class:good=good>{sentence(compared)}</span>
        <ul class="differences">{differences(memory, row, compared)}</ul>
    }
    .into_any()
}

fn differences(memory: Memory, row: usize, compared: &Compared) -> impl IntoView + use<> {
    let lines = compared.differences.iter().take(LISTED).map(|difference| {
        let kind = match difference.kind {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Stale => "stale",
            DifferenceKind::Orphaned => "orphaned",
            DifferenceKind::Held => "another profile's",
        };
        let address = difference.address.clone();
        let key = address.key.clone();
        view! {
            <li class:repaired=difference.repaired><b>{kind}</b><button title=difference.memcached_key.clone() on:click=press(move || memory.chosen.set(Some((address.clone(), row))))>{key}</button></li>
        }
    });
    lines.views()
}
