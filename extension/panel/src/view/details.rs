//! One event: its way, its value as a tree, what changed, its names in the servers, its transaction.

use leptos::{attr::custom::custom_attribute, prelude::*};
use protocol::{
    event::Op,
    inspect::{Question, Reply, left_out_bytes},
};

use super::{
    erased::{Views as _, part, press},
    feed::from,
    page, record,
    sentence::sentence as words_of,
    state::State,
};
use crate::{
    browser,
    diff::{Kind, diff},
    link,
    model::Row,
    query::split,
    stack::{Frame, frames},
    stage::{self, Standing},
    tree,
    ways::{Plain, Ways, entry_command, ways},
    words,
};

/// How many events of a transaction are listed.
const SIBLINGS: usize = 200;

#[component]
pub fn Details(state: State) -> impl IntoView {
    let content = move || {
        // Whoever reads what is made anew goes on reading.
        if page::is_within(".sections") {
            page::soon(|| {
                page::focus("sections");
            });
        }
        state.row.get().map(|(place, row)| {
            view! {
                <Head state row=row.clone() />
                <div class="sections" id="sections" tabindex="0" role="group" aria-label="Event">
                    <Value state row=row.clone() />
                    <Changes row=row.clone() />
                    <Way state row=row.clone() />
                    <Source state place row=row.clone() />
                    <Names state row=row.clone() />
                    {record::now(state, &row)}
                    <Siblings state place row />
                </div>
            }
        })
    };
    view! { <aside class="details" aria-label="Event details">{part(content)}</aside> }
}

/// The details go; the keys work where the event is.
pub fn close(state: State) {
    state.choose(None);
    page::focus("feed");
}

#[component]
fn Head(state: State, row: Row) -> impl IntoView {
    let json = row.text.to_string();
    let key = row.key().to_owned();
    let copied = key.clone();
    let source = &row.source;
    let (tab, badge) = from(state, &row);
    let bucket = (!source.bucket.is_empty()).then(|| format!(" · bucket {}", source.bucket));
    view! {
        <header>
            <b class="op" data-op=row.op.letter()>{words::operation(row.op)}</b>
            <h2 title=key.clone()>{key.clone()}</h2>
            {row.has_key.then(|| view! { <button aria-label="Copy key" on:click=press(move || state.copy("Key", &copied))>"Copy key"</button> })}
            <button aria-label="Copy event as JSON" on:click=press(move || state.copy("Event", &json))>"Copy event"</button>
            <button class="icon" aria-label="Close details" title="Close (Esc)" on:click=press(move || close(state))>"×"</button>
            <p class="faint">{source.origin.clone()}" › "<span class="name">{source.database.clone()}</span>" › "<span class="name">{source.store.clone()}</span>{bucket}</p>
            <p class="faint">{page::time(row.at)}" · event "{row.number}" · "<span title=tab>{badge.1}</span></p>
        </header>
    }
}

#[component]
fn Way(state: State, row: Row) -> impl IntoView {
    let lines = move || {
        let live = state.recording.with(Option::is_none);
        state.health.with(|health| {
            let steps = stage::steps(&row, health.as_ref(), live);
            let words: Vec<_> = steps
                .iter()
                .enumerate()
                .map(|(stage, step)| stage::sentence(&row, stage, step, health.as_ref()))
                .collect();
            (steps, words)
        })
    };
    let table = move || {
        let (steps, sentences) = lines();
        let wrong = |standing| matches!(standing, Standing::Noticed | Standing::Retrying);
        let lines = steps.iter().zip(sentences).map(|(step, sentence)| {
            view! {
                <tr><th scope="row"><span class="strip"><i data-stage=step.name data-state=step.standing.word()><s></s></i></span>{words::title(step.name).to_owned()}</th>
                    <td class:error=wrong(step.standing)>{words_of(&sentence)}</td></tr>
            }
        });
        view! { <table>{lines.views()}</table> }
    };
    view! { <section><h3>"Delivery"</h3>{part(table)}</section> }
}

/// Where the write was called from.
#[component]
fn Source(state: State, place: usize, row: Row) -> impl IntoView {
    // What was read was written by nobody that is known.
    if row.transaction.is_none() {
        return ().into_any();
    }
    // What came before in its transaction comes no more.
    let before = state.model.with_untracked(|model| {
        let first = model.transaction(place).start;
        let siblings = (first..place).filter_map(|place| model.row(place));
        siblings
            .filter(|other| other.source.store == row.source.store)
            .filter(|other| other.has_key == row.has_key && other.key() == row.key())
            .count()
    });
    let calls = move || state.stacks.with(|stacks| stacks.of(&row, before).map(frames));
    let calls = move || {
        if let Some(calls) = calls() {
            let calls: Vec<_> = calls.into_iter().map(|call| frame(state, call)).collect();
            if calls.is_empty() {
                return view! { <p class="faint">"By no script that could be shown."</p> }.into_any();
            }
            return view! { <ol class="calls">{calls}</ol> }.into_any();
        }
        if state.tracing.get() {
            return view! { <p class="faint">"No stack was recorded for this write."</p> }.into_any();
        }
        view! {
            <p class="faint">"No stack recorded. "
                <button on:click=press(move || state.toggle_tracing())>"Record stacks"</button></p>
        }
        .into_any()
    };
    view! { <section><h3>"Called from"</h3>{part(calls)}</section> }.into_any()
}

fn frame(state: State, call: Frame) -> impl IntoView {
    let name = if call.function.is_empty() {
        "(anonymous)".to_owned()
    } else {
        call.function.clone()
    };
    let (place, location) = (call.place(), call.location());
    let title = location.clone();
    let open = move || {
        if !browser::show_source(&call.url, call.line, call.column) {
            state.copy("Location", &location);
        }
    };
    view! { <li><code>{name}</code>" "<button class="link" title=title on:click=press(open)>{place}</button></li> }
}

#[component]
fn Value(state: State, row: Row) -> impl IntoView {
    if !row.has_key {
        let change = row.change.as_deref().map(str::to_owned);
        let text = change.unwrap_or_else(|| match row.op {
            Op::Truncate if row.key().is_empty() => "clear: every record of the store went".to_owned(),
            Op::Truncate => format!("delete of the range {}", row.key()),
            _ => String::new(),
        });
        return view! { <section><h3>"Change"</h3><p><code>{text}</code></p></section> }.into_any();
    }
    let before = row.op == Op::Delete;
    if before && row.before().is_none_or(|before| before == "null") {
        return ().into_any();
    }
    let title = if before { "Value before it went" } else { "Value" };
    let typed = row.value().to_owned();
    if let Some(bytes) = left_out_bytes(&typed) {
        let size = words::size(bytes);
        return view! { <section><h3>{title}</h3><p class="faint">{format!("Too large for the list: {size}.")}</p></section> }
            .into_any();
    }
    let copied = typed.clone();
    view! {
        <section>
            <h3>{title}<button aria-label="Copy value" on:click=press(move || state.copy("Value", &copied))>"Copy"</button></h3>
            <Tree state typed />
        </section>
    }
    .into_any()
}

#[component]
fn Tree(state: State, typed: String) -> impl IntoView {
    let lines = move || {
        let texts = state.texts.get();
        let lines = state.toggled.with(|toggled| tree::lines(&typed, toggled));
        lines
            .into_iter()
            .map(|line| {
                let name = (!line.name.is_empty()).then(|| {
                    view! { <span class="name">{highlighted(&line.name, &texts)}</span>": " }
                });
                let rest = view! {
                    <span class="label">{line.label.clone()}</span>" "
                    <span class="value" data-kind=line.kind>{highlighted(&line.text, &texts)}</span>
                };
                // Leptos knows no attribute of this name.
                let level = custom_attribute("aria-level", (line.depth + 1).to_string());
                let indent = format!("{}px", line.depth * 14 + 16);
                let path = line.path;
                let named = if line.name.is_empty() { line.label.clone() } else { line.name.clone() };
                let twisty = line.open.map(|open| {
                    let toggle = move || {
                        state.toggled.update(|toggled| {
                            if let Some(at) = toggled.iter().position(|known| *known == path) {
                                toggled.swap_remove(at);
                            } else {
                                toggled.push(path.clone());
                            }
                        });
                    };
                    view! { <button class="twisty" aria-expanded=open.to_string() aria-label=named on:click=press(toggle)>{if open { "▾" } else { "▸" }}</button> }
                });
                view! {
                    <li {..level} style:padding-left=indent>
                        {twisty}{name}{rest}
                    </li>
                }
            })
            .views()
    };
    view! { <ul class="tree" aria-label="Value">{part(lines)}</ul> }
}

#[component]
fn Changes(row: Row) -> impl IntoView {
    let (Some(before), Op::Update | Op::Read) = (row.before(), row.op) else {
        return ().into_any();
    };
    if row.op == Op::Read && before == "null" {
        return ().into_any();
    }
    let Some((changes, more)) = diff(before, row.after()) else {
        return view! { <section><h3>"Changes"</h3><p class="faint">"Too large to be compared here."</p></section> }
            .into_any();
    };
    let none = changes
        .is_empty()
        .then_some("Nothing: the same value was written again.");
    let lines = changes.into_iter().map(|change| {
        let (class, sign) = match change.kind {
            Kind::Added => ("added", "+"),
            Kind::Removed => ("removed", "−"),
            Kind::Changed => ("changed", "~"),
        };
        let before = (change.kind != Kind::Added).then(|| view! { <del>{change.before}</del> });
        let after = (change.kind != Kind::Removed).then(|| view! { <ins>{change.after}</ins> });
        view! {
            <tr class=class><td class="sign">{sign}</td><th scope="row">{change.path}</th><td>{before}{after}</td></tr>
        }
    });
    view! {
        <section>
            <h3>"Changes"</h3>
            <table class="changes">{lines.views()}</table>
            {none.map(|text| view! { <p class="faint">{text}</p> })}
            {(more > 0).then(|| view! { <p class="faint">{format!("{more} more")}</p> })}
        </section>
    }
    .into_any()
}

#[component]
fn Names(state: State, row: Row) -> impl IntoView {
    ask_for_entry(state, &row);
    let line = move |title: &'static str, text: Option<String>| {
        text.map(|text| {
            let copied = text.clone();
            view! {
                <tr><th scope="row">{title}</th><td><code>{text}</code></td>
                    <td><button aria-label=format!("Copy {title}") on:click=press(move || state.copy(title, &copied))>"Copy"</button></td></tr>
            }
        })
    };
    part(move || {
        let ways = state.health.with(|health| ways(&row, health.as_ref()));
        if ways == Ways::default() {
            return ().into_any();
        }
        let plain = match ways.plain {
            Some(Plain::Text(text)) => line("Plain value", Some(text)),
            Some(Plain::None(why)) => line("Not cached", Some(why)),
            Some(Plain::Elsewhere(command)) => line("Record as it is now", Some(command)),
            None => None,
        };
        let id = state
            .entry
            .get()
            .filter(|(number, _)| *number == row.number)
            .map(|(_, id)| id);
        let redis_command = match &id {
            Some(id) => state.health.with(|health| entry_command(health.as_ref()?, id)),
            None => ways.redis_command,
        };
        view! {
            <section>
                <h3>"On the servers"</h3>
                <table class="names">
                    {plain}
                    {line("Memcached key", ways.memcached_key)}
                    {line("Memcached command", ways.memcached_command)}
                    {line("Redis channel", ways.channel)}
                    {line("Redis stream", ways.stream)}
                    {line("Redis entry", id)}
                    {line("Redis command", redis_command)}
                </table>
            </section>
        }
        .into_any()
    })
}

/// Asks for the id of an event's entry in the stream, once the event has passed and has been looked at for a moment.
fn ask_for_entry(state: State, row: &Row) {
    let number = row.number;
    let looked_at = move || {
        let row = state.row.get_untracked();
        row.is_some_and(|(_, row)| row.number == number)
    };
    if state.recording.with_untracked(Option::is_none) && row.lag(1).is_some() {
        link::later(record::MOMENT, move || {
            if looked_at() {
                state.ask(Question::Entry { number }, move |reply| {
                    if let Reply::Entry(Some(id)) = reply {
                        state.entry.set(Some((number, id)));
                    }
                });
            }
        });
    }
}

#[component]
fn Siblings(state: State, place: usize, row: Row) -> impl IntoView {
    let Some(whole) = row.transaction.clone().filter(|whole| whole.count > 1) else {
        return ().into_any();
    };
    let siblings = state.model.with_untracked(|model| {
        let places = model.transaction(place).take(SIBLINGS);
        places
            .filter_map(|place| Some((place, model.row(place)?)))
            .map(|(place, other)| {
                let here = (other.number == row.number).then_some("true");
                view! {
                    <li><button class="sibling" aria-current=here on:click=press(move || state.select(place))>
                        <b class="op" data-op=other.op.letter()>{words::operation(other.op)}</b>
                        <span class="name">{other.source.store.clone()}</span>" › "<span class="name">{other.key().to_owned()}</span>
                    </button></li>
                }
            })
            .views()
    });
    let count = usize::try_from(whole.count).unwrap_or(usize::MAX);
    view! {
        <section>
            <h3>{format!("Transaction of {}", words::counted(count, "event"))}
                <button on:click=press(move || state.set_filter(format!("tx:{}", whole.id)))>"Show only these"</button></h3>
            <ul class="siblings">{siblings}</ul>
        </section>
    }
    .into_any()
}

/// A text with what is searched for marked. The texts are in lower case.
fn highlighted(text: &str, texts: &[String]) -> impl IntoView + use<> {
    let (before, marked, after) = split(text, texts);
    let mark = (!marked.is_empty()).then(|| view! { <mark>{marked.to_owned()}</mark> });
    (before.to_owned(), mark, after.to_owned())
}
