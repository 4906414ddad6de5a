//! Making elements: as much of the DOM as two small pages need.

use protocol::inspect::pieces;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, Event, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

/// The page's document; every page of ours has one.
pub fn document() -> Document {
    web_sys::window()
        .and_then(|window| window.document())
        .unwrap_throw()
}

/// The element of the page's HTML with this id.
pub fn by_id(id: &str) -> Element {
    document().get_element_by_id(id).expect_throw(id)
}

/// A new element with a class.
pub fn element(tag: &str, class: &str) -> Element {
    let element = document().create_element(tag).expect_throw(tag);
    if !class.is_empty() {
        element.set_class_name(class);
    }
    element
}

/// A new element with a class and text.
pub fn text(tag: &str, class: &str, text: &str) -> Element {
    let element = element(tag, class);
    element.set_text_content(Some(text));
    element
}

/// A new element with a class and a sentence, in which what stands between backticks is code.
pub fn sentence(tag: &str, class: &str, words: &str) -> Element {
    let sentence = element(tag, class);
    for (is_code, piece) in pieces(words) {
        add(
            &sentence,
            &[text(if is_code { "code" } else { "span" }, "", piece)],
        );
    }
    sentence
}

/// Lets an element have these children and no others. What is there already stays: a screen reader would read it out again.
pub fn fill(parent: &Element, children: &[Element]) {
    let new: String = children.iter().map(Element::outer_html).collect();
    if new == parent.inner_html() {
        return;
    }
    parent.set_text_content(None);
    add(parent, children);
}

/// Adds children.
pub fn add(parent: &Element, children: &[Element]) {
    for child in children {
        let _added = parent.append_child(child);
    }
}

/// Sets an attribute; all names are our own.
pub fn set(element: &Element, name: &str, value: &str) {
    let _set = element.set_attribute(name, value);
}

/// Sets an attribute that is there or not.
pub fn set_flag(element: &Element, name: &str, there: bool) {
    let _set = element.toggle_attribute_with_force(name, there);
}

/// What is written or chosen in the field with this id.
pub fn value_of(id: &str) -> String {
    let field = by_id(id);
    if let Some(field) = field.dyn_ref::<HtmlInputElement>() {
        field.value()
    } else if let Some(field) = field.dyn_ref::<HtmlSelectElement>() {
        field.value()
    } else {
        field
            .dyn_ref::<HtmlTextAreaElement>()
            .map(HtmlTextAreaElement::value)
            .unwrap_or_default()
    }
}

/// Writes into the field with this id, or chooses.
pub fn set_value(id: &str, value: &str) {
    let field = by_id(id);
    if let Some(field) = field.dyn_ref::<HtmlInputElement>() {
        field.set_value(value);
    } else if let Some(field) = field.dyn_ref::<HtmlSelectElement>() {
        field.set_value(value);
    } else if let Some(field) = field.dyn_ref::<HtmlTextAreaElement>() {
        field.set_value(value);
    }
}

/// Listens for as long as the page lives.
pub fn on(element: &Element, event: &str, listener: impl Fn(Event) + 'static) {
    let listener = Closure::<dyn Fn(Event)>::new(listener).into_js_value();
    let _listening = element.add_event_listener_with_callback(event, listener.unchecked_ref());
}
