//! The events, of which only those in sight are in the document.

use leptos::{ev, html, prelude::*};
use protocol::inspect::Health;

use super::{
    empty::Empty,
    page,
    state::{ROW, State},
};
use crate::{
    model::{Model, Row, STAGES},
    query::find,
    shown::Shown,
    stage::{self, Step},
    words,
};

/// How many rows stand ready above and below those in sight.
const SPARE: usize = 6;

#[component]
pub fn FeedView(state: State) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let spacer = NodeRef::<html::Div>::new();
    let measure = move || {
        if let Some(list) = list.get_untracked() {
            let height = usize::try_from(list.client_height()).unwrap_or(0).max(ROW);
            if state.height.get_untracked() != height {
                state.height.set(height);
                state.pulse();
            }
        }
    };
    let resized = window_event_listener(ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    let count = Memo::new(move |_| state.shown.with(Shown::len));
    Effect::new(move |marked: Option<bool>| {
        let there = marked == Some(true) || count.get() > 0;
        if there && marked != Some(true) {
            page::mark("first-row");
        }
        there
    });
    // The document follows the state: its height first, or it could not be scrolled as far.
    Effect::new(move |_| {
        let (count, top) = (count.get(), state.top.get());
        let _layout = (state.selected.with(Option::is_some), state.tab.get());
        if let (Some(spacer), Some(list)) = (spacer.get(), list.get()) {
            spacer.style(("height", format!("{}px", count * ROW)));
            let top = i32::try_from(top).unwrap_or(i32::MAX);
            if list.scroll_top() != top {
                list.set_scroll_top(top);
            }
            request_animation_frame(measure);
        }
    });
    let scrolled = move |_| {
        let Some(list) = list.get_untracked() else { return };
        state.scroll_to(usize::try_from(list.scroll_top()).unwrap_or(0));
        let below = list.scroll_height() - list.scroll_top() - list.client_height();
        let at_end = below < i32::try_from(ROW).unwrap_or(0);
        if state.follow.get_untracked() != at_end {
            state.follow.set(at_end);
        }
    };
    let rows = move || rows(state);
    view! {
        <section class="feed" aria-label="Events">
            <div class="columns" aria-hidden="true">
                <span>"Time"</span><span>"Operation"</span><span>"Origin › database › store"</span><span>"Key and value"</span>
                <span class="size">"Size"</span><span>"From"</span>
                <span class="stages"><i>"page"</i><i>"journal"</i><i>"redis"</i><i>"memcached"</i></span>
            </div>
            <div id="feed" class="list" node_ref=list role="grid" tabindex="0" aria-label="Events, oldest first" aria-colcount="7"
                aria-rowcount=move || count.get().to_string()
                aria-activedescendant=move || state.selected.get().map(|place| format!("event-{place}"))
                on:scroll=scrolled>
                <div class="spacer" node_ref=spacer role="rowgroup">{rows}</div>
            </div>
            <Show when=move || count.get() == 0><Empty state /></Show>
            <Show when=move || { !state.follow.get() && state.recording.with(Option::is_none) && count.get() > 0 }>
                <button class="newest" on:click=move |_| state.toggle_follow()>"↓ Newest"</button>
            </Show>
        </section>
    }
}

fn rows(state: State) -> impl IntoView + use<> {
    let first = (state.top.get() / ROW).saturating_sub(SPARE);
    let many = state.height.get().div_ceil(ROW) + 2 * SPARE;
    let (texts, selected) = (state.texts.get(), state.selected.get());
    let live = state.recording.with(Option::is_none);
    state.health.with(|health| {
        state.model.with(|model| {
            state.shown.with(|shown| {
                let chosen = selected.and_then(|place| model.row(place));
                let places = shown.places().iter().copied().enumerate().skip(first).take(many);
                places
                    .filter_map(|(index, place)| {
                        let row = model.row(place)?;
                        let marks = Marks {
                            selected: selected == Some(place),
                            beside: chosen.is_some_and(|chosen| chosen.is_beside(row)),
                            bracket: bracket(model, shown, row, index),
                            texts: &texts,
                            health: health.as_ref(),
                            live,
                        };
                        Some(line(state, index, place, row, &marks))
                    })
                    .collect_view()
            })
        })
    })
}

/// How a row looks beside its neighbours.
struct Marks<'m> {
    selected: bool,
    /// Of the same transaction as the selected one.
    beside: bool,
    /// Its part of the bracket around its transaction.
    bracket: &'static str,
    texts: &'m [String],
    health: Option<&'m Health>,
    live: bool,
}

fn bracket(model: &Model, shown: &Shown, row: &Row, index: usize) -> &'static str {
    let beside = |index: Option<usize>| {
        index
            .and_then(|index| shown.places().get(index))
            .and_then(|place| model.row(*place))
            .is_some_and(|other| other.is_beside(row))
    };
    match (beside(index.checked_sub(1)), beside(index.checked_add(1))) {
        (false, false) => "alone",
        (false, true) => "first",
        (true, true) => "middle",
        (true, false) => "last",
    }
}

fn line(state: State, index: usize, place: usize, row: &Row, marks: &Marks<'_>) -> impl IntoView + use<> {
    let (tab, badge) = from(state, row);
    let source = &row.source;
    let whole = row.transaction.as_ref().filter(|whole| whole.count > 1);
    let transaction = whole.map(|whole| {
        format!(
            "event {} of {} of transaction {}",
            whole.order, whole.count, whole.id
        )
    });
    let of = whole.filter(|_| marks.bracket == "first").map(|whole| {
        let count = words::count(usize::try_from(whole.count).unwrap_or(0));
        view! { {count}<span>" in one transaction"</span> }
    });
    let (cut, value) = words::preview(row, marks.texts);
    let value = row.change.as_deref().unwrap_or(value);
    let steps = stage::steps(row, marks.health, marks.live);
    view! {
        <div id=format!("event-{place}") class="row" role="row" aria-rowindex=(index + 1).to_string() aria-selected=marks.selected.to_string()
            class:beside=marks.beside class:noticed=!row.notices.is_empty() data-bracket=marks.bracket title=transaction
            style:transform=format!("translateY({}px)", index * ROW)
            on:click=move |_| state.select(place)>
            <span role="gridcell" class="time">{page::time(row.at)}</span>
            <span role="gridcell"><b class="op" data-op=row.op.letter()>{words::operation(row.op)}</b></span>
            <span role="gridcell" class="where" title=format!("{} › {} › {}", source.origin, source.database, source.store)>
                <span class="origin">{highlighted(words::site(&source.origin), marks.texts)}<i>" › "</i></span>
                <span class="store">{highlighted(&source.database, marks.texts)}<i>" › "</i>{highlighted(&source.store, marks.texts)}</span>
            </span>
            <span role="gridcell" class="what">
                <em>{of}</em>
                <span class="key">{highlighted(row.key(), marks.texts)}</span>
                <span class="preview">{cut}{highlighted(value, marks.texts)}</span>
            </span>
            <span role="gridcell" class="size">{row.size().map(words::size)}</span>
            <span role="gridcell" class="from"><span title=tab data-from=badge.0>{badge.1}</span></span>
            <span role="gridcell">{strip(row, &steps, marks.health)}</span>
        </div>
    }
}

/// Which document wrote it, in words and as a badge with its kind.
pub fn from(state: State, row: &Row) -> (String, (&'static str, String)) {
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

/// The strip of stages: each has a colour and a shape, and the time since the commit.
pub fn strip(row: &Row, steps: &[Step; STAGES.len()], health: Option<&Health>) -> impl IntoView + use<> {
    let label = stage::way(row, steps, health);
    let shown = steps.clone().map(|step| {
        let tried = (step.attempts > 0).then(|| format!("×{}", step.attempts));
        let lag = step.lag.map(words::short_duration).or(tried);
        view! { <i data-stage=step.name data-state=step.standing.word()><s></s>{lag}</i> }
    });
    view! {
        <span class="strip" role="img" aria-label=label.clone() title=label>
            <i data-stage="captured" data-state="passed"><s></s></i>{shown}
        </span>
    }
}

/// A text with what is searched for marked. The texts are in lower case.
pub fn highlighted(text: &str, texts: &[String]) -> impl IntoView + use<> {
    let found = texts.iter().find_map(|wanted| find(text, wanted));
    let (before, marked, after) = match found {
        Some((from, to)) => (&text[..from], &text[from..to], &text[to..]),
        None => (text, "", ""),
    };
    let mark = (!marked.is_empty()).then(|| view! { <mark>{marked.to_owned()}</mark> });
    (before.to_owned(), mark, after.to_owned())
}
