//! The inspector: shows each write from the page to the caches.
//!
//! # Layout
//!
//! An arrow of `use` only ever points down this list.
//!
//! | folder | what it holds | needs a browser |
//! |---|---|---|
//! | `components` | what the screen shows, one part a file | yes |
//! | `app` | the state in slices, the user's actions, and the pipeline of events | yes |
//! | `dom` | the virtual list of events, and the services of the panel's own page | yes |
//! | `background_link`, `browser` | the port to the background, the rest of the API | yes |
//! | `observable`, `timers` | values that the screen follows, and callbacks | yes |
//! | [`events`], [`records`] | events and records: kept, filtered, compared, described | no |
//! | [`chart`], [`timing`], [`format`], … | one idea each | no |
//!
//! Modules that need a browser are compiled for WASM only. The others are tested without one.
//!
//! Data flows one way: `background_link` → `app::pipeline` → `components`. Actions of the user go
//! back by the link.

pub mod chart;
pub mod draw_schedule;
pub mod events;
pub mod format;
pub mod install_command;
pub mod records;
pub mod text_search;
pub mod timing;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod background_link;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod observable;
#[cfg(target_arch = "wasm32")]
mod timers;

#[cfg(target_arch = "wasm32")]
pub use self::components::open_panel;
