//! What the screen shows, one part a file.
//!
//! - [`panel`]: the whole, and the keys. [`header`], [`toolbar`]: above. [`event_list`],
//!   [`stores`]: the tabs.
//! - [`details`]: one event. [`value_view`]: its value. [`record_lookup`], [`record_comparison`]:
//!   one record.
//! - [`empty_list`]: why no event is shown. [`palette`], [`help`], [`doctor`]: the dialogs.
//! - [`document_label`], [`sentence`], [`dynamic`]: used by the others.

mod details;
mod doctor;
mod document_label;
mod dynamic;
mod empty_list;
mod event_list;
mod header;
mod help;
mod palette;
mod panel;
mod record_comparison;
mod record_lookup;
mod sentence;
mod stores;
mod toolbar;
mod value_view;

pub use self::panel::open_panel;
