//! The whole panel, and its keys.

use leptos::{ev, prelude::*};
use wasm_bindgen::prelude::*;

use super::{
    details::Details,
    doctor::Doctor,
    dynamic::{dynamic_text, dynamic_view},
    event_list::EventList,
    header::{Header, Problems},
    help::Help,
    palette::Palette,
    stores::Stores,
    toolbar::Toolbar,
};
use crate::{
    app::{
        start::start_app,
        state::{App, Overlay, Step, Tab},
    },
    browser,
    dom::page,
};

/// Shows the panel.
#[wasm_bindgen]
pub fn open_panel() {
    console_error_panic_hook::set_once();
    browser::on_theme_change(page::set_theme);
    mount_to_body(Panel);
}

#[component]
fn Panel() -> impl IntoView {
    let app = start_app();
    let keys = window_event_listener(ev::keydown, move |event| handle_key(app, &event));
    on_cleanup(move || keys.remove());
    view! {
        <div id="screen">
        <Header app />
        <Toolbar app />
        <Problems app />
        <main id="view" tabindex="-1" role="tabpanel" aria-labelledby=move || if app.ui.tab.get() == Tab::Events { "tab-Events" } else { "tab-Stores" }
            class:with-details=move || app.selection.is_some.get() && app.ui.tab.get() == Tab::Events>
            {dynamic_view(move || match app.ui.tab.get() {
                Tab::Events => view! {
                    <EventList app />
                    {dynamic_view(move || app.selection.is_some.get().then(|| view! { <Details app /> }))}
                }.into_any(),
                Tab::Stores => view! { <Stores app /> }.into_any(),
            })}
        </main>
        </div>
        <Palette app />
        <Help app />
        <Doctor app />
        <div class="toast" role="status" class:shown=move || !app.ui.toast.get().is_empty()>{dynamic_text(move || app.ui.toast.get())}</div>
    }
}

fn handle_key(app: App, event: &ev::KeyboardEvent) {
    let key = event.key();
    let overlay = app.ui.overlay.get_untracked();
    if (event.ctrl_key() || event.meta_key()) && key.eq_ignore_ascii_case("k") {
        event.prevent_default();
        let is_open = overlay == Some(Overlay::Palette);
        app.show_overlay((!is_open).then_some(Overlay::Palette));
        return;
    }
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    if key == "Escape" {
        if overlay.is_some() {
            app.show_overlay(None);
        } else if page::is_typing() {
            page::focus("feed");
        } else if app.ui.tab.get_untracked() == Tab::Events {
            app.close_details();
        }
        // Inside DevTools the key would open the drawer.
        event.prevent_default();
        event.stop_propagation();
        return;
    }
    if page::is_typing() || overlay.is_some() {
        return;
    }
    let is_handled = match key.as_str() {
        "/" => page::focus("search"),
        "?" => {
            app.show_overlay(Some(Overlay::Help));
            true
        }
        "f" => {
            app.toggle_follow();
            true
        }
        " " if !page::is_focus_on_button() && !page::is_focus_within(".details") => {
            app.toggle_display_pause();
            true
        }
        // In the details the keys scroll. Firefox would move the focus at these two, so scroll
        // here.
        "Home" if page::is_focus_within(".details") => page::scroll_element("sections", 0),
        "End" if page::is_focus_within(".details") => page::scroll_element("sections", i32::MAX),
        _ if page::is_focus_within(".details, .stores") => false,
        "ArrowDown" => app.move_selection(Step::By(1)),
        "ArrowUp" => app.move_selection(Step::By(-1)),
        "PageDown" => app.move_selection(Step::By(20)),
        "PageUp" => app.move_selection(Step::By(-20)),
        "Home" => app.move_selection(Step::First),
        "End" => app.move_selection(Step::Last),
        _ => false,
    };
    if is_handled {
        event.prevent_default();
    }
}
