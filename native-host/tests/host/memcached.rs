//! Servers that forget, are slow, or were away: what the sink makes of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use test_servers::MemcachedOptions;

use crate::support::{
    Host, Memcached, Proxy, Sandbox, assert_stream,
    body::{commit, delete, put},
    status, until,
};

/// What `status` says of Memcached.
fn sink(sandbox: &Sandbox) -> Value {
    status(sandbox)["profiles"][0]["sinks"]["memcached"].clone()
}

fn up_to_date(sandbox: &Sandbox) {
    until("Memcached is up to date", || {
        let memcached = sink(sandbox);
        memcached["behind"] == 0 && memcached["state"] == "running"
    });
}

/// Delivers and waits until it is in Memcached.
fn pass_on(sandbox: &Sandbox, host: &mut Host, sequence: u64, body: &str) {
    host.deliver(sequence, body);
    host.acknowledged(sequence);
    up_to_date(sandbox);
}

#[test]
fn a_flushed_server_is_filled_again() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&[put("1", "1"), put("2", "2")]));
    assert_eq!(sandbox.memcached.send_command("flush_all"), "OK");
    sandbox.await_cached("1", Some("1"));
    sandbox.await_cached("2", Some("2"));
}

#[test]
fn a_server_that_goes_without_a_word_is_filled_again() {
    let mut sandbox = Sandbox::new();
    let proxy = Proxy::start(&sandbox.memcached, |_, _, _| {});
    sandbox.reach_memcached_by(proxy.address());
    let mut host = Host::hasty(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&[put("1", "1"), put("2", "2")]));
    proxy.tell_no_end();
    sandbox.memcached.restart();
    sandbox.await_cached("1", Some("1"));
    sandbox.await_cached("2", Some("2"));
    up_to_date(&sandbox);
}

#[test]
fn a_connection_that_is_closed_is_no_reason_to_fill() {
    let sandbox = Sandbox::new();
    let proxy = Proxy::start(&sandbox.memcached, |_, _, _| {});
    sandbox.reach_memcached_by(proxy.address());
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..500).map(|key| put(&key.to_string(), "1")).collect();
    pass_on(&sandbox, &mut host, 1, &commit(&puts));
    let before = sandbox.memcached.count_sets();
    for sequence in 2..5 {
        proxy.cut();
        until("it has come back", || proxy.connections() > 0);
        pass_on(
            &sandbox,
            &mut host,
            sequence,
            &commit(&[put("1", &sequence.to_string())]),
        );
        sandbox.await_cached("1", Some(&sequence.to_string()));
    }
    let sets = sandbox.memcached.count_sets() - before;
    assert!(sets < 100, "{sets} sets");
}

#[test]
fn a_value_that_no_item_holds_is_not_even_sent() {
    let sandbox = Sandbox::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let proxy = Proxy::start(&sandbox.memcached, move |_, _, bytes| {
        count.fetch_add(bytes.len(), Ordering::SeqCst);
    });
    sandbox.reach_memcached_by(proxy.address());
    let mut host = Host::start(&sandbox);
    sandbox.memcached.set(&sandbox.key("1"), "stale");
    let large = format!("\"{}\"", "x".repeat(4 * 1024 * 1024));
    host.deliver(1, &commit(&[put("1", &large), put("2", "2")]));
    host.acknowledged(1);
    sandbox.await_cached("2", Some("2"));
    assert_eq!(sandbox.cached("1"), None);
    assert!(seen.load(Ordering::SeqCst) < 1024 * 1024);
    until("the status tells it", || sink(&sandbox)["notices"] == 1);
}

#[test]
fn a_large_value_on_a_slow_line_arrives_and_what_is_behind_it() {
    let mut sandbox = Sandbox::new();
    sandbox
        .memcached
        .restart_with(&MemcachedOptions::default().arguments(&["-I", "16m"]));
    // Four million bytes a second; the whole takes longer than an answer may.
    let proxy = Proxy::start(&sandbox.memcached, |_, _, bytes| {
        thread::sleep(Duration::from_nanos(250 * bytes.len() as u64));
    });
    sandbox.reach_memcached_by(proxy.address());
    let mut host = Host::hasty(&sandbox);
    let large = format!("\"{}\"", "x".repeat(8 * 1024 * 1024));
    host.deliver(1, &commit(&[put("1", &large)]));
    host.deliver(2, &commit(&[put("2", "2")]));
    host.acknowledged(2);
    sandbox.await_cached("2", Some("2"));
    assert_eq!(sandbox.cached("1"), Some(large));
}

#[test]
fn slow_server_problem_hides_the_keys() {
    let sandbox = Sandbox::new();
    let mut host = Host::hasty(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&[put("\"secret\"", "1")]));
    sandbox.memcached.pause();
    host.deliver(2, &commit(&[put("\"secret\"", "2")]));
    host.acknowledged(2);
    let mut status = Value::Null;
    until("it is called slow", || {
        status = sink(&sandbox);
        status["state"] == "slow"
    });
    let error = status["error"].as_str().expect("an error");
    assert!(error.contains(&sandbox.memcached.address()), "{error}");
    assert!(!error.contains("secret"), "{error}");
    sandbox.memcached.resume();
    sandbox.await_cached("\"secret\"", Some("2"));
}

#[test]
fn the_server_that_fails_is_named() {
    let mut second = Memcached::start();
    let sandbox = Sandbox::new();
    let both = format!("{}\", \"{}", sandbox.memcached.address(), second.address());
    sandbox.reach_memcached_by(&both);
    let mut host = Host::start(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&[put("1", "1")]));
    second.kill();
    let mut status = Value::Null;
    until("the status says so", || {
        status = sink(&sandbox);
        status["state"] == "unreachable"
    });
    let error = status["error"].as_str().expect("an error");
    assert!(error.contains(&second.address()), "{error}");
    assert!(!error.contains(&sandbox.memcached.address()), "{error}");
    second.restart();
    up_to_date(&sandbox);
    let last = &sink(&sandbox)["last_error"];
    assert_eq!(last["error"], error);
    assert!(last["recovered_at"].as_i64() >= last["at"].as_i64(), "{last}");
    assert!(sandbox.print(&["status"]).contains("last error, resolved"));
    let log = sandbox.log("idb-relay.log");
    let log = std::fs::read_to_string(log).expect("a log");
    let line = log.lines().find(|line| line.contains(error)).expect("a line");
    assert!(
        line.contains(&format!("pid={} profile=profile-1 ", host.id())),
        "{line}"
    );
}

#[test]
fn returning_server_gets_the_deletions_that_it_missed() {
    let second = Memcached::start();
    let sandbox = Sandbox::new();
    let first = sandbox.memcached.address();
    let both = format!("{first}\", \"{}", second.address());
    let keys: Vec<_> = (0..40).map(|key| key.to_string()).collect();
    let all = |value: &str| -> Vec<_> { keys.iter().map(|key| put(key, value)).collect() };
    sandbox.reach_memcached_by(&both);
    let alone = std::fs::read_to_string(sandbox.config_path())
        .expect("a file")
        .replace(&both, &first);
    let together = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    let mut host = Host::start(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&all("1")));
    assert!(second.count_keys() > 0 && sandbox.memcached.count_keys() > 0);
    assert!(host.close().success());
    sandbox.write_config(&alone);
    let mut host = Host::start(&sandbox);
    let gone: Vec<_> = keys[1..].iter().map(|key| delete(key)).collect();
    pass_on(&sandbox, &mut host, 2, &commit(&gone));
    assert!(second.count_keys() > 0);
    assert!(host.close().success());
    sandbox.write_config(&together);
    let mut host = Host::start(&sandbox);
    pass_on(&sandbox, &mut host, 3, &commit(&[put("100", "1")]));
    for key in &keys[1..] {
        for server in [&second, &sandbox.memcached] {
            assert_eq!(server.get(&sandbox.key(key)), None);
        }
    }
    // What stays where the other list had it is found by no client.
    sandbox.run(&["verify", "--repair"]);
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn a_journal_that_keeps_no_event_knows_how_far_they_were_numbered() {
    let sandbox = Sandbox::new();
    sandbox.configure("journal", "keep_hours = 0");
    for sequence in 1..=3 {
        let mut host = Host::start(&sandbox);
        pass_on(
            &sandbox,
            &mut host,
            sequence,
            &commit(&[put("1", &sequence.to_string())]),
        );
        sandbox
            .redis
            .await_stream(usize::try_from(sequence).expect("fits"));
        assert!(host.close().success());
        // When it starts it lets go of what is old.
        let host = Host::start(&sandbox);
        until("the event is gone", || {
            let profile = &status(&sandbox)["profiles"][0];
            profile["tail"] == profile["head"]
        });
        assert!(host.close().success());
    }
    assert_stream(&sandbox, 1..=3);
}

#[test]
fn sink_stays_incomplete_until_verify_when_deletion_is_evicted() {
    let sandbox = Sandbox::new();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    let off = format!("{config}mode = \"off\"\n");
    let off = off.replace("[journal]\n", "[journal]\nkeep_hours = 0\n");
    let mut host = Host::start(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&[put("1", "1"), put("2", "2")]));
    assert!(host.close().success());
    // While the host leaves Memcached alone a record is deleted, and the journal forgets that it
    // was.
    sandbox.write_config(&off);
    let mut host = Host::start(&sandbox);
    host.deliver(2, &commit(&[delete("1")]));
    host.acknowledged(2);
    until("the event is gone", || {
        let profile = &status(&sandbox)["profiles"][0];
        profile["tail"] == profile["head"]
    });
    assert!(host.close().success());
    sandbox.write_config(&config);
    for _ in 0..2 {
        let mut host = Host::start(&sandbox);
        host.deliver(3, &commit(&[put("3", "3")]));
        host.acknowledged(3);
        sandbox.await_cached("3", Some("3"));
        until("the status says so", || {
            let status = sink(&sandbox);
            status["state"] == "incomplete"
                && status["fix"]
                    .as_str()
                    .is_some_and(|fix| fix.contains("idb-relay verify --repair"))
        });
        assert!(host.close().success());
    }
    let _host = Host::start(&sandbox);
    until("the status says so", || sink(&sandbox)["state"] == "incomplete");
    sandbox.run(&["verify", "--repair"]);
    assert_eq!(sandbox.cached("1"), None);
    assert_eq!(sandbox.cached("2").as_deref(), Some("2"));
    up_to_date(&sandbox);
}

#[test]
fn first_write_of_host_waits_for_nothing_after_orderly_end() {
    let sandbox = Sandbox::new();
    let mut sequence = 0;
    // The machine may be slow; half a second is what a host waits that does not know how the last
    // one ended.
    until("a first write is quick", || {
        let mut host = Host::start(&sandbox);
        sequence += 1;
        let value = sequence.to_string();
        let begun = std::time::Instant::now();
        host.deliver(sequence, &commit(&[put("1", &value)]));
        sandbox.await_cached("1", Some(&value));
        let took = begun.elapsed();
        assert!(host.close().success());
        sequence > 1 && took < std::time::Duration::from_millis(450)
    });
    // One that was killed may have left something on its way.
    let mut host = Host::start(&sandbox);
    sequence += 1;
    host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    sandbox.await_cached("1", Some(&sequence.to_string()));
    host.kill();
    for _ in 0..2 {
        let mut host = Host::start(&sandbox);
        sequence += 1;
        let begun = std::time::Instant::now();
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
        sandbox.await_cached("1", Some(&sequence.to_string()));
        assert!(begun.elapsed() >= std::time::Duration::from_millis(450));
        host.kill();
    }
}
