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
