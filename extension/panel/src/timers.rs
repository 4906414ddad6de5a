//! Callbacks of the browser that run once: after a delay, or with the next frame.

use wasm_bindgen::prelude::*;

use crate::timing;

/// Runs a callback once, after some milliseconds.
pub fn run_later(milliseconds: i32, callback: impl FnOnce() + 'static) {
    let callback = callback_once(Box::new(callback));
    if let Some(window) = web_sys::window() {
        let _timer = window
            .set_timeout_with_callback_and_timeout_and_arguments_0(callback.unchecked_ref(), milliseconds);
    }
}

/// Runs a callback with the next frame. A hidden page has no frames; there it runs a little later.
pub fn run_with_next_frame(callback: impl FnOnce() + 'static) {
    let callback = callback_once(Box::new(callback));
    let Some(window) = web_sys::window() else { return };
    let is_hidden = window.document().is_none_or(|document| document.hidden());
    let _waiting = if is_hidden {
        window.set_timeout_with_callback_and_timeout_and_arguments_0(
            callback.unchecked_ref(),
            timing::HIDDEN_FRAME_MS,
        )
    } else {
        window.request_animation_frame(callback.unchecked_ref())
    };
}

/// All callbacks are of one type, so that their bindings are compiled once.
fn callback_once(callback: Box<dyn FnOnce()>) -> JsValue {
    Closure::once_into_js(callback)
}
