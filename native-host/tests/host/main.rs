//! The real program, real Redis and Memcached servers, and what a browser would send on stdin.
//!
//! One test binary: servers and program are started by each test for itself, on free loopback ports and in a directory that goes
//! with it. Tests wait for conditions, never for times.

// A test may fail by `expect`; clippy sees only the functions marked as tests themselves.
#![allow(clippy::expect_used)]

mod bad_input;
mod commands;
mod crash;
mod delivery;
mod documentation;
mod faults;
mod inspection;
mod reading;
mod redis_memory;
mod support;
mod verify;
