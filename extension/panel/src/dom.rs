//! The parts of the screen that do without Leptos, and the services of the page.
//!
//! - [`virtual_list`]: the list of events. [`row`]: one event in it. [`cell`]: texts and attributes
//!   of a row.
//! - [`page`]: focus, clipboard, files and clocks.

pub mod cell;
pub mod page;
pub mod row;
pub mod virtual_list;
