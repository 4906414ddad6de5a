//! Handlers and texts of one type each.
//!
//! What Leptos makes of a view is compiled anew for each closure in it, and so for each button. These are all of one type: it is
//! compiled once.

use leptos::{ev::MouseEvent, prelude::*};

/// What a click does.
pub type Press = Box<dyn FnMut(MouseEvent)>;
/// A text that changes.
pub type Text = Box<dyn FnMut() -> String + Send>;
/// A part of the screen that changes.
pub type Part = Box<dyn FnMut() -> AnyView + Send>;

/// What a click does.
pub fn press(mut act: impl FnMut() + 'static) -> Press {
    Box::new(move |_| act())
}

/// A text that follows what it reads.
pub fn text(write: impl FnMut() -> String + Send + 'static) -> Text {
    Box::new(write)
}

/// A switch in ARIA's words that follows what it reads.
pub fn switch(mut on: impl FnMut() -> bool + Send + 'static) -> Text {
    Box::new(move || if on() { "true" } else { "false" }.to_owned())
}

/// A part of the screen that follows what it reads.
pub fn part<V: IntoAny>(mut view: impl FnMut() -> V + Send + 'static) -> Part {
    Box::new(move || view().into_any())
}

/// Views one after the other; of one type, unlike those of `collect_view`.
pub trait Views: Iterator<Item: IntoAny> + Sized {
    fn views(self) -> Vec<AnyView> {
        self.map(IntoAny::into_any).collect()
    }
}

impl<I: Iterator<Item: IntoAny>> Views for I {}

/// A click goes no further: outside of this it would close it.
#[allow(clippy::needless_pass_by_value, reason = "a handler is given the event")]
pub fn stay(event: MouseEvent) {
    event.stop_propagation();
}
