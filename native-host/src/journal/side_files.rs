//! The files beside the journal's: the lock of its writer, the requests of other processes, and
//! SQLite's write-ahead log.

pub mod file_lock;
pub mod log;
pub mod requests;
