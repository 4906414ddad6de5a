//! Every command by its name (Ctrl+K, Cmd+K).

use crate::query::{find, lower};
use leptos::{ev, prelude::*};

use super::{
    erased::{Views as _, part, press, stay, switch, text},
    page,
    state::{Over, State, Tab},
};

/// A command: its name, the key that does the same, what it does.
type Command = (&'static str, &'static str, fn(State));

const COMMANDS: &[Command] = &[
    ("Search", "/", |_| {
        page::focus("search");
    }),
    ("Pause or resume the display", "space", State::toggle_display),
    ("Pause or resume capture", "", State::toggle_capture),
    ("Toggle Follow", "f", State::toggle_follow),
    ("Toggle recording of stacks", "", State::toggle_tracing),
    ("Clear the events", "", State::clear),
    ("Clear the filter", "", |state| state.set_filter(String::new())),
    ("Show only events with problems", "", |state| {
        state.set_filter("is:error".to_owned());
    }),
    ("Show only deletions", "", |state| {
        state.set_filter("op:delete".to_owned());
    }),
    ("Show what has not reached Memcached", "", |state| {
        state.set_filter("-stage:memcached".to_owned());
    }),
    ("Show events", "", |state| state.go(Tab::Events)),
    ("Show stores", "", |state| state.go(Tab::Stores)),
    ("Export the events shown", "", State::export),
    ("Capture this site", "", |state| state.capture(true)),
    ("Stop capturing this site", "", |state| state.capture(false)),
    ("Grant the permission for this site", "", State::grant),
    ("Reload the page", "", |_| crate::browser::reload()),
    ("Toggle events of this site only", "", |state| {
        state.only_site.update(|only| *only = !*only);
    }),
    ("Back to live", "", State::live),
    ("Help: filter language and keys", "?", |state| {
        state.show(Some(Over::Help));
    }),
    ("Check everything, as idb-relay doctor does", "", |state| {
        state.show(Some(Over::Doctor));
    }),
    ("Options", "", |_| crate::browser::open_options()),
];

#[component]
pub fn Palette(state: State) -> impl IntoView {
    part(move || (state.over.get() == Some(Over::Palette)).then(|| view! { <Open state /> }))
}

#[component]
fn Open(state: State) -> impl IntoView {
    let (written, chosen) = (state.command, state.chosen_command);
    written.set(String::new());
    chosen.set(0);
    let fitting = move || -> Vec<&'static Command> {
        let wanted = lower(&written.get());
        COMMANDS
            .iter()
            .filter(|(name, ..)| find(name, &wanted).is_some() || wanted.is_empty())
            .collect()
    };
    let run = move |command: Option<&'static Command>| {
        state.show(None);
        if let Some((.., what)) = command {
            what(state);
        }
    };
    let keys = move |event: ev::KeyboardEvent| {
        let last = fitting().len().saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => chosen.update(|index| *index = (*index + 1).min(last)),
            "ArrowUp" => chosen.update(|index| *index = index.saturating_sub(1)),
            "Enter" => run(fitting().get(chosen.get_untracked()).copied()),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <div class="shade" on:click=press(move || state.show(None))>
            <div class="palette" role="dialog" aria-modal="true" aria-label="Commands" on:click=stay>
                <input autofocus=true type="text" role="combobox" aria-expanded="true" aria-controls="commands" aria-label="Command"
                    aria-activedescendant=text(move || format!("command-{}", chosen.get()))
                    placeholder="What to do…" on:keydown=keys
                    on:input=move |event| { written.set(event_target_value(&event)); chosen.set(0); } />
                <ul id="commands" role="listbox" aria-label="Commands">
                    {part(move || fitting().into_iter().enumerate().map(|(index, command)| view! {
                        <li id=format!("command-{index}") role="option" aria-selected=switch(move || chosen.get() == index)
                            on:click=press(move || run(Some(command)))>{command.0}<kbd>{command.1}</kbd></li>
                    }).views())}
                </ul>
            </div>
        </div>
    }
}
