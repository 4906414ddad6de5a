//! Handlers, texts and views of one type each.
//!
//! Leptos compiles a view once for each type of closure in it, which is once for each button. With
//! the boxed closures below it is compiled once.

use leptos::{ev::MouseEvent, prelude::*};

pub type PressHandler = Box<dyn FnMut(MouseEvent)>;
pub type DynamicText = Box<dyn FnMut() -> String + Send>;
pub type DynamicView = Box<dyn FnMut() -> AnyView + Send>;

/// The handler of a click.
pub fn on_press(mut act: impl FnMut() + 'static) -> PressHandler {
    Box::new(move |_| act())
}

/// A text that changes with the values that it reads.
pub fn dynamic_text(write: impl FnMut() -> String + Send + 'static) -> DynamicText {
    Box::new(write)
}

/// The value of an ARIA attribute that changes with the values that it reads.
pub fn aria_bool(mut is_on: impl FnMut() -> bool + Send + 'static) -> DynamicText {
    Box::new(move || if is_on() { "true" } else { "false" }.to_owned())
}

/// A view that changes with the values that it reads.
pub fn dynamic_view<V: IntoAny>(mut view: impl FnMut() -> V + Send + 'static) -> DynamicView {
    Box::new(move || view().into_any())
}

/// A list of views. Unlike that of `collect_view`, its items are of one type.
pub trait IntoViews: Iterator<Item: IntoAny> + Sized {
    fn into_views(self) -> Vec<AnyView> {
        self.map(IntoAny::into_any).collect()
    }
}

impl<I: Iterator<Item: IntoAny>> IntoViews for I {}

/// Keeps a click inside a dialog. Outside, it would close the dialog.
#[allow(clippy::needless_pass_by_value, reason = "a handler is given the event")]
pub fn stop_propagation(event: MouseEvent) {
    event.stop_propagation();
}
