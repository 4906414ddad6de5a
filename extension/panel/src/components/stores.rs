//! The Stores view: the records of each store in IndexedDB, in the mirror and in Memcached.

use leptos::prelude::*;
use protocol::wire::inspector::{Address, Compared, DifferenceKind, Look, Question, Reply, Store};

use super::{
    dynamic::{IntoViews as _, dynamic_text, dynamic_view, on_press},
    record_lookup::{self, RecordLookup},
};
use crate::{
    app::state::App,
    format,
    records::{
        drift::{DriftResults, count_differences, count_items, describe_comparison},
        page_counts::{PageCount, describe_mismatch},
        store_name::{StoreName, store_name},
    },
    text_search::find,
};

/// The most differences of a store that are listed.
const MAX_DIFFERENCES: usize = 100;

#[component]
pub fn Stores(app: App) -> impl IntoView {
    app.open_stores();
    // When the stores were loaded again, all pages count again. Pages of a site that appears are
    // asked once.
    Effect::new(move |_| {
        let revision = app.stores.mirrored.revision();
        if app.stores.mirrored.with(Option::is_some) {
            count_in_pages(
                app,
                app.stores.counted_revision.replace_untracked(revision) != revision,
            );
        }
    });
    let compare_all = move || compare(app, visible_stores(app), false);
    view! {
        <section class="state" aria-label="Stores">
            <p class="bar">
                <button on:click=on_press(move || app.load_stores())>"Refresh"</button>
                <button on:click=on_press(compare_all)>"Compare all with Memcached"</button>
            </p>
            {dynamic_view(move || store_table(app))}
            {dynamic_view(move || app.stores.chosen.get().map(|(address, row)| view! { <RecordLookup app address row /> }))}
        </section>
    }
}

/// Lets pages of the visible origins count their records: of all origins, or of those never asked.
fn count_in_pages(app: App, all: bool) {
    let inspected = app
        .site
        .origin
        .get()
        .filter(|_| app.is_site_enabled() == Some(true));
    let mut origins: Vec<String> = inspected.into_iter().collect();
    for Store { origin, .. } in visible_stores(app) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    for origin in origins {
        if !all
            && app
                .stores
                .page_counts
                .with_untracked(|counts| counts.has_origin(&origin))
        {
            continue;
        }
        app.stores
            .page_counts
            .update(|counts| counts.mark_pending(&origin));
        let look = Look::Counts {
            origin: origin.clone(),
        };
        app.inspect_page(look, move |sight| {
            app.stores
                .page_counts
                .update(|counts| counts.record_answer(&origin, sight));
        });
    }
}

/// The stores that match the searched texts and the inspected site.
fn visible_stores(app: App) -> Vec<Store> {
    let texts = app.filter.search_texts.get();
    let origin = app.site.origin.get().filter(|_| app.site.is_exclusive.get());
    let is_visible = |store: &Store| {
        origin.as_ref().is_none_or(|origin| *origin == store.origin)
            && texts.iter().all(|text| {
                [&store.origin, &store.database, &store.store]
                    .iter()
                    .any(|name| find(name, text).is_some())
            })
    };
    app.stores.mirrored.with(|stores| match stores {
        Some(Ok(stores)) => {
            let mut merged = app
                .stores
                .page_counts
                .with(|counts| counts.merge_with_mirror(stores));
            merged.retain(is_visible);
            merged
        }
        _ => Vec::new(),
    })
}

fn store_table(app: App) -> AnyView {
    match app.stores.mirrored.get() {
        None => return view! { <p class="faint">"Asking the host…"</p> }.into_any(),
        Some(Err(error)) => return view! { <p class="error" role="alert">{error}</p> }.into_any(),
        Some(Ok(_)) => {}
    }
    let stores = visible_stores(app);
    if stores.is_empty() {
        return view! { <p class="faint">"Neither the mirror nor an open page has such a store. The mirror fills with the first page of a captured site."</p> }.into_any();
    }
    let rows = stores
        .iter()
        .enumerate()
        .map(|(number, store)| store_row(app, number, store))
        .into_views();
    view! {
        <table class="stores">
            <thead><tr>
                <th scope="col">"Origin › database › store"</th>
                <th scope="col" class="number">"In IndexedDB"</th>
                <th scope="col" class="number">"In the mirror"</th>
                <th scope="col" class="number">"In Memcached"</th>
                <th scope="col">"Drift"</th>
                <th scope="col">"App"</th>
                <td></td>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn store_row(app: App, number: usize, store: &Store) -> impl IntoView + use<> {
    let name = store_name(store);
    let (check, repair) = (store.clone(), store.clone());
    let address = Address {
        origin: store.origin.clone(),
        bucket: store.bucket.clone(),
        database: store.database.clone(),
        store: store.store.clone(),
        key: String::new(),
    };
    let label = format!("Look up a record in {}", format::join_names(&[&store.store]));
    let origin = store.origin.clone();
    let resync = move || {
        let origin = origin.clone();
        app.ask(Question::Resync { origin }, move |reply| match reply {
            Reply::Failed(error) => app.show_toast(&format!("{} {}", error.message, error.fix)),
            _ => app.show_toast("An open page of the site reads its stores again"),
        });
    };
    let counted = app.stores.page_counts.with(|counts| counts.get(&name));
    let mismatch = describe_mismatch(&counted, store);
    let condition = match (&mismatch, store.complete, store.pending_reads) {
        (_, true, true) => "some records are read again".into_any(),
        (Some(mismatch), true, false) => {
            view! { <span class="error" title="In transit, or not observed: \u{201c}Read again\u{201d} repairs that">{mismatch.clone()}</span> }
                .into_any()
        }
        (None, true, false) => "complete".into_any(),
        (_, false, _) => "not completely read yet".into_any(),
    };
    let (counted_name, drift_name) = (name.clone(), name);
    view! {
        <tr>
            <th scope="row"><span class="origin">{format::without_scheme(&store.origin).to_owned()}" › "</span><span class="name">{store.database.clone()}</span>" › "<span class="name">{store.store.clone()}</span>
                {(!store.bucket.is_empty()).then(|| format!(" (bucket {})", store.bucket))}</th>
            <td class="number" data-title="In IndexedDB">{in_indexeddb(counted)}</td>
            <td class="number" class:error=mismatch.is_some() data-title="In the mirror">{format::count(store.records)}</td>
            <td class="number" data-title="In Memcached">{dynamic_text(move || app.stores.drift.with(|drift| in_memcached(drift, &counted_name)))}</td>
            <td>{dynamic_view(move || app.stores.drift.with(|drift| drift_of_store(app, number, drift, &drift_name)))}</td>
            <td>{condition}</td>
            <td class="buttons">
                <button title="Compare each record with its item in Memcached" on:click=on_press(move || compare(app, vec![check.clone()], false))>"Compare"</button>
                <button title="Compare, and write what differs" on:click=on_press(move || compare(app, vec![repair.clone()], true))>"Repair"</button>
                <button title="Have an open page of the site read its stores again" on:click=on_press(resync)>"Read again"</button>
                <button id=record_lookup::button_id(number) title=label.clone() aria-label=label on:click=on_press(move || app.stores.chosen.set(Some((address.clone(), number))))>"Look up"</button>
            </td>
        </tr>
    }
}

/// Compares stores one after the other.
fn compare(app: App, stores: Vec<Store>, repair: bool) {
    let mut rest = stores.into_iter();
    let Some(store) = rest.next() else { return };
    let name = store_name(&store);
    let question = Question::Compare {
        origin: Some(store.origin),
        bucket: Some(store.bucket),
        database: Some(store.database),
        store: Some(store.store),
        repair,
    };
    app.stores
        .drift
        .update(|drift| drift.start_comparison(name.clone()));
    let mut rest = Some(rest.collect::<Vec<_>>());
    let opening = app.stores.opening.get_untracked();
    app.ask(question, move |reply| {
        // The view may have been opened again.
        if app.stores.opening.get_untracked() != opening {
            return;
        }
        let answer = match reply {
            Reply::Compared(compared) => Ok(compared),
            Reply::Failed(error) => Err(format!("{} {}", error.message, error.fix)),
            _ => return,
        };
        let is_done = answer.as_ref().map_or(true, |compared| compared.done);
        app.stores
            .drift
            .update(|drift| drift.record_answer(&name, answer));
        if let Some(rest) = rest.take_if(|_| is_done) {
            compare(app, rest, repair);
        }
    });
}

fn in_indexeddb(counted: PageCount) -> AnyView {
    match counted {
        PageCount::Records(records) => format::count(records).into_any(),
        PageCount::Pending => "…".into_any(),
        PageCount::NoStore => {
            view! { <span class="faint" title="There is no such store in IndexedDB">"none"</span> }.into_any()
        }
        PageCount::Unknown(reason) => {
            view! { <span class="faint" role="note" aria-label=reason.clone() title=reason.clone()>"?"</span> }
                .into_any()
        }
    }
}

fn in_memcached(drift: &DriftResults, name: &StoreName) -> String {
    match drift.get(name) {
        Some(Ok(compared)) if compared.done => format::count(count_items(compared)),
        Some(Ok(_)) => "…".to_owned(),
        _ => "?".to_owned(),
    }
}

fn drift_of_store(app: App, row: usize, drift: &DriftResults, name: &StoreName) -> AnyView {
    let compared = match drift.get(name) {
        None => return view! { <span class="faint">"not compared yet"</span> }.into_any(),
        Some(Err(error)) => return view! { <span class="error">{error.clone()}</span> }.into_any(),
        Some(Ok(compared)) => compared,
    };
    let is_wrong = compared.done && count_differences(compared) + compared.held > compared.repaired;
    let is_good = compared.done && !is_wrong;
    let progress = (!compared.done).then(|| {
        view! { <progress max=compared.total.max(1).to_string() value=compared.compared.to_string() aria-label="Compared"></progress>" " }
    });
    view! {
        {progress}<span class:error=is_wrong class:good=is_good>{describe_comparison(compared)}</span>
        <ul class="differences">{differences(app, row, compared)}</ul>
    }
    .into_any()
}

fn differences(app: App, row: usize, compared: &Compared) -> impl IntoView + use<> {
    let items = compared.differences.iter().take(MAX_DIFFERENCES).map(|difference| {
        let kind = match difference.kind {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Stale => "stale",
            DifferenceKind::Orphaned => "orphaned",
            DifferenceKind::Held => "another profile's",
        };
        let address = difference.address.clone();
        let key = address.key.clone();
        view! {
            <li class:repaired=difference.repaired><b>{kind}</b><button title=difference.memcached_key.clone() on:click=on_press(move || app.stores.chosen.set(Some((address.clone(), row))))>{key}</button></li>
        }
    });
    items.into_views()
}
