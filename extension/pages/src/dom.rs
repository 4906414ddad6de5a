//! Creating and changing elements, as far as the two pages need it.

use protocol::wire::inspector::pieces;
use wasm_bindgen::prelude::*;
use web_sys::{
    Document, Element, Event, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement,
};

pub fn document() -> Document {
    web_sys::window()
        .and_then(|window| window.document())
        .unwrap_throw()
}

/// The element with this id, which the HTML of the page has.
pub fn by_id(id: &str) -> Element {
    document().get_element_by_id(id).expect_throw(id)
}

/// A new element. The class may be empty.
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

/// A new element with a class and a sentence, in which text between backticks is code.
pub fn sentence(tag: &str, class: &str, content: &str) -> Element {
    let sentence = element(tag, class);
    for (is_code, piece) in pieces(content) {
        add(
            &sentence,
            &[text(if is_code { "code" } else { "span" }, "", piece)],
        );
    }
    sentence
}

/// Fills a list with these rows or, without rows, with a sentence.
pub fn fill_or(list: &Element, rows: &[Element], placeholder: &str) {
    if rows.is_empty() {
        fill(list, &[text("li", "faint", placeholder)]);
    } else {
        fill(list, rows);
    }
}

/// Replaces the children of an element, unless they are the same.
///
/// A screen reader would read out the same children again.
pub fn fill(parent: &Element, children: &[Element]) {
    let new: String = children.iter().map(Element::outer_html).collect();
    if new == parent.inner_html() {
        return;
    }
    parent.set_text_content(None);
    add(parent, children);
}

pub fn add(parent: &Element, children: &[Element]) {
    for child in children {
        let _added = parent.append_child(child);
    }
}

pub fn set(element: &Element, name: &str, value: &str) {
    let _set = element.set_attribute(name, value);
}

/// Shows a message in the element with this id, or hides the element.
pub fn show_message(id: &str, message: Option<&str>) {
    let element = by_id(id);
    set_flag(&element, "hidden", message.is_none());
    element.set_text_content(message);
}

/// A new button.
pub fn button(content: &str, label: &str) -> Element {
    let button = text("button", "", content);
    set(&button, "type", "button");
    set(&button, "aria-label", label);
    button
}

pub fn focus(id: &str) {
    if let Some(element) = by_id(id).dyn_ref::<HtmlElement>() {
        let _focused = element.focus();
    }
}

/// Adds or removes an attribute without a value.
pub fn set_flag(element: &Element, name: &str, is_set: bool) {
    let _set = element.toggle_attribute_with_force(name, is_set);
}

/// The value of the input field with this id.
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

/// Sets the value of the input field with this id.
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

/// Adds a listener for as long as the page lives.
pub fn on(element: &Element, event: &str, listener: impl Fn(Event) + 'static) {
    let listener = Closure::<dyn Fn(Event)>::new(listener).into_js_value();
    let _listening = element.add_event_listener_with_callback(event, listener.unchecked_ref());
}
