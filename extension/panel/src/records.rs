//! Records and stores: values as trees, differences, and comparisons. No browser is needed here.
//!
//! - [`value_tree`]: a typed value as lines. [`value_diff`]: what changed between two values.
//! - [`comparison`]: a record in IndexedDB, in the mirror and in Memcached.
//! - [`page_counts`]: how many records the pages have. [`drift`]: how Memcached differs from the
//!   mirror.
//! - [`store_name`]: the full name of a store.

pub mod comparison;
pub mod drift;
pub mod page_counts;
pub mod store_name;
pub mod value_diff;
pub mod value_tree;
