//! The screen.
//!
//! - [`state`]: what it shows, as signals, and what a person can do.
//! - [`header`]: how the host and its servers are. [`toolbar`]: filter and buttons. [`feed`]: the events. [`details`]: one of
//!   them. [`stores`]: what is where. [`empty`]: why there is nothing. [`palette`]: every command by its name. [`page`]: clipboard,
//!   files, clocks.

use leptos::{ev, prelude::*};
use wasm_bindgen::prelude::*;

mod details;
mod empty;
mod feed;
mod header;
mod page;
mod palette;
mod state;
mod stores;
mod toolbar;

use self::state::{State, Tab};
use crate::link;

/// Shows the panel.
#[wasm_bindgen]
pub fn open_panel() {
    console_error_panic_hook::set_once();
    if let Some(dark) = link::is_dark() {
        page::theme(dark);
    }
    mount_to_body(Panel);
}

#[component]
fn Panel() -> impl IntoView {
    let state = State::new();
    let keys = window_event_listener(ev::keydown, move |event| keyboard(state, &event));
    on_cleanup(move || keys.remove());
    view! {
        <header::Header state />
        <toolbar::Toolbar state />
        <header::Problems state />
        <main class:with-details=move || state.selected.get().is_some() && state.tab.get() == Tab::Events>
            {move || match state.tab.get() {
                Tab::Events => view! {
                    <feed::FeedView state />
                    <Show when=move || state.selected.get().is_some()>
                        <details::Details state />
                    </Show>
                }.into_any(),
                Tab::Stores => view! { <stores::Stores state /> }.into_any(),
            }}
        </main>
        <palette::Palette state />
        <div class="toast" role="status" class:shown=move || !state.toast.get().is_empty()>{move || state.toast.get()}</div>
    }
}

fn keyboard(state: State, event: &ev::KeyboardEvent) {
    let key = event.key();
    if (event.ctrl_key() || event.meta_key()) && key.eq_ignore_ascii_case("k") {
        event.prevent_default();
        state.palette.update(|open| *open = !*open);
        return;
    }
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    if key == "Escape" {
        if state.palette.get_untracked() {
            state.palette.set(false);
        } else if page::is_typing() {
            page::focus("feed");
        } else {
            state.selected.set(None);
        }
        return;
    }
    if page::is_typing() || state.palette.get_untracked() {
        return;
    }
    let handled = match key.as_str() {
        "/" => page::focus("search"),
        " " if !page::is_on_button() => {
            state.toggle_display();
            true
        }
        "ArrowDown" => state.step(1),
        "ArrowUp" => state.step(-1),
        "PageDown" => state.step(20),
        "PageUp" => state.step(-20),
        "Home" => state.step(isize::MIN / 2),
        "End" => state.step(isize::MAX / 2),
        _ => false,
    };
    if handled {
        event.prevent_default();
    }
}
