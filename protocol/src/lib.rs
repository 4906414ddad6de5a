//! The wire formats of idb-relay, and nothing else.
//!
//! Both ends compile this crate (the extension to WASM, the host natively), so a format cannot
//! drift between them. **Invariants:** no I/O, no clock, no browser API; every parser takes hostile
//! input and answers with a typed error.
//!
//! # Layout
//!
//! - [`json`]: a JSON reader that keeps scalars as the text they came in, so that nothing is lost
//!   on the way.
//! - [`key`]: IndexedDB keys: their JSON text, their order, the bytes that sort like them.
//! - [`value`]: the "typed" encoding of structured-clone values, and its "plain" projection.
//! - [`date`]: ECMAScript's date-time strings, for both.
//! - [`body`]: what a page did: committed transactions, snapshots, reads, gaps.
//! - [`digest`]: digests that are compared instead of records.
//! - [`schema`]: changes of a database's shape.
//! - [`event`]: the change event as it is journaled and published.
//! - [`number`]: numbers as JavaScript reads and writes them.
//! - [`name`]: the templates that name Redis channels and Memcached keys.
//! - [`origin`]: which origins a rule means.
//! - [`table`]: a map of few entries.
//! - [`problem`]: a problem in words, with its fix.
//! - [`redact`]: what must not leave the browser.
//! - [`shown`]: how foreign text is shown.
//! - [`wire`]: every message between page script, background and host.
//!
//! The formats are specified for readers in other languages in `docs/formats.md`.

pub mod body;
pub mod date;
pub mod digest;
pub mod event;
pub mod json;
pub mod key;
pub mod name;
pub mod number;
pub mod origin;
pub mod problem;
pub mod redact;
pub mod schema;
pub mod shown;
pub mod table;
pub mod value;
pub mod wire;

/// The version of the messages between extension and host. It changes only when one side can no
/// longer understand the other; the packages' own versions move freely.
pub const PROTOCOL_VERSION: u32 = 1;

/// The name under which browsers know the host: the file name of its manifest, and the argument of
/// `connectNative`.
pub const HOST_NAME: &str = "dev.idb_relay.host";

/// The largest message a browser accepts from a host, in bytes (Chromium's and Firefox's limit: 1
/// MiB).
pub const MAX_MESSAGE_FROM_HOST: usize = 1024 * 1024;

/// The largest message a host accepts from a browser, in bytes (Chromium's limit: 64 MiB).
pub const MAX_MESSAGE_TO_HOST: usize = 64 * 1024 * 1024;
