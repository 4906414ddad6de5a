//! How large an item may be.

use memcache::exp::Error;

use super::problem::cause;

/// The largest value that is offered to a server that does not report its limit. No server takes
/// more unless configured to, and few take more than 1 MiB.
const MAX_VALUE: usize = 32 * 1024 * 1024;

/// What an item takes beyond its key and value in every version of Memcached: header, CAS number,
/// the key's end, the value's end. A version may take somewhat more; then the server itself
/// refuses.
const ITEM_BYTES: usize = 48 + 8 + 1 + 2;

/// Whether a server takes an item of this size, as far as its limit is known.
pub(crate) fn fits(name: &str, value: &str, item_size: Option<u64>) -> bool {
    item_size.is_none_or(|most| (name.len() + value.len() + ITEM_BYTES) as u64 <= most)
}

/// The longest value that a server takes under a name: of a larger one nothing need be made.
pub(crate) fn most_bytes(name: &str, item_size: Option<u64>) -> usize {
    let size = item_size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX));
    size.saturating_sub(name.len() + ITEM_BYTES).min(MAX_VALUE)
}

/// Whether a server refused a value for its size.
pub(crate) fn is_too_large(error: &Error) -> bool {
    matches!(cause(error), Error::Server(text) if text.contains("too large"))
}
