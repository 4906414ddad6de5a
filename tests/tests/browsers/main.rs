//! Real Chromium and Firefox with the extension, the real host, real Redis and Memcached servers.
//!
//! One test binary: each further one would be linked with the whole rig again. Each test starts
//! what it needs for itself (see `lab`).

mod applications;
mod auditor;
mod blobs;
mod bounds;
mod bulk;
mod button;
mod capture;
mod churn;
mod comparisons;
mod consent;
mod deep_capture;
mod differential;
mod empty;
mod extremes;
mod faults;
mod foreign;
mod given;
mod identity;
mod inspection;
mod lab;
mod late;
mod leaving;
mod meddling;
mod options;
mod owners;
mod panel;
mod places;
mod policy;
mod reading;
mod redaction;
mod sites;
mod stacks;
mod start;
mod unseen;
mod vectors;
mod views;
mod worker_owners;
mod workers_captured;
mod workloads;
