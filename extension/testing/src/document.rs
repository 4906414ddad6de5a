//! What the document shows, and doing in it what a person does.

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
    fn fitting(selector: &str) -> Array;
    /// Shows a page of the extension, without its scripts and styles.
    pub fn show(html: &str);
    /// Adds a style sheet.
    pub fn style(css: &str);
    #[wasm_bindgen(js_name = press)]
    fn strike(key: &str, control: bool);
    #[wasm_bindgen(js_name = write)]
    fn write_into(element: &Element, text: &str);
    #[wasm_bindgen(js_name = value)]
    fn value_in(element: &Element) -> String;
    #[wasm_bindgen(js_name = click)]
    fn click_on(element: &Element);
    #[wasm_bindgen(js_name = focused)]
    fn active() -> Option<Element>;
    fn soon() -> Promise;
}

/// How long anything may take that takes a frame or two, in milliseconds: paid only when something is broken.
const PATIENCE: f64 = 20_000.0;

/// All elements that fit.
pub fn all(selector: &str) -> Vec<Element> {
    fitting(selector).iter().map(JsCast::unchecked_into).collect()
}

/// The first one.
#[track_caller]
pub fn one(selector: &str) -> Element {
    let first = all(selector).into_iter().next();
    first.unwrap_or_else(|| panic!("there is no {selector}; the page says: {}", text("body")))
}

/// The texts of all that fit; white space is one space.
pub fn texts(selector: &str) -> Vec<String> {
    all(selector).iter().map(words).collect()
}

/// The text of the first one.
#[track_caller]
pub fn text(selector: &str) -> String {
    words(&one(selector))
}

fn words(element: &Element) -> String {
    let text = element.text_content().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An attribute of the first one.
#[track_caller]
pub fn attribute(selector: &str, name: &str) -> Option<String> {
    one(selector).get_attribute(name)
}

/// An attribute of all that fit; empty where it is not there.
pub fn attributes(selector: &str, name: &str) -> Vec<String> {
    let all = all(selector);
    all.iter()
        .map(|element| element.get_attribute(name).unwrap_or_default())
        .collect()
}

/// Presses the first one.
#[track_caller]
pub fn click(selector: &str) {
    click_on(&one(selector));
}

/// Presses the button with this text.
#[track_caller]
pub fn click_button(text: &str) {
    let button = all("button").into_iter().find(|button| words(button) == text);
    match button {
        Some(button) => click_on(&button),
        None => panic!("there is no button {text:?}, but {:?}", texts("button")),
    }
}

/// Writes into a field, as if all of it were typed at once.
#[track_caller]
pub fn write(selector: &str, text: &str) {
    write_into(&one(selector), text);
}

/// What a field holds.
#[track_caller]
pub fn value(selector: &str) -> String {
    value_in(&one(selector))
}

/// Presses a key where the focus is.
pub fn press(key: &str) {
    strike(key, false);
}

/// The same with the control key held.
pub fn press_with_control(key: &str) {
    strike(key, true);
}

/// What has the focus: its id, or else its label, or else its text.
pub fn focused() -> String {
    let Some(element) = active() else {
        return String::new();
    };
    let named = |name| element.get_attribute(name).filter(|value| !value.is_empty());
    named("id")
        .or_else(|| named("aria-label"))
        .unwrap_or_else(|| words(&element))
}

/// Waits until there is something; until then `look` says what there is instead.
#[track_caller]
pub fn until_some<T>(
    what: impl Display,
    mut look: impl FnMut() -> Result<T, String>,
) -> impl Future<Output = T> {
    let (place, start) = (Location::caller(), Date::now());
    async move {
        loop {
            match look() {
                Ok(found) => return found,
                Err(seen) if Date::now() - start > PATIENCE => {
                    panic!("{place} waited for {what}; at the end: {seen}")
                }
                Err(_) => {}
            }
            // It always resolves.
            let _waited = JsFuture::from(soon()).await;
        }
    }
}

/// Waits until what there is is this.
#[track_caller]
pub fn until<T: PartialEq<W> + Debug, W: Debug>(
    wanted: W,
    mut look: impl FnMut() -> T,
) -> impl Future<Output = ()> {
    until_some(format!("{wanted:?}"), move || {
        let there = look();
        if there == wanted {
            Ok(())
        } else {
            Err(format!("{there:?}"))
        }
    })
}

/// Waits until the elements that fit have these texts.
#[track_caller]
pub fn until_texts(selector: &str, wanted: &[&str]) -> impl Future<Output = ()> {
    until(wanted.to_vec(), move || texts(selector))
}

/// Waits until so many elements fit.
#[track_caller]
pub fn until_count(selector: &str, wanted: usize) -> impl Future<Output = ()> {
    until(wanted, move || all(selector).len())
}
