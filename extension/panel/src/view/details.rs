//! One event: its way, its value as a tree, what changed, its names in the servers, its transaction.

use leptos::prelude::*;

use super::{feed::stages, page, state::State};
use crate::{
    diff::{Kind, diff},
    model::{Row, STAGES},
    tree, words,
};

/// How many events of a transaction are listed.
const SIBLINGS: usize = 200;

#[component]
pub fn Details(state: State) -> impl IntoView {
    let content = move || {
        state.of_selected(|row, _| row.clone()).map(|row| {
            view! {
                <Head state row=row.clone() />
                <Way row=row.clone() />
                <Value state row=row.clone() />
                <Changes row=row.clone() />
                <Names state row=row.clone() />
                <Siblings state row />
            }
        })
    };
    view! { <aside class="details" aria-label="Event details">{content}</aside> }
}

#[component]
fn Head(state: State, row: Row) -> impl IntoView {
    let json = row.text.to_string();
    let key = row.key.clone();
    view! {
        <header>
            <b class="op" data-op=row.op.letter()>{words::operation(row.op)}</b>
            <h2 title=row.key.clone()>{row.key.clone()}</h2>
            <button on:click=move |_| state.copy("Key", &key)>"Copy key"</button>
            <button on:click=move |_| state.copy("Event", &json)>"Copy event"</button>
            <button aria-label="Close details" title="Close (Esc)" on:click=move |_| state.selected.set(None)>"×"</button>
            <p class="faint">{row.origin.clone()}" › "{row.database.clone()}" › "{row.store.clone()}" · event "{row.number}" · "{page::time(row.at)}</p>
        </header>
    }
}

#[component]
fn Way(row: Row) -> impl IntoView {
    let lines = STAGES.iter().enumerate().map(|(stage, name)| {
        let lag = row.lag(stage);
        let notice = row.notices.iter().find(|(of, _)| of == name).map(|(_, text)| text.clone());
        let title = match *name {
            "journal" => "On disk",
            "redis" => "Published to Redis",
            _ => "In Memcached",
        };
        view! {
            <tr><th scope="row">{title}</th>
                <td>{lag.map_or_else(|| "not yet, or switched off".to_owned(), |lag| format!("{} after the commit", words::duration(lag)))}</td>
                <td class="error">{notice}</td></tr>
        }
    });
    view! {
        <section><h3>"Way"</h3><p class="way">{stages(&row)}</p><table>{lines.collect_view()}</table></section>
    }
}

#[component]
fn Value(state: State, row: Row) -> impl IntoView {
    let member = if row.op.letter() == "d" { "before" } else { "after" };
    let typed = words::value(&row, member).unwrap_or("null").to_owned();
    let copied = typed.clone();
    let title = if member == "before" {
        "Value before it went"
    } else {
        "Value"
    };
    let lines = move || {
        state.toggled.with(|toggled| tree::lines(&typed, toggled)).into_iter().map(|line| {
            let path = line.path.clone();
            let toggle = move |_| {
                state.toggled.update(|toggled| {
                    if !toggled.remove(&path) {
                        toggled.insert(path.clone());
                    }
                });
            };
            let name = (!line.name.is_empty()).then(|| view! { <span class="name">{line.name.clone()}</span>": " });
            let rest = view! { <span class="label">{line.label.clone()}</span>" "<span class="value" data-kind=line.kind>{line.text.clone()}</span> };
            let level = (line.depth + 1).to_string();
            match line.open {
                Some(open) => view! {
                    <li role="treeitem" attr:aria-level=level aria-expanded=open.to_string() style:padding-left=format!("{}px", line.depth * 14)>
                        <button class="twisty" aria-label=if open { "Close" } else { "Open" } on:click=toggle>{if open { "▾" } else { "▸" }}</button>{name}{rest}
                    </li>
                }.into_any(),
                None => view! {
                    <li role="treeitem" attr:aria-level=level style:padding-left=format!("{}px", line.depth * 14 + 16)>{name}{rest}</li>
                }.into_any(),
            }
        }).collect_view()
    };
    view! {
        <section>
            <h3>{title}<button on:click=move |_| state.copy("Value", &copied)>"Copy"</button></h3>
            <ul class="tree" role="tree" aria-label="Value">{lines}</ul>
        </section>
    }
}

#[component]
fn Changes(row: Row) -> impl IntoView {
    let (before, after) = (words::value(&row, "before"), words::value(&row, "after"));
    let (Some(before), Some(after), "u" | "r") = (before, after, row.op.letter()) else {
        return ().into_any();
    };
    let (changes, more) = diff(before, after);
    let none = changes
        .is_empty()
        .then_some("Nothing: the same value was written again.");
    let lines = changes.into_iter().map(|change| {
        let (class, sign) = match change.kind {
            Kind::Added => ("added", "+"),
            Kind::Removed => ("removed", "−"),
            Kind::Changed => ("changed", "~"),
        };
        view! {
            <tr class=class><td>{sign}</td><th scope="row">{change.path}</th><td><del>{change.before}</del></td><td><ins>{change.after}</ins></td></tr>
        }
    });
    view! {
        <section>
            <h3>"Changes"</h3>
            <table class="changes">{lines.collect_view()}</table>
            <p class="faint">{none}{(more > 0).then(|| format!("{more} more"))}</p>
        </section>
    }
    .into_any()
}

#[component]
fn Names(state: State, row: Row) -> impl IntoView {
    let ways = move || state.health.with(|health| words::ways(&row, health.as_ref()));
    let line = move |title: &'static str, text: Option<String>| {
        text.map(|text| {
            let copied = text.clone();
            view! {
                <tr><th scope="row">{title}</th><td><code>{text}</code></td>
                    <td><button aria-label=format!("Copy {title}") on:click=move |_| state.copy(title, &copied)>"Copy"</button></td></tr>
            }
        })
    };
    // Made anew only when something of it changes, or a button would go while it is pressed.
    let ways = Memo::new(move |_| ways());
    move || {
        let ways = ways.get();
        let plain = match ways.plain {
            Some(Ok(text)) => line("Cached value", Some(text)),
            Some(Err(why)) => line("Not cached", Some(why)),
            None => None,
        };
        view! {
            <section>
                <h3>"In the servers"</h3>
                <table class="names">
                    {plain}
                    {line("Memcached key", ways.memcached_key)}
                    {line("Memcached command", ways.memcached_command)}
                    {line("Redis channel", ways.channel)}
                    {line("Redis stream", ways.stream)}
                    {line("Redis command", ways.redis_command)}
                </table>
            </section>
        }
    }
}

#[component]
fn Siblings(state: State, row: Row) -> impl IntoView {
    let Some((id, _, count)) = row.transaction.clone().filter(|(.., count)| *count > 1) else {
        return ().into_any();
    };
    let wanted = id.clone();
    let siblings = state.model.with_untracked(|model| {
        let siblings = model.rows().filter(|(_, other)| other.is_beside(&row)).take(SIBLINGS);
        siblings
            .map(|(place, other)| {
                let here = other.number == row.number;
                let text = format!("{} › {}", other.store, other.key);
                view! {
                    <li><button class="sibling" aria-current=here.then_some("true") on:click=move |_| state.selected.set(Some(place))>
                        <b class="op" data-op=other.op.letter()>{words::operation(other.op)}</b>{text}
                    </button></li>
                }
            })
            .collect_view()
    });
    view! {
        <section>
            <h3>{format!("Transaction of {count} events")}
                <button on:click=move |_| state.filter.set(format!("tx:{wanted}"))>"Show only these"</button></h3>
            <ul class="siblings">{siblings}</ul>
        </section>
    }
    .into_any()
}
