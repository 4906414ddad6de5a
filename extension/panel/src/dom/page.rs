//! Services of the panel's own page: focus, clipboard, files and clocks.

use js_sys::{Array, Date};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlElement, Url};

use crate::{timers::run_later, timing};

fn document() -> Option<web_sys::Document> {
    web_sys::window()?.document()
}

/// Makes the panel dark or light, independent of the system.
pub fn set_theme(is_dark: bool) {
    if let Some(root) = document().and_then(|document| document.document_element()) {
        let _set = root.set_attribute("data-theme", if is_dark { "dark" } else { "light" });
    }
}

/// Milliseconds since the page was opened.
pub fn now_ms() -> f64 {
    let performance = web_sys::window().and_then(|window| window.performance());
    performance.map_or(0.0, |performance| performance.now())
}

/// Adds a User Timing mark, which the benchmarks read.
pub fn add_timing_mark(name: &str) {
    if let Some(performance) = web_sys::window().and_then(|window| window.performance()) {
        let _marked = performance.mark(name);
    }
}

/// Moves the focus to the element with this id. If it is not shown: to the view.
pub fn focus(id: &str) -> bool {
    let find = |id| document().and_then(|document| document.get_element_by_id(id));
    find(id)
        .or_else(|| find("view"))
        .and_then(|element| element.dyn_into::<HtmlElement>().ok())
        .is_some_and(|element| element.focus().is_ok())
}

/// Moves the focus into the open dialog. Browsers apply `autofocus` only while a page loads.
pub fn focus_overlay() {
    let first = document().and_then(|document| document.query_selector(".shade [autofocus]").ok()?);
    if let Some(first) = first.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _focused = first.focus();
    }
}

/// Scrolls the element with this id to a position in pixels.
pub fn scroll_element(id: &str, top: i32) -> bool {
    let element = document().and_then(|document| document.get_element_by_id(id));
    element.inspect(|element| element.set_scroll_top(top)).is_some()
}

/// Makes the element with this id inert or not.
///
/// At once, not with the next frame: the element that takes the focus next may be inside.
pub fn set_inert(id: &str, inert: bool) {
    if let Some(element) = document().and_then(|document| document.get_element_by_id(id)) {
        let _set = element.toggle_attribute_with_force("inert", inert);
    }
}

fn focused_element() -> Option<web_sys::Element> {
    document()?.active_element()
}

/// Whether the focus is in an input field.
pub fn is_typing() -> bool {
    focused_element()
        .is_some_and(|element| ["INPUT", "TEXTAREA", "SELECT"].contains(&element.tag_name().as_str()))
}

/// Whether the focus is in an element that matches the selector.
pub fn is_focus_within(selector: &str) -> bool {
    focused_element()
        .is_some_and(|element| element.closest(selector).is_ok_and(|ancestor| ancestor.is_some()))
}

/// Whether the space key would press the focused element.
pub fn is_focus_on_button() -> bool {
    focused_element().is_some_and(|element| ["BUTTON", "A", "SUMMARY"].contains(&element.tag_name().as_str()))
}

/// Copies a text. False: the browser refused.
///
/// Not every browser gives a panel in `DevTools` the clipboard API. `execCommand` works in all of
/// them.
pub fn copy(text: &str) -> bool {
    let try_copy = || -> Option<bool> {
        let document = document()?;
        let field = document
            .create_element("textarea")
            .ok()?
            .dyn_into::<web_sys::HtmlTextAreaElement>()
            .ok()?;
        let focused_before = focused_element();
        field.set_value(text);
        document.body()?.append_child(&field).ok()?;
        field.select();
        let document: web_sys::HtmlDocument = document.dyn_into().ok()?;
        let copied = document.exec_command("copy").unwrap_or(false);
        field.remove();
        if let Some(focused) = focused_before.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            let _focused = focused.focus();
        }
        Some(copied)
    };
    try_copy().unwrap_or(false)
}

/// Offers a text as a file.
pub fn download(name: &str, text: &str) {
    let offer = || -> Option<()> {
        let options = BlobPropertyBag::new();
        options.set_type("application/x-ndjson");
        let parts = Array::of1(&JsValue::from_str(text));
        let blob = Blob::new_with_str_sequence_and_options(&parts, &options).ok()?;
        let url = Url::create_object_url_with_blob(&blob).ok()?;
        let anchor: HtmlAnchorElement = document()?.create_element("a").ok()?.dyn_into().ok()?;
        anchor.set_href(&url);
        anchor.set_download(name);
        anchor.click();
        run_later(timing::DOWNLOAD_MS, move || {
            let _revoked = Url::revoke_object_url(&url);
        });
        Some(())
    };
    let _offered = offer();
}

/// The local time of day: `14:03:27.081`.
#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53")]
pub fn time_of_day(milliseconds: i64) -> String {
    let date = Date::new(&JsValue::from_f64(milliseconds as f64));
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        date.get_hours(),
        date.get_minutes(),
        date.get_seconds(),
        date.get_milliseconds()
    )
}

/// The current date and time for a file name: `2026-01-31T14-03-27`.
pub fn file_timestamp() -> String {
    let text = String::from(Date::new_0().to_iso_string());
    text.chars()
        .take(19)
        .map(|char| if char == ':' { '-' } else { char })
        .collect()
}
