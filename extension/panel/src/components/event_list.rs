//! The Events view: the list of events, of which only the visible ones are in the document.

use std::{cell::Cell, rc::Rc};

use leptos::{ev, html, prelude::*};
use wasm_bindgen::{JsCast as _, prelude::Closure};
use web_sys::{Element, ResizeObserver};

use super::{
    document_label::label_document,
    dynamic::{dynamic_text, dynamic_view, on_press},
    empty_list::EmptyList,
};
use crate::{
    app::state::App,
    dom::{
        page,
        row::{ROW_HEIGHT, RowContext, element_id, place_of_element},
        virtual_list::{VirtualList, VisibleRange},
    },
    events::matches::Matches,
    format,
};

/// Rows kept above and below the visible ones, for scrolling.
const SPARE_ROWS: usize = 6;
/// The same while the list follows the newest event, when all rows are written again and again.
const SPARE_ROWS_FOLLOWING: usize = 2;

#[component]
pub fn EventList(app: App) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let spacer = NodeRef::<html::Div>::new();
    let window = NodeRef::<html::Div>::new();
    let count = move || app.feed.matches.with(Matches::len);
    Effect::new(move |is_marked: Option<bool>| {
        let has_row = is_marked == Some(true) || count() > 0;
        if has_row && is_marked != Some(true) {
            page::add_timing_mark("first-row");
        }
        has_row
    });
    Effect::new(move |_| {
        if let Some(list) = list.get() {
            watch_size(app, &list);
        }
    });
    let mut rows = VirtualList::default();
    // The number of matches and the scroll position in the document. Scrolling forces a layout, so
    // it comes after all writes, and only if the position differs.
    let applied = Rc::new(Cell::new((usize::MAX, usize::MAX)));
    let applied_by_effect = Rc::clone(&applied);
    Effect::new(move |_| {
        let (Some(list), Some(spacer), Some(window)) = (list.get(), spacer.get(), window.get()) else {
            return;
        };
        app.compensate_evictions();
        let (count, top) = (count(), app.list.scroll_top.get());
        let spare = if app.list.is_following.get() {
            SPARE_ROWS_FOLLOWING
        } else {
            SPARE_ROWS
        };
        let first = (top / ROW_HEIGHT).saturating_sub(spare);
        let context = row_context(app);
        app.feed.log.with(|log| {
            app.feed.matches.with(|matches| {
                let range = VisibleRange {
                    log,
                    matches,
                    first,
                    max_rows: app.list.height.get().div_ceil(ROW_HEIGHT) + 1 + 2 * spare,
                };
                rows.show(&window, &range, &context);
            });
        });
        let (applied_count, applied_top) = applied_by_effect.get();
        if applied_count != count {
            spacer.style(("height", format!("{}px", count * ROW_HEIGHT)));
        }
        if applied_top != top {
            list.set_scroll_top(i32::try_from(top).unwrap_or(i32::MAX));
        }
        applied_by_effect.set((count, top));
    });
    let handle_scroll = move |_| {
        let Some(list) = list.get_untracked() else { return };
        let top = usize::try_from(list.scroll_top()).unwrap_or(0);
        applied.set((applied.get().0, top));
        let below = list.scroll_height() - list.scroll_top() - list.client_height();
        let is_at_end = below < i32::try_from(ROW_HEIGHT).unwrap_or(0);
        app.list.is_following.set_if_changed(is_at_end);
        app.scroll_to(top);
        app.compensate_evictions();
    };
    let handle_click = move |event: ev::MouseEvent| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        if let Some(place) = target.as_ref().and_then(place_of_element) {
            app.select(place);
        }
    };
    view! {
        <section class="feed" aria-label="Events">
            <div class="columns" aria-hidden="true">
                <span>"Time"</span><span>"Operation"</span><span>"Origin › database › store"</span><span>"Key and value"</span>
                <span class="size">"Size"</span><span>"From"</span>
                <span class="stages"><i>"page"</i><i>"journal"</i><i>"redis"</i><i>"memcached"</i></span>
            </div>
            <div id="feed" class="list" node_ref=list role="grid" tabindex="0" aria-label="Events, oldest first" aria-colcount="7"
                aria-rowcount=dynamic_text(move || app.feed.counts.with(|counts| counts.matching.to_string()))
                aria-activedescendant=move || app.selection.place.get().map(element_id)
                on:scroll=handle_scroll>
                <div class="spacer" node_ref=spacer role="presentation">
                    <div class="window" node_ref=window role="rowgroup" on:click=handle_click></div>
                </div>
            </div>
            {dynamic_view(move || app.feed.is_empty.get().then(|| view! { <EmptyList app /> }))}
            {dynamic_view(move || {
                let can_return = !app.list.is_following.get() && app.source.recording.with(Option::is_none) && count() > 0;
                can_return.then(|| view! { <button class="newest" on:click=on_press(move || app.toggle_follow())>"↓ Newest"</button> })
            })}
        </section>
    }
}

/// Records the size of the list, now and at each change.
fn watch_size(app: App, list: &Element) {
    let observed = list.clone();
    let on_resize = Closure::<dyn Fn()>::new(move || {
        let pixels = |size| usize::try_from(size).unwrap_or(0);
        let letters = format::letters_per_column(pixels(observed.client_width()));
        app.list.letters.set_if_changed(letters);
        let height = pixels(observed.client_height()).max(ROW_HEIGHT);
        if app.list.height.get_untracked() != height {
            app.list.height.set(height);
            app.refresh();
        }
    });
    if let Ok(observer) = ResizeObserver::new(on_resize.as_ref().unchecked_ref()) {
        observer.observe(list);
        let watch = StoredValue::new_local((observer, on_resize));
        on_cleanup(move || watch.with_value(|(observer, _)| observer.disconnect()));
    }
}

fn row_context(app: App) -> RowContext {
    let revisions = [
        app.host.health.revision(),
        app.filter.search_texts.revision(),
        app.host.documents.revision(),
        app.source.recording.revision(),
        app.list.letters.revision(),
    ];
    RowContext {
        revision: revisions.into_iter().sum(),
        search_texts: app.filter.search_texts.get_untracked(),
        letters: app.list.letters.get_untracked(),
        health: app.host.health.get_untracked(),
        is_live: app.source.recording.with_untracked(Option::is_none),
        selected: app.selection.place.get(),
        label_document: Box::new(move |row| label_document(app, row)),
    }
}
