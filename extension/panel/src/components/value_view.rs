//! The value of an event as a tree, and what changed in it.

use leptos::{attr::custom::custom_attribute, prelude::*};
use protocol::{event::Op, wire::inspector::left_out_bytes};

use super::dynamic::{IntoViews as _, dynamic_view, on_press};
use crate::{
    app::state::App,
    events::row::EventRow,
    format,
    records::{
        value_diff::{ChangeKind, diff_values},
        value_tree::tree_lines,
    },
    text_search::split_at_match,
};

/// The value, or the schema change, of an event.
pub fn value_section(app: App, row: &EventRow) -> AnyView {
    if !row.has_key {
        let change = row.schema_change.as_deref().map(str::to_owned);
        let text = change.unwrap_or_else(|| match row.op {
            Op::Truncate if row.key().is_empty() => "clear: every record of the store was deleted".to_owned(),
            Op::Truncate => format!("delete of the range {}", row.key()),
            _ => String::new(),
        });
        return view! { <section><h3>"Change"</h3><p><code>{text}</code></p></section> }.into_any();
    }
    let is_deletion = row.op == Op::Delete;
    if is_deletion && row.before().is_none_or(|before| before == "null") {
        return ().into_any();
    }
    let title = if is_deletion { "Deleted value" } else { "Value" };
    let typed = row.value().to_owned();
    if let Some(bytes) = left_out_bytes(&typed) {
        let size = format::bytes(bytes);
        return view! { <section><h3>{title}</h3><p class="faint">{format!("Too large for the list: {size}.")}</p></section> }
            .into_any();
    }
    let copied = typed.clone();
    view! {
        <section>
            <h3>{title}<button aria-label="Copy value" on:click=on_press(move || app.copy("Value", &copied))>"Copy"</button></h3>
            <Tree app typed />
        </section>
    }
    .into_any()
}

#[component]
fn Tree(app: App, typed: String) -> impl IntoView {
    let lines = move || {
        let texts = app.filter.search_texts.get();
        let lines = app
            .selection
            .toggled_paths
            .with(|toggled| tree_lines(&typed, toggled));
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
                // Leptos does not know this attribute.
                let level = custom_attribute("aria-level", (line.depth + 1).to_string());
                let indent = format!("{}px", line.depth * 14 + 16);
                let path = line.path;
                let named = if line.name.is_empty() { line.label.clone() } else { line.name.clone() };
                let twisty = line.open.map(|open| {
                    let toggle = move || {
                        app.selection.toggled_paths.update(|toggled| {
                            if let Some(at) = toggled.iter().position(|known| *known == path) {
                                toggled.swap_remove(at);
                            } else {
                                toggled.push(path.clone());
                            }
                        });
                    };
                    view! { <button class="twisty" aria-expanded=open.to_string() aria-label=named on:click=on_press(toggle)>{if open { "▾" } else { "▸" }}</button> }
                });
                view! {
                    <li {..level} style:padding-left=indent>
                        {twisty}{name}{rest}
                    </li>
                }
            })
            .into_views()
    };
    view! { <ul class="tree" aria-label="Value">{dynamic_view(lines)}</ul> }
}

/// What changed from the value before to the value after.
pub fn changes_section(row: &EventRow) -> AnyView {
    let (Some(before), Op::Update | Op::Read) = (row.before(), row.op) else {
        return ().into_any();
    };
    if row.op == Op::Read && before == "null" {
        return ().into_any();
    }
    let Some((changes, more)) = diff_values(before, row.after()) else {
        return view! { <section><h3>"Changes"</h3><p class="faint">"Too large to be compared here."</p></section> }
            .into_any();
    };
    let no_change = changes
        .is_empty()
        .then_some("No change: the same value was written again.");
    let rows = changes.into_iter().map(|change| {
        let (class, sign) = match change.kind {
            ChangeKind::Added => ("added", "+"),
            ChangeKind::Removed => ("removed", "−"),
            ChangeKind::Changed => ("changed", "~"),
        };
        let before = (change.kind != ChangeKind::Added).then(|| view! { <del>{change.before}</del> });
        let after = (change.kind != ChangeKind::Removed).then(|| view! { <ins>{change.after}</ins> });
        view! {
            <tr class=class><td class="sign">{sign}</td><th scope="row">{change.path}</th><td>{before}{after}</td></tr>
        }
    });
    view! {
        <section>
            <h3>"Changes"</h3>
            <table class="changes">{rows.into_views()}</table>
            {no_change.map(|text| view! { <p class="faint">{text}</p> })}
            {(more > 0).then(|| view! { <p class="faint">{format!("{more} more")}</p> })}
        </section>
    }
    .into_any()
}

/// A text in which the first searched text is highlighted. The searched texts are in lower case.
fn highlighted(text: &str, texts: &[String]) -> impl IntoView + use<> {
    let (before, highlighted, after) = split_at_match(text, texts);
    let mark = (!highlighted.is_empty()).then(|| view! { <mark>{highlighted.to_owned()}</mark> });
    (before.to_owned(), mark, after.to_owned())
}
