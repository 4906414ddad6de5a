//! What the journal may keep: events within its [`limits`], and what it [`forget`]s of records,
//! stores and documents that are gone.

pub(super) mod forget;
pub(super) mod limits;
