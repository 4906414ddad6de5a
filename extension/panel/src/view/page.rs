//! What the page around us offers: clipboard, files, clocks, focus.

use js_sys::{Array, Date};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlElement, Url};

use crate::link;

fn document() -> Option<web_sys::Document> {
    web_sys::window()?.document()
}

/// Lets the panel be dark or light whatever the system is.
pub fn theme(dark: bool) {
    if let Some(root) = document().and_then(|document| document.document_element()) {
        let _set = root.set_attribute("data-theme", if dark { "dark" } else { "light" });
    }
}

/// Does something with the next frame; out of sight, where there are none, a little later.
pub fn soon(what: impl FnOnce() + 'static) {
    let hidden = document().is_none_or(|document| document.hidden());
    let callback = link::once(Box::new(what));
    let Some(window) = web_sys::window() else { return };
    let _waiting = if hidden {
        window.set_timeout_with_callback_and_timeout_and_arguments_0(callback.unchecked_ref(), 100)
    } else {
        window.request_animation_frame(callback.unchecked_ref())
    };
}

/// Milliseconds since the page was opened.
pub fn now() -> f64 {
    let performance = web_sys::window().and_then(|window| window.performance());
    performance.map_or(0.0, |performance| performance.now())
}

/// Marks a moment for whoever measures the panel (User Timing), once.
pub fn mark(name: &str) {
    if let Some(performance) = web_sys::window().and_then(|window| window.performance()) {
        let _marked = performance.mark(name);
    }
}

/// Moves the focus to the element of this id, or where it is not shown, to the view.
pub fn focus(id: &str) -> bool {
    let find = |id| document().and_then(|document| document.get_element_by_id(id));
    find(id)
        .or_else(|| find("view"))
        .and_then(|element| element.dyn_into::<HtmlElement>().ok())
        .is_some_and(|element| element.focus().is_ok())
}

/// Moves the focus into what lies over the screen. The browser itself heeds `autofocus` only as a page is loaded.
pub fn focus_over() {
    let first = document().and_then(|document| document.query_selector(".shade [autofocus]").ok()?);
    if let Some(first) = first.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _focused = first.focus();
    }
}

/// Scrolls the element of this id so far, in pixels, or to its end.
pub fn scroll(id: &str, top: i32) -> bool {
    let element = document().and_then(|document| document.get_element_by_id(id));
    element.inspect(|element| element.set_scroll_top(top)).is_some()
}

/// Lets the element of this id be out of reach, or no more. At once: what is to take the focus next may be in it.
pub fn set_inert(id: &str, inert: bool) {
    if let Some(element) = document().and_then(|document| document.get_element_by_id(id)) {
        let _set = element.toggle_attribute_with_force("inert", inert);
    }
}

fn active() -> Option<web_sys::Element> {
    document()?.active_element()
}

/// Whether keys go into a field.
pub fn is_typing() -> bool {
    active().is_some_and(|element| ["INPUT", "TEXTAREA", "SELECT"].contains(&element.tag_name().as_str()))
}

/// Whether the focus is in such an element.
pub fn is_within(selector: &str) -> bool {
    active().is_some_and(|element| element.closest(selector).is_ok_and(|around| around.is_some()))
}

/// Whether a space would press a button.
pub fn is_on_button() -> bool {
    active().is_some_and(|element| ["BUTTON", "A", "SUMMARY"].contains(&element.tag_name().as_str()))
}

/// Copies a text. `DevTools` gives its panels no clipboard API in every browser; the old command works everywhere.
pub fn copy(text: &str) -> bool {
    let done = || -> Option<bool> {
        let document = document()?;
        let field = document
            .create_element("textarea")
            .ok()?
            .dyn_into::<web_sys::HtmlTextAreaElement>()
            .ok()?;
        let before = active();
        field.set_value(text);
        document.body()?.append_child(&field).ok()?;
        field.select();
        let document: web_sys::HtmlDocument = document.dyn_into().ok()?;
        let copied = document.exec_command("copy").unwrap_or(false);
        field.remove();
        if let Some(before) = before.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            let _focused = before.focus();
        }
        Some(copied)
    };
    done().unwrap_or(false)
}

/// Offers a text as a file.
pub fn download(name: &str, text: &str) {
    let offer = || -> Option<()> {
        let options = BlobPropertyBag::new();
        options.set_type("application/x-ndjson");
        let parts = Array::of1(&JsValue::from_str(text));
        let blob = Blob::new_with_str_sequence_and_options(&parts, &options).ok()?;
        let url = Url::create_object_url_with_blob(&blob).ok()?;
        let link: HtmlAnchorElement = document()?.create_element("a").ok()?.dyn_into().ok()?;
        link.set_href(&url);
        link.set_download(name);
        link.click();
        link::later(10_000, move || {
            let _revoked = Url::revoke_object_url(&url);
        });
        Some(())
    };
    let _offered = offer();
}

/// The time of day of an instant: `14:03:27.081`.
#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53")]
pub fn time(at: i64) -> String {
    let date = Date::new(&JsValue::from_f64(at as f64));
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        date.get_hours(),
        date.get_minutes(),
        date.get_seconds(),
        date.get_milliseconds()
    )
}

/// Date and time, for a file's name: `2026-01-31T14-03-27`.
pub fn stamp() -> String {
    let text = String::from(Date::new_0().to_iso_string());
    text.chars()
        .take(19)
        .map(|char| if char == ':' { '-' } else { char })
        .collect()
}
