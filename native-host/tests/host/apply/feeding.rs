//! `doctor`, `status` and `apply` itself name what feeds Memcached: the host, `apply`, both, or
//! neither.

use serde_json::Value;

use super::{host, sandbox};
use crate::support::{
    Apply, Sandbox,
    body::{commit, put},
    status,
};

/// What `doctor` says of who feeds Memcached, as verdicts with messages and fixes, and that
/// `status` says the same.
fn feeding(sandbox: &Sandbox) -> Vec<String> {
    let said = status(sandbox)["feeding"].as_array().expect("a list").clone();
    let doctor = sandbox.run(&["doctor", "--json"]).stdout;
    let doctor: Value = serde_json::from_slice(&doctor).expect("JSON");
    let checks = doctor["checks"].as_array().expect("a list");
    assert!(
        said.iter().all(|check| checks.contains(check)),
        "{said:?} in {doctor}"
    );
    let text = sandbox.print(&["status"]);
    said.iter()
        .map(|check| {
            let message = check["message"].as_str().expect("text");
            assert!(text.contains(message), "{text}");
            format!(
                "{}: {message} {}",
                check["verdict"].as_str().expect("a word"),
                check["fix"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

fn assert_one(said: &[String], parts: &[&str]) {
    assert!(
        said.len() == 1 && parts.iter().all(|part| said[0].contains(part)),
        "{said:?} has not {parts:?}"
    );
}

#[test]
fn doctor_notes_missing_cache_writer_when_mode_is_off() {
    let sandbox = sandbox();
    let no_writer = "note: nothing writes to Memcached: memcached.mode is \"off\"";
    assert_one(
        &feeding(&sandbox),
        &[
            no_writer,
            "\"idb:events\" has no consumer group",
            "Run `idb-relay apply`",
        ],
    );
    let mut host = host(&sandbox);
    let apply = Apply::after_first_event(&sandbox, &mut host);
    let address = sandbox.memcached.address();
    assert_one(
        &feeding(&sandbox),
        &[
            "ok: `idb-relay apply` (group memcached, process one) feeds",
            &address,
        ],
    );
    assert!(apply.end().success());
    assert_one(
        &feeding(&sandbox),
        &[
            "note: no `idb-relay apply` of group memcached runs now",
            &address,
            "Start it",
        ],
    );
    sandbox
        .redis
        .send_command(&["XGROUP", "DESTROY", "idb:events", "memcached"]);
    assert_one(&feeding(&sandbox), &[no_writer]);
    sandbox
        .redis
        .send_command(&["XGROUP", "CREATE", "idb:events", "python", "0"]);
    assert_one(&feeding(&sandbox), &["ok: group python reads the stream"]);
    sandbox.configure("redis", "enabled = false");
    assert_one(&feeding(&sandbox), &[no_writer, "switched off"]);
}

#[test]
fn who_listens_feeds_too() {
    let sandbox = sandbox();
    let _host = host(&sandbox);
    let mut apply = Apply::start_with(&sandbox, "one", &["--pubsub"]);
    apply.state("applying");
    assert_one(
        &feeding(&sandbox),
        &["ok:", "process one --pubsub) feeds Memcached"],
    );
}

#[test]
fn a_cache_that_is_fed_twice_is_warned_of() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    assert!(apply.said("warning").is_empty());
    assert!(host.close().success());
    // The host of this machine is configured to feed it as well.
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("mode = \"off\"\n", ""));
    let address = sandbox.memcached.address();
    assert_one(
        &feeding(&sandbox),
        &[
            "problem: both the host and `idb-relay apply`",
            "process one",
            &address,
            "mode = \"off\"",
        ],
    );
    assert!(!sandbox.run(&["doctor"]).status.success());
    assert!(sandbox.print(&["status"]).contains("WARNING: both"));
    assert!(apply.end().success());
    assert!(feeding(&sandbox).is_empty(), "only the host feeds it now");
    let mut apply = Apply::start(&sandbox, "two");
    let warning = apply.says("warning");
    assert_eq!(warning["state"], "fed_twice");
    let fix = warning["fix"].as_str().expect("text");
    assert!(
        fix.contains("config.toml") && fix.contains("mode = \"off\""),
        "{fix}"
    );
    // Another server under that name is no reason to be alarmed, but to be asked about.
    apply.state("applying");
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(
        &config
            .replace("127.0.0.1:", "localhost:")
            .replace("redis://localhost", "redis://127.0.0.1"),
    );
    assert_one(&feeding(&sandbox), &["note:", &address, "under other names"]);
    drop(apply);
}

#[test]
fn where_no_host_runs_the_mode_means_nothing() {
    let sandbox = Sandbox::new();
    let elsewhere = super::sandbox();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&sandbox.redis.url(), &elsewhere.redis.url()));
    let mut host = host(&elsewhere);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    let mut apply = Apply::start(&sandbox, "one");
    apply.state("applying");
    assert!(apply.said("warning").is_empty());
}
