//! Reads what the document shows, and acts in it as a user does.

use std::{
    fmt::{Debug, Display},
    panic::Location,
};

use js_sys::{Array, Date, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Element;

#[wasm_bindgen(module = "/src/document.js")]
extern "C" {
    #[wasm_bindgen(js_name = all)]
    fn matching(selector: &str) -> Array;
    /// Shows the HTML of a page of the extension, without its scripts and styles.
    pub fn show(html: &str);
    /// Adds a style sheet.
    pub fn style(css: &str);
    #[wasm_bindgen(js_name = press)]
    fn press_key(key: &str, control: bool);
    #[wasm_bindgen(js_name = write)]
    fn write_into(element: &Element, text: &str);
    #[wasm_bindgen(js_name = value)]
    fn value_in(element: &Element) -> String;
    #[wasm_bindgen(js_name = click)]
    fn click_on(element: &Element);
    #[wasm_bindgen(js_name = focused)]
    fn focused_element() -> Option<Element>;
    #[wasm_bindgen(js_name = nextTurn)]
    fn next_turn() -> Promise;
}

/// Milliseconds until a wait fails. What the tests wait for takes a frame or two.
const TIMEOUT_MS: f64 = 20_000.0;

/// All elements that match.
pub fn all(selector: &str) -> Vec<Element> {
    matching(selector).iter().map(JsCast::unchecked_into).collect()
}

/// The first element that matches.
#[track_caller]
pub fn first(selector: &str) -> Element {
    let element = all(selector).into_iter().next();
    element.unwrap_or_else(|| panic!("there is no {selector}; the page shows: {}", text("body")))
}

/// The texts of all elements that match. White space is collapsed.
pub fn texts(selector: &str) -> Vec<String> {
    all(selector).iter().map(text_of).collect()
}

/// The text of the first element that matches.
#[track_caller]
pub fn text(selector: &str) -> String {
    text_of(&first(selector))
}

fn text_of(element: &Element) -> String {
    let text = element.text_content().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An attribute of the first element that matches.
#[track_caller]
pub fn attribute(selector: &str, name: &str) -> Option<String> {
    first(selector).get_attribute(name)
}

/// An attribute of all elements that match; empty where it is missing.
pub fn attributes(selector: &str, name: &str) -> Vec<String> {
    let all = all(selector);
    all.iter()
        .map(|element| element.get_attribute(name).unwrap_or_default())
        .collect()
}

/// Clicks the first element that matches.
#[track_caller]
pub fn click(selector: &str) {
    click_on(&first(selector));
}

/// Clicks the button with this text.
#[track_caller]
pub fn click_button(text: &str) {
    let button = all("button").into_iter().find(|button| text_of(button) == text);
    match button {
        Some(button) => click_on(&button),
        None => panic!(
            "there is no button {text:?}; the buttons are {:?}",
            texts("button")
        ),
    }
}

/// Writes into a field, as if the user pasted the text.
#[track_caller]
pub fn write(selector: &str, text: &str) {
    write_into(&first(selector), text);
}

/// The value of a field.
#[track_caller]
pub fn value(selector: &str) -> String {
    value_in(&first(selector))
}

/// Presses a key in the focused element.
pub fn press(key: &str) {
    press_key(key, false);
}

/// Presses a key together with the control key.
pub fn press_with_control(key: &str) {
    press_key(key, true);
}

/// Identifies the focused element by its id, else by its label, else by its text.
pub fn focused() -> String {
    let Some(element) = focused_element() else {
        return String::new();
    };
    let named = |name| element.get_attribute(name).filter(|value| !value.is_empty());
    named("id")
        .or_else(|| named("aria-label"))
        .unwrap_or_else(|| text_of(&element))
}

/// Waits until `check` succeeds. Its error says what there is instead.
#[track_caller]
pub fn until_ok<T>(
    expected: impl Display,
    mut check: impl FnMut() -> Result<T, String>,
) -> impl Future<Output = T> {
    let (place, start) = (Location::caller(), Date::now());
    async move {
        loop {
            match check() {
                Ok(found) => return found,
                Err(actual) if Date::now() - start > TIMEOUT_MS => {
                    panic!("{place} waited for {expected}; in the end there was {actual}")
                }
                Err(_) => {}
            }
            // The promise never rejects.
            let _waited = JsFuture::from(next_turn()).await;
        }
    }
}

/// Waits until `read` returns the expected value.
#[track_caller]
pub fn until<T: PartialEq<W> + Debug, W: Debug>(
    expected: W,
    mut read: impl FnMut() -> T,
) -> impl Future<Output = ()> {
    until_ok(format!("{expected:?}"), move || {
        let actual = read();
        if actual == expected {
            Ok(())
        } else {
            Err(format!("{actual:?}"))
        }
    })
}

/// Waits until the elements that match have these texts.
#[track_caller]
pub fn until_texts(selector: &str, wanted: &[&str]) -> impl Future<Output = ()> {
    until(wanted.to_vec(), move || texts(selector))
}

/// Waits until this many elements match.
#[track_caller]
pub fn until_count(selector: &str, wanted: usize) -> impl Future<Output = ()> {
    until(wanted, move || all(selector).len())
}
