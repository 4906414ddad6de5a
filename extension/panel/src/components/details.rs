//! The details of one event: value, changes, delivery, call stack, names on the servers,
//! transaction.

use leptos::prelude::*;
use protocol::wire::inspector::{Question, Reply};

use super::{
    document_label::{describe_writer, label_document},
    dynamic::{IntoViews as _, dynamic_view, on_press},
    record_comparison::record_of_event,
    sentence::sentence,
    value_view::{changes_section, value_section},
};
use crate::{
    app::state::App,
    browser,
    dom::page,
    events::{
        row::EventRow,
        server_names::{PlainValue, ServerNames, entry_command, server_names},
        stacks::{StackFrame, parse_stack},
        stage::{StageStatus, describe_stage, stage_progress},
    },
    format,
    timers::{run_later, run_with_next_frame},
    timing,
};

/// The most events of a transaction that are listed.
const MAX_SIBLINGS: usize = 200;

#[component]
pub fn Details(app: App) -> impl IntoView {
    let content = move || {
        // Rendering again loses the focus. Give it back if it was in the details.
        if page::is_focus_within(".sections") {
            run_with_next_frame(|| {
                page::focus("sections");
            });
        }
        app.selection.row.get().map(|(place, row)| {
            view! {
                <Head app row=row.clone() />
                <div class="sections" id="sections" tabindex="0" role="group" aria-label="Event">
                    {value_section(app, &row)}
                    {changes_section(&row)}
                    <Delivery app row=row.clone() />
                    <CallStack app place row=row.clone() />
                    <OnServers app row=row.clone() />
                    {record_of_event(app, &row)}
                    <Transaction app place row />
                </div>
            }
        })
    };
    view! { <aside class="details" aria-label="Event details">{dynamic_view(content)}</aside> }
}

#[component]
fn Head(app: App, row: EventRow) -> impl IntoView {
    let json = row.text.to_string();
    let key = row.key().to_owned();
    let copied = key.clone();
    let source = &row.source;
    let (document, badge) = label_document(app, &row);
    let writer = source.writer.as_ref().map(describe_writer);
    let writer = writer.map(|writer| view! { <p class="faint writer">{writer}</p> });
    let bucket = (!source.bucket.is_empty()).then(|| format!(" · bucket {}", source.bucket));
    view! {
        <header>
            <b class="op" data-op=row.op.letter()>{format::operation_name(row.op)}</b>
            <h2 title=key.clone()>{key.clone()}</h2>
            {row.has_key.then(|| view! { <button aria-label="Copy key" on:click=on_press(move || app.copy("Key", &copied))>"Copy key"</button> })}
            <button aria-label="Copy event as JSON" on:click=on_press(move || app.copy("Event", &json))>"Copy event"</button>
            <button class="icon" aria-label="Close details" title="Close (Esc)" on:click=on_press(move || app.close_details())>"×"</button>
            <p class="faint">{source.origin.clone()}" › "<span class="name">{source.database.clone()}</span>" › "<span class="name">{source.store.clone()}</span>{bucket}</p>
            <p class="faint">{page::time_of_day(row.committed_at)}" · event "{row.number}" · "<span title=document>{badge.1}</span></p>
            {writer}
        </header>
    }
}

#[component]
fn Delivery(app: App, row: EventRow) -> impl IntoView {
    let progress = move || {
        let is_live = app.source.recording.with(Option::is_none);
        app.host.health.with(|health| {
            let stages = stage_progress(&row, health.as_ref(), is_live);
            let sentences: Vec<_> = stages
                .iter()
                .enumerate()
                .map(|(stage, progress)| describe_stage(&row, stage, progress, health.as_ref()))
                .collect();
            (stages, sentences)
        })
    };
    let table = move || {
        let (stages, sentences) = progress();
        let is_wrong = |status| matches!(status, StageStatus::Noticed | StageStatus::Retrying);
        let rows = stages.iter().zip(sentences).map(|(progress, text)| {
            view! {
                <tr><th scope="row"><span class="strip"><i data-stage=progress.stage data-state=progress.status.name()><s></s></i></span>{format::stage_title(progress.stage).to_owned()}</th>
                    <td class:error=is_wrong(progress.status)>{sentence(&text)}</td></tr>
            }
        });
        view! { <table>{rows.into_views()}</table> }
    };
    view! { <section><h3>"Delivery"</h3>{dynamic_view(table)}</section> }
}

#[component]
fn CallStack(app: App, place: usize, row: EventRow) -> impl IntoView {
    // A record that was read has no known write.
    if row.transaction.is_none() {
        return ().into_any();
    }
    // Computed once: no earlier event of the transaction can follow.
    let earlier = app.feed.log.with_untracked(|log| {
        let first = log.transaction_places(place).start;
        let siblings = (first..place).filter_map(|place| log.row(place));
        siblings
            .filter(|other| other.source.store == row.source.store)
            .filter(|other| other.has_key == row.has_key && other.key() == row.key())
            .count()
    });
    let stack = move || {
        app.feed
            .stacks
            .with(|stacks| stacks.find(&row, earlier).map(parse_stack))
    };
    let calls = move || {
        if let Some(stack) = stack() {
            let calls: Vec<_> = stack.into_iter().map(|frame| stack_frame(app, frame)).collect();
            if calls.is_empty() {
                return view! { <p class="faint">"The stack has no script that can be shown."</p> }
                    .into_any();
            }
            return view! { <ol class="calls">{calls}</ol> }.into_any();
        }
        if app.source.is_tracing.get() {
            return view! { <p class="faint">"No stack was recorded for this write."</p> }.into_any();
        }
        view! {
            <p class="faint">"No stack recorded. "
                <button on:click=on_press(move || app.toggle_tracing())>"Record stacks"</button></p>
        }
        .into_any()
    };
    view! { <section><h3>"Called from"</h3>{dynamic_view(calls)}</section> }.into_any()
}

fn stack_frame(app: App, frame: StackFrame) -> impl IntoView {
    let name = if frame.function.is_empty() {
        "(anonymous)".to_owned()
    } else {
        frame.function.clone()
    };
    let (short_location, location) = (frame.short_location(), frame.location());
    let title = location.clone();
    let open = move || {
        if !browser::show_source(&frame.url, frame.line, frame.column) {
            app.copy("Location", &location);
        }
    };
    view! { <li><code>{name}</code>" "<button class="link" title=title on:click=on_press(open)>{short_location}</button></li> }
}

#[component]
fn OnServers(app: App, row: EventRow) -> impl IntoView {
    ask_for_stream_entry(app, &row);
    let table_row = move |title: &'static str, text: Option<String>| {
        text.map(|text| {
            let copied = text.clone();
            view! {
                <tr><th scope="row">{title}</th><td><code>{text}</code></td>
                    <td><button aria-label=format!("Copy {title}") on:click=on_press(move || app.copy(title, &copied))>"Copy"</button></td></tr>
            }
        })
    };
    dynamic_view(move || {
        let names = app.host.health.with(|health| server_names(&row, health.as_ref()));
        if names == ServerNames::default() {
            return ().into_any();
        }
        let plain_value = match names.plain_value {
            Some(PlainValue::Text(text)) => table_row("Plain value", Some(text)),
            Some(PlainValue::Unavailable(reason)) => table_row("Not cached", Some(reason)),
            Some(PlainValue::TooLarge(command)) => table_row("Record as it is now", Some(command)),
            None => None,
        };
        let id = app
            .selection
            .stream_entry
            .get()
            .filter(|(number, _)| *number == row.number)
            .map(|(_, id)| id);
        let redis_command = match &id {
            Some(id) => app.host.health.with(|health| entry_command(health.as_ref()?, id)),
            None => names.redis_command,
        };
        view! {
            <section>
                <h3>"On the servers"</h3>
                <table class="names">
                    {plain_value}
                    {table_row("Memcached key", names.memcached_key)}
                    {table_row("Memcached command", names.memcached_command)}
                    {table_row("Redis channel", names.channel)}
                    {table_row("Redis stream", names.stream)}
                    {table_row("Redis entry", id)}
                    {table_row("Redis command", redis_command)}
                </table>
            </section>
        }
        .into_any()
    })
}

/// Asks for the id of the event's stream entry, if the event stays selected for a moment.
fn ask_for_stream_entry(app: App, row: &EventRow) {
    let number = row.number;
    let is_selected = move || {
        let selected = app.selection.row.get_untracked();
        selected.is_some_and(|(_, row)| row.number == number)
    };
    if app.source.recording.with_untracked(Option::is_none) && row.lag(1).is_some() {
        run_later(timing::SELECTION_DELAY_MS, move || {
            if is_selected() {
                app.ask(Question::Entry { number }, move |reply| {
                    if let Reply::Entry(Some(id)) = reply {
                        app.selection.stream_entry.set(Some((number, id)));
                    }
                });
            }
        });
    }
}

#[component]
fn Transaction(app: App, place: usize, row: EventRow) -> impl IntoView {
    let Some(transaction) = row
        .transaction
        .clone()
        .filter(|transaction| transaction.count > 1)
    else {
        return ().into_any();
    };
    let siblings = app.feed.log.with_untracked(|log| {
        let places = log.transaction_places(place).take(MAX_SIBLINGS);
        places
            .filter_map(|place| Some((place, log.row(place)?)))
            .map(|(place, other)| {
                let is_current = (other.number == row.number).then_some("true");
                view! {
                    <li><button class="sibling" aria-current=is_current on:click=on_press(move || app.select(place))>
                        <b class="op" data-op=other.op.letter()>{format::operation_name(other.op)}</b>
                        <span class="name">{other.source.store.clone()}</span>" › "<span class="name">{other.key().to_owned()}</span>
                    </button></li>
                }
            })
            .into_views()
    });
    view! {
        <section>
            <h3>{format!("Transaction of {}", format::count_noun(transaction.count, "event"))}
                <button on:click=on_press(move || app.set_filter(format!("tx:{}", transaction.id)))>"Show only these"</button></h3>
            <ul class="siblings">{siblings}</ul>
        </section>
    }
    .into_any()
}
