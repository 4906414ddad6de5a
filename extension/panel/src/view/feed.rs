//! The events, of which only those in sight are in the document.

use leptos::{ev, html, prelude::*};

use super::{empty::Empty, page, state::State};
use crate::{
    model::{Model, Row, STAGES},
    query::Query,
    words,
};

/// A row's height in pixels; the style sheet says the same.
const ROW: usize = 24;
/// How many rows stand ready above and below those in sight.
const SPARE: usize = 8;

#[component]
pub fn FeedView(state: State) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let (top, height) = (RwSignal::new(0usize), RwSignal::new(800usize));
    let measure = move || {
        if let Some(list) = list.get_untracked() {
            top.set(usize::try_from(list.scroll_top()).unwrap_or(0));
            height.set(usize::try_from(list.client_height()).unwrap_or(0).max(ROW));
        }
    };
    let resized = window_event_listener(ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    let count = move || state.visible.with(|visible| visible.places.len());
    // The newest at the bottom, and in sight for as long as nobody scrolls away from it.
    Effect::new(move |_| {
        let count = count();
        let follow = state.follow.get();
        request_animation_frame(move || {
            if let (true, Some(list)) = (follow, list.get_untracked()) {
                list.set_scroll_top(i32::try_from(count * ROW).unwrap_or(i32::MAX));
            }
            measure();
        });
    });
    // What is selected by keys is brought into sight.
    Effect::new(move |_| {
        let Some(place) = state.selected.get() else { return };
        let index = state
            .visible
            .with_untracked(|visible| visible.places.partition_point(|other| *other < place));
        if let Some(list) = list.get_untracked() {
            let (from, to) = (top.get_untracked(), top.get_untracked() + height.get_untracked());
            let at = index * ROW;
            if at < from {
                list.set_scroll_top(i32::try_from(at).unwrap_or(i32::MAX));
            } else if at + ROW > to {
                let wanted = (at + ROW).saturating_sub(height.get_untracked());
                list.set_scroll_top(i32::try_from(wanted).unwrap_or(i32::MAX));
            }
        }
    });
    let scrolled = move |_| {
        measure();
        if let Some(list) = list.get_untracked() {
            let below = list.scroll_height() - list.scroll_top() - list.client_height();
            let at_end = below < i32::try_from(2 * ROW).unwrap_or(0);
            if state.follow.get_untracked() != at_end {
                state.follow.set(at_end);
            }
        }
    };
    let rows = move || {
        let first = (top.get() / ROW).saturating_sub(SPARE);
        let many = height.get().div_ceil(ROW) + 2 * SPARE;
        let texts: Vec<String> = state.query.with(|query| texts(query.as_ref().ok()));
        let selected = state.selected.get();
        state.model.with(|model| {
            state.visible.with(|visible| {
                let chosen = selected.and_then(|place| model.row(place));
                let places = visible.places.iter().copied().enumerate().skip(first).take(many);
                places
                    .filter_map(|(index, place)| {
                        let row = model.row(place)?;
                        let beside = chosen.is_some_and(|chosen| chosen.is_beside(row));
                        let bracket = bracket(model, row, before(visible, index), after(visible, index));
                        Some(line(
                            state,
                            index,
                            place,
                            row,
                            Marks {
                                selected: selected == Some(place),
                                beside,
                                bracket,
                                texts: &texts,
                            },
                        ))
                    })
                    .collect_view()
            })
        })
    };
    view! {
        <section class="feed" aria-label="Events">
            <div class="columns" aria-hidden="true">
                <span>"Time"</span><span>"Operation"</span><span>"Database › store"</span><span>"Key"</span>
                <span>"Size"</span><span>"From"</span><span>"Page → journal → Redis → Memcached"</span>
            </div>
            <div id="feed" class="list" node_ref=list role="grid" tabindex="0" aria-label="Events, oldest first"
                aria-rowcount=move || count().to_string()
                aria-activedescendant=move || state.selected.get().map(|place| format!("event-{place}"))
                on:scroll=scrolled>
                <div class="spacer" role="presentation" style:height=move || format!("{}px", count() * ROW)>{rows}</div>
            </div>
            <Show when=move || count() == 0><Empty state /></Show>
        </section>
    }
}

fn texts(query: Option<&Query>) -> Vec<String> {
    query
        .map(|query| query.texts().map(str::to_owned).collect())
        .unwrap_or_default()
}

fn before(visible: &super::state::Visible, index: usize) -> Option<usize> {
    visible.places.get(index.checked_sub(1)?).copied()
}

fn after(visible: &super::state::Visible, index: usize) -> Option<usize> {
    visible.places.get(index + 1).copied()
}

/// How a row looks beside its neighbours.
struct Marks<'m> {
    selected: bool,
    /// Of the same transaction as the selected one.
    beside: bool,
    /// Its part of the bracket around its transaction.
    bracket: &'static str,
    texts: &'m [String],
}

fn bracket(model: &Model, row: &Row, before: Option<usize>, after: Option<usize>) -> &'static str {
    let beside = |place: Option<usize>| {
        place
            .and_then(|place| model.row(place))
            .is_some_and(|other| other.is_beside(row))
    };
    match (beside(before), beside(after)) {
        (false, false) => "alone",
        (false, true) => "first",
        (true, true) => "middle",
        (true, false) => "last",
    }
}

fn line(state: State, index: usize, place: usize, row: &Row, marks: Marks<'_>) -> impl IntoView + use<> {
    let operation = words::operation(row.op);
    let (tab, badge) = from(state, row);
    let whole = row.transaction.as_ref().filter(|(.., count)| *count > 1);
    let transaction = whole.map(|(id, order, count)| format!("event {order} of {count} of transaction {id}"));
    let first = marks.bracket == "first";
    let of = whole
        .filter(|_| first)
        .map(|(.., count)| format!("{count} in one transaction"));
    view! {
        <div id=format!("event-{place}") class="row" role="row" aria-rowindex=(index + 1).to_string() aria-selected=marks.selected.to_string()
            class:beside=marks.beside class:noticed=!row.notices.is_empty() data-bracket=marks.bracket title=transaction
            style:transform=format!("translateY({}px)", index * ROW)
            on:click=move |_| state.selected.set(Some(place))>
            <span role="gridcell" class="time">{page::time(row.at)}</span>
            <span role="gridcell"><b class="op" data-op=row.op.letter()>{operation}</b></span>
            <span role="gridcell" class="where" title=format!("{} › {} › {}", row.origin, row.database, row.store)>
                <span class="origin">{row.origin.clone()}" › "</span>{highlighted(&row.database, marks.texts)}" › "{highlighted(&row.store, marks.texts)}
            </span>
            <span role="gridcell" class="key">{highlighted(&row.key, marks.texts)}<em>{of}</em></span>
            <span role="gridcell" class="size">{words::size(row.size)}</span>
            <span role="gridcell" class="from" title=tab>{badge}</span>
            <span role="gridcell" class="stages">{stages(row)}</span>
        </div>
    }
}

/// Which document wrote it, in words and as a badge.
fn from(state: State, row: &Row) -> (String, String) {
    if row.snapshot {
        return (
            "read from the database, not observed".to_owned(),
            "read".to_owned(),
        );
    }
    let document = state.background.with_untracked(|background| {
        let documents = &background.as_ref()?.documents;
        documents
            .iter()
            .find(|document| document.context == row.context)
            .cloned()
    });
    match document {
        Some(document) if document.frame == 0 => (
            format!(
                "tab {}, its own page{}",
                document.tab,
                if document.late { ", hooked after load" } else { "" }
            ),
            format!("tab {}", document.tab),
        ),
        Some(document) => (
            format!("tab {}, frame {}", document.tab, document.frame),
            format!("frame {}", document.frame),
        ),
        None => (
            format!("document {}, which is gone", row.context),
            row.context.chars().take(6).collect(),
        ),
    }
}

/// The strip of stages: each has a colour and a shape, and the time since the commit.
pub fn stages(row: &Row) -> impl IntoView + use<> {
    let mut words = vec!["captured".to_owned()];
    let mut last = None;
    let mut dots = vec![("captured", "passed")];
    for (stage, name) in STAGES.iter().enumerate() {
        let notice = row.notices.iter().find(|(of, _)| of == name);
        let state = match (notice, row.lag(stage)) {
            (Some((_, text)), _) => {
                words.push(format!("{name}: {text}"));
                "noticed"
            }
            (None, Some(lag)) => {
                words.push(format!("{name} after {}", words::duration(lag)));
                "passed"
            }
            (None, None) => {
                words.push(format!("{name}: not yet, or switched off"));
                "waiting"
            }
        };
        last = row.lag(stage).or(last);
        dots.push((name, state));
    }
    let label = words.join("; ");
    view! {
        <span class="strip" role="img" aria-label=label.clone() title=label>
            {dots.into_iter().map(|(name, state)| view! { <i data-stage=name data-state=state></i> }).collect_view()}
        </span>
        <span class="lag">{last.map(words::duration)}</span>
    }
}

/// A text with what is searched for marked. The texts are in lower case.
fn highlighted(text: &str, texts: &[String]) -> Vec<AnyView> {
    let lower = text.to_lowercase();
    // Where lower case has another length, places in one are none in the other.
    let found = texts
        .iter()
        .filter(|wanted| !wanted.is_empty() && lower.len() == text.len())
        .find_map(|wanted| lower.find(wanted.as_str()).map(|at| (at, at + wanted.len())));
    match found.and_then(|(from, to)| Some((text.get(..from)?, text.get(from..to)?, text.get(to..)?))) {
        Some((before, found, after)) => vec![
            before.to_owned().into_any(),
            view! { <mark>{found.to_owned()}</mark> }.into_any(),
            after.to_owned().into_any(),
        ],
        None => vec![text.to_owned().into_any()],
    }
}
