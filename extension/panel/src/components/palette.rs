//! The command palette (Ctrl+K, Cmd+K).

use leptos::{ev, prelude::*};

use super::dynamic::{IntoViews as _, aria_bool, dynamic_text, dynamic_view, on_press, stop_propagation};
use crate::{
    app::state::{App, Overlay, Tab},
    browser,
    dom::page,
    text_search::{find, lower},
};

/// The name of a command, its key, and what it does.
type Command = (&'static str, &'static str, fn(App));

const COMMANDS: &[Command] = &[
    ("Search", "/", |_| {
        page::focus("search");
    }),
    ("Pause or resume the display", "space", App::toggle_display_pause),
    ("Pause or resume capture", "", App::toggle_capture_pause),
    ("Toggle Follow", "f", App::toggle_follow),
    ("Toggle recording of stacks", "", App::toggle_tracing),
    ("Toggle deep capture of workers", "", App::toggle_deep_capture),
    ("Clear the events", "", App::clear_events),
    ("Clear the filter", "", |app| app.set_filter(String::new())),
    ("Show only events with problems", "", |app| {
        app.set_filter("is:error".to_owned());
    }),
    ("Show only deletions", "", |app| {
        app.set_filter("op:delete".to_owned());
    }),
    ("Show what has not reached Memcached", "", |app| {
        app.set_filter("-stage:memcached".to_owned());
    }),
    ("Show events", "", |app| app.show_tab(Tab::Events)),
    ("Show stores", "", |app| app.show_tab(Tab::Stores)),
    ("Export the events shown", "", App::export),
    ("Capture this site", "", |app| app.set_site_capture(true)),
    ("Stop capturing this site", "", |app| app.set_site_capture(false)),
    ("Grant the permission for this site", "", App::request_permission),
    ("Reload the page", "", |_| browser::reload_inspected_page()),
    ("Toggle events of this site only", "", |app| {
        app.site
            .is_exclusive
            .update(|is_exclusive| *is_exclusive = !*is_exclusive);
    }),
    ("Back to live", "", App::return_to_live),
    ("Help: filter language and keys", "?", |app| {
        app.show_overlay(Some(Overlay::Help));
    }),
    ("Check everything, as idb-relay doctor does", "", |app| {
        app.show_overlay(Some(Overlay::Doctor));
    }),
    ("Options", "", |_| browser::open_options_page()),
];

#[component]
pub fn Palette(app: App) -> impl IntoView {
    dynamic_view(move || {
        (app.ui.overlay.get() == Some(Overlay::Palette)).then(|| view! { <PaletteDialog app /> })
    })
}

#[component]
fn PaletteDialog(app: App) -> impl IntoView {
    let (text, chosen) = (app.ui.palette_text, app.ui.palette_index);
    text.set(String::new());
    chosen.set(0);
    let matching = move || -> Vec<&'static Command> {
        let wanted = lower(&text.get());
        COMMANDS
            .iter()
            .filter(|(name, ..)| find(name, &wanted).is_some() || wanted.is_empty())
            .collect()
    };
    let run = move |command: Option<&'static Command>| {
        app.show_overlay(None);
        if let Some((.., run)) = command {
            run(app);
        }
    };
    let handle_key = move |event: ev::KeyboardEvent| {
        let last = matching().len().saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => chosen.update(|index| *index = (*index + 1).min(last)),
            "ArrowUp" => chosen.update(|index| *index = index.saturating_sub(1)),
            "Enter" => run(matching().get(chosen.get_untracked()).copied()),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <div class="shade" on:click=on_press(move || app.show_overlay(None))>
            <div class="palette" role="dialog" aria-modal="true" aria-label="Commands" on:click=stop_propagation>
                <input autofocus=true type="text" role="combobox" aria-expanded="true" aria-controls="commands" aria-label="Command"
                    aria-activedescendant=dynamic_text(move || format!("command-{}", chosen.get()))
                    placeholder="Type a command" on:keydown=handle_key
                    on:input=move |event| { text.set(event_target_value(&event)); chosen.set(0); } />
                <ul id="commands" role="listbox" aria-label="Commands">
                    {dynamic_view(move || matching().into_iter().enumerate().map(|(index, command)| view! {
                        <li id=format!("command-{index}") role="option" aria-selected=aria_bool(move || chosen.get() == index)
                            on:click=on_press(move || run(Some(command)))>{command.0}<kbd>{command.1}</kbd></li>
                    }).into_views())}
                </ul>
            </div>
        </div>
    }
}
