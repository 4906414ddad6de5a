//! The events, of which only those in sight are in the document.

use std::{cell::Cell, rc::Rc};

use leptos::{ev, html, prelude::*};
use wasm_bindgen::{JsCast as _, prelude::Closure};
use web_sys::{Element, ResizeObserver};

use super::{
    empty::Empty,
    erased::{part, press, text},
    page,
    state::{ROW, State},
};
use crate::{model::Row, shown::Shown, words};

mod cell;
mod line;
mod pool;

use self::{
    line::{Look, Writer},
    pool::{Pool, Wanted},
};

/// How many rows stand ready above and below those in sight, for whoever scrolls; fewer while the newest are followed, for then all of
/// them are written again and again.
const SPARE: usize = 6;
const SPARE_FOLLOWING: usize = 2;

#[component]
pub fn FeedView(state: State) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let spacer = NodeRef::<html::Div>::new();
    let window = NodeRef::<html::Div>::new();
    let count = move || state.shown.with(Shown::len);
    Effect::new(move |marked: Option<bool>| {
        let there = marked == Some(true) || count() > 0;
        if there && marked != Some(true) {
            page::mark("first-row");
        }
        there
    });
    Effect::new(move |_| {
        if let Some(list) = list.get() {
            watch_size(state, &list);
        }
    });
    let mut pool = Pool::default();
    // The document follows the state. Everything is written first: to scroll asks for the layout of all that.
    let placed = Rc::new(Cell::new((usize::MAX, usize::MAX)));
    let placed_last = Rc::clone(&placed);
    Effect::new(move |_| {
        let (Some(list), Some(spacer), Some(window)) = (list.get(), spacer.get(), window.get()) else {
            return;
        };
        state.settle();
        let (count, top) = (count(), state.top.get());
        let spare = if state.follow.get() {
            SPARE_FOLLOWING
        } else {
            SPARE
        };
        let first = (top / ROW).saturating_sub(spare);
        let look = look(state);
        state.model.with(|model| {
            state.shown.with(|shown| {
                let wanted = Wanted {
                    model,
                    shown,
                    first,
                    many: state.height.get().div_ceil(ROW) + 1 + 2 * spare,
                };
                pool.show(&window, &wanted, &look);
            });
        });
        let (high, scrolled) = placed_last.get();
        if high != count {
            spacer.style(("height", format!("{}px", count * ROW)));
        }
        if scrolled != top {
            list.set_scroll_top(i32::try_from(top).unwrap_or(i32::MAX));
        }
        placed_last.set((count, top));
    });
    let scrolled = move |_| {
        let Some(list) = list.get_untracked() else { return };
        let top = usize::try_from(list.scroll_top()).unwrap_or(0);
        placed.set((placed.get().0, top));
        let below = list.scroll_height() - list.scroll_top() - list.client_height();
        let at_end = below < i32::try_from(ROW).unwrap_or(0);
        state.follow.put(at_end);
        state.scroll_to(top);
        state.settle();
    };
    let pressed = move |event: ev::MouseEvent| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        if let Some(place) = target.as_ref().and_then(line::place) {
            state.select(place);
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
                aria-rowcount=text(move || state.counts.with(|counts| counts.shown.to_string()))
                aria-activedescendant=move || state.selected.get().map(line::id)
                on:scroll=scrolled>
                <div class="spacer" node_ref=spacer role="presentation">
                    <div class="window" node_ref=window role="rowgroup" on:click=pressed></div>
                </div>
            </div>
            {part(move || state.nothing.get().then(|| view! { <Empty state /> }))}
            {part(move || {
                let away = !state.follow.get() && state.recording.with(Option::is_none) && count() > 0;
                away.then(|| view! { <button class="newest" on:click=press(move || state.toggle_follow())>"↓ Newest"</button> })
            })}
        </section>
    }
}

/// Keeps the state told how large the list is, now and whenever that changes.
fn watch_size(state: State, list: &Element) {
    let observed = list.clone();
    let measured = Closure::<dyn Fn()>::new(move || {
        let pixels = |size| usize::try_from(size).unwrap_or(0);
        let letters = words::columns(pixels(observed.client_width()));
        if state.letters.get_untracked() != letters {
            state.letters.set(letters);
        }
        let height = pixels(observed.client_height()).max(ROW);
        if state.height.get_untracked() != height {
            state.height.set(height);
            state.refresh();
        }
    });
    if let Ok(observer) = ResizeObserver::new(measured.as_ref().unchecked_ref()) {
        observer.observe(list);
        let watch = StoredValue::new_local((observer, measured));
        on_cleanup(move || watch.with_value(|(observer, _)| observer.disconnect()));
    }
}

/// What lines look like beside their own event.
fn look(state: State) -> Look {
    let revisions = [
        state.health.revision(),
        state.texts.revision(),
        state.documents.revision(),
        state.recording.revision(),
        state.letters.revision(),
    ];
    Look {
        revision: revisions.into_iter().sum(),
        texts: state.texts.get_untracked(),
        letters: state.letters.get_untracked(),
        health: state.health.get_untracked(),
        live: state.recording.with_untracked(Option::is_none),
        selected: state.selected.get(),
        from: Box::new(move |row| from(state, row)),
    }
}

/// Which document wrote it.
pub fn from(state: State, row: &Row) -> Writer {
    if row.snapshot {
        return (
            "Read from the database: it was there before, or was written unseen".to_owned(),
            ("read", "read".to_owned()),
        );
    }
    let document = state
        .documents
        .with_untracked(|documents| documents.get(&row.source.context).cloned());
    let Some(document) = document else {
        let short: String = row.source.context.chars().take(6).collect();
        return (
            format!(
                "Document {}, which was gone before the panel opened",
                row.source.context
            ),
            ("gone", short),
        );
    };
    let here = state.inspected == Some(document.tab);
    let late = if document.late {
        ", hooked after it was loaded"
    } else {
        ""
    };
    let (tab, kind) = (document.tab, if document.frame == 0 { "page" } else { "frame" });
    let words = format!(
        "Tab {tab}{}, {kind}{}{late}",
        if here { " (this one)" } else { "" },
        match document.frame {
            0 => String::new(),
            frame => format!(" {frame}"),
        }
    );
    let badge = match (here, document.frame) {
        (true, 0) => ("page", "page".to_owned()),
        (_, 0) => ("tab", format!("tab {tab}")),
        (_, _) => ("frame", "frame".to_owned()),
    };
    (words, badge)
}
