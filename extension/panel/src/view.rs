//! The screen.
//!
//! - [`state`]: what it shows, as signals, and what a person can do.
//! - [`header`]: how the host and its servers are. [`toolbar`]: filter and buttons. [`feed`]: the events. [`details`]: one of
//!   them. [`stores`]: what is where. [`lookup`], [`record`]: one record. [`empty`]: why there is nothing. [`palette`]: every
//!   command by its name. [`help`]: filter language and keys. [`doctor`]: what is wrong on the way. [`sentence`]: words with
//!   code in them. [`page`]: clipboard, files, clocks. [`lasting`]: what the screen follows. [`erased`]: handlers and texts of
//!   one type.

use leptos::{ev, prelude::*};
use wasm_bindgen::prelude::*;

mod details;
mod doctor;
mod empty;
mod erased;
mod feed;
mod header;
mod help;
mod lasting;
mod lookup;
mod page;
mod palette;
mod record;
mod sentence;
mod state;
mod stores;
mod toolbar;

use self::{
    erased::{part, text},
    state::{Over, State, Step, Tab},
};
use crate::browser;

/// Shows the panel.
#[wasm_bindgen]
pub fn open_panel() {
    console_error_panic_hook::set_once();
    browser::on_theme(page::theme);
    mount_to_body(Panel);
}

#[component]
fn Panel() -> impl IntoView {
    let state = State::new();
    let keys = window_event_listener(ev::keydown, move |event| keyboard(state, &event));
    on_cleanup(move || keys.remove());
    view! {
        <div id="screen">
        <header::Header state />
        <toolbar::Toolbar state />
        <header::Problems state />
        <main id="view" tabindex="-1" role="tabpanel" aria-labelledby=move || if state.tab.get() == Tab::Events { "tab-Events" } else { "tab-Stores" }
            class:with-details=move || state.detailed.get() && state.tab.get() == Tab::Events>
            {part(move || match state.tab.get() {
                Tab::Events => view! {
                    <feed::FeedView state />
                    {part(move || state.detailed.get().then(|| view! { <details::Details state /> }))}
                }.into_any(),
                Tab::Stores => view! { <stores::Stores state /> }.into_any(),
            })}
        </main>
        </div>
        <palette::Palette state />
        <help::Help state />
        <doctor::Doctor state />
        <div class="toast" role="status" class:shown=move || !state.toast.get().is_empty()>{text(move || state.toast.get())}</div>
    }
}

fn keyboard(state: State, event: &ev::KeyboardEvent) {
    let key = event.key();
    let over = state.over.get_untracked();
    if (event.ctrl_key() || event.meta_key()) && key.eq_ignore_ascii_case("k") {
        event.prevent_default();
        let open = over == Some(Over::Palette);
        state.show((!open).then_some(Over::Palette));
        return;
    }
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    if key == "Escape" {
        if over.is_some() {
            state.show(None);
        } else if page::is_typing() {
            page::focus("feed");
        } else if state.tab.get_untracked() == Tab::Events {
            details::close(state);
        }
        // Inside DevTools it would open the drawer.
        event.prevent_default();
        event.stop_propagation();
        return;
    }
    if page::is_typing() || over.is_some() {
        return;
    }
    let handled = match key.as_str() {
        "/" => page::focus("search"),
        "?" => {
            state.show(Some(Over::Help));
            true
        }
        "f" => {
            state.toggle_follow();
            true
        }
        " " if !page::is_on_button() && !page::is_within(".details") => {
            state.toggle_display();
            true
        }
        // Whoever reads the details scrolls them. These keys by us: Firefox takes the focus away with them.
        "Home" if page::is_within(".details") => page::scroll("sections", 0),
        "End" if page::is_within(".details") => page::scroll("sections", i32::MAX),
        _ if page::is_within(".details, .stores") => false,
        "ArrowDown" => state.step(Step::Lines(1)),
        "ArrowUp" => state.step(Step::Lines(-1)),
        "PageDown" => state.step(Step::Lines(20)),
        "PageUp" => state.step(Step::Lines(-20)),
        "Home" => state.step(Step::First),
        "End" => state.step(Step::Last),
        _ => false,
    };
    if handled {
        event.prevent_default();
    }
}
