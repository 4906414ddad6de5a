//! The real program, real Redis and Memcached servers, and what a browser would send on stdin.
//!
//! One test binary: servers and program are started by each test for itself, on free loopback ports
//! and in a directory that goes with it. Tests wait for conditions, never for times.

// A test may fail by `expect`; clippy sees only the functions marked as tests themselves.
#![allow(clippy::expect_used)]

mod apply;
mod bad_input;
mod bounds;
mod commands;
mod consumers;
mod copies;
mod crash;
mod delivery;
mod disk;
mod documentation;
mod faults;
mod flow;
mod foreign;
mod inspection;
mod install;
mod late;
mod memcached;
mod memcached_set_back;
mod memcached_transport;
mod owners;
mod reading;
mod redis_flight;
mod redis_memory;
mod repair_owners;
mod retention;
mod rights;
mod set_back;
mod signs;
mod support;
mod tls;
mod upgrades;
mod verify;
mod windows;
