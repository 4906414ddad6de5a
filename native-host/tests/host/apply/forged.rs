//! Entries of the stream that no host has written.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    LEASE, host, sandbox,
    stream::{all_done, outstanding},
};
use crate::support::{
    Apply, Sandbox,
    body::{commit, put},
    until,
};

/// Puts an event into the stream, or publishes it.
fn add(sandbox: &Sandbox, to: &[&str], event: &Value) {
    let text = event.to_string();
    let words: Vec<&str> = to.iter().copied().chain([text.as_str()]).collect();
    sandbox.redis.send_command(&words);
}

const STREAM: &[&str] = &["XADD", "idb:events", "*", "event"];
const CHANNEL: &[&str] = &["PUBLISH", "idb:forged:shop:orders"];

/// The event of another profile and another origin.
fn of_other(event: &Value) -> Value {
    let mut event = event.clone();
    event["source"]["profile"] = "profile-2".into();
    event["source"]["origin"] = "https://other.example".into();
    event
}

#[test]
fn endless_name_of_a_browser_stops_nothing() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let mut event = of_other(&sandbox.redis.await_stream(1)[0]);
    // More than Memcached takes, and a little less than that.
    for length in [2 * 1024 * 1024, 1024 * 1024 - 300, 257] {
        event["source"]["browser"] = "b".repeat(length).into();
        add(&sandbox, STREAM, &event);
        let problem = apply.says("unreadable")["problem"].to_string();
        assert!(problem.contains("is no browser"), "{problem}");
    }
    host.deliver(2, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    all_done(&sandbox);
    assert!(apply.said("trouble").is_empty());
}

#[test]
fn numbers_beyond_the_cursor_pass_over_no_genuine_event() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let mut event = sandbox.redis.await_stream(1).remove(0);
    let number = event["source"]["sequence"].as_u64().expect("a number");
    let largest = i64::MAX.unsigned_abs();
    for forged in [number + 1, number + 1000, largest, largest + 1, u64::MAX] {
        event["source"]["sequence"] = forged.into();
        add(&sandbox, STREAM, &event);
        let problem = apply.says("unreadable")["problem"].to_string();
        assert!(problem.contains(&forged.to_string()), "{problem}");
    }
    // Without a cursor there is nothing to compare with.
    let mut other = of_other(&event);
    other["source"]["sequence"] = largest.into();
    add(&sandbox, STREAM, &other);
    let problem = apply.says("unreadable")["problem"].to_string();
    assert!(problem.contains(&largest.to_string()), "{problem}");
    host.deliver(2, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    // What is filled from the stream does not believe them, either.
    sandbox.memcached.send_command("flush_all");
    apply.says("filled");
    sandbox.await_cached("1", Some("1"));
    host.deliver(3, &commit(&[put("1", "2")]));
    sandbox.await_cached("1", Some("2"));
    all_done(&sandbox);
    assert!(apply.said("gap").is_empty());
}

#[test]
fn numbers_beyond_the_cursor_are_left_out_by_who_listens() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "0")]));
    host.acknowledged(1);
    let mut event = sandbox.redis.await_stream(1).remove(0);
    let mut apply = Apply::start_with(&sandbox, "one", &["--pubsub"]);
    apply.state("applying");
    let number = event["source"]["sequence"].as_u64().expect("a number");
    for forged in [number + 1000, i64::MAX.unsigned_abs()] {
        event["source"]["sequence"] = forged.into();
        add(&sandbox, CHANNEL, &event);
        let problem = apply.says("unreadable")["problem"].to_string();
        assert!(problem.contains(&forged.to_string()), "{problem}");
    }
    host.deliver(2, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
}

#[test]
fn cursor_that_is_no_number_stops_nothing() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    all_done(&sandbox);
    sandbox
        .redis
        .send_command(&["SET", "{idb:events}:cursor:profile-9", "no number"]);
    sandbox.memcached.send_command("flush_all");
    apply.says("filled");
    sandbox.await_cached("\"first\"", Some("0"));
    assert!(apply.said("trouble").is_empty());
}

#[test]
fn transaction_without_an_end_delays_other_events_for_a_bounded_time() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let mut event = of_other(&sandbox.redis.await_stream(1)[0]);
    for (order, count) in [(1, 1_u64 << 40), (0, 1), (3, 2)] {
        event["transaction"] = json!({"id": "t", "total_order": order, "event_count": count});
        add(&sandbox, STREAM, &event);
        let problem = apply.says("unreadable")["problem"].to_string();
        assert!(problem.contains("no place in a transaction"), "{problem}");
    }
    event["transaction"] = json!({"id": "t", "total_order": 1, "event_count": 1_000_000_000});
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1;
            while !ended.load(Ordering::Relaxed) {
                event["source"]["sequence"] = number.into();
                add(&sandbox, STREAM, &event);
                number += 1;
                // The pace of who forges.
                thread::sleep(Duration::from_millis(200));
            }
        });
        let wait = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            host.deliver(2, &commit(&[put("1", "1")]));
            sandbox.await_cached("1", Some("1"));
        }));
        ended.store(true, Ordering::Relaxed);
        wait.expect("written");
    });
    until("all of the stream is taken", || outstanding(&sandbox) == Some(0));
}

#[test]
fn deepest_values_fit_on_the_stack() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let apply = Apply::after_first_event(&sandbox, &mut host);
    let mut event = of_other(&sandbox.redis.await_stream(1)[0]);
    event["after"] = "VALUE".into();
    // As deep as a value may be, of what takes most frames for a level.
    for (number, open, close, levels) in [
        (1, r#"{"$platform":{"type":"DOMRect","x":"#, "}}", 508),
        (2, r#"{"$error":{"name":"E","cause":"#, "}}", 508),
        (3, r#"{"$map":[["a","#, "]]}", 338),
        (4, "[", "]", 1018),
    ] {
        event["source"]["sequence"] = number.into();
        let value = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let text = event.to_string().replace("\"VALUE\"", &value);
        sandbox
            .redis
            .send_command(&["XADD", "idb:events", "*", "event", &text]);
        host.deliver(number + 1, &commit(&[put("1", &number.to_string())]));
        sandbox.await_cached("1", Some(&number.to_string()));
    }
    assert!(apply.end().success());
}

#[test]
fn foreign_text_makes_no_line_of_its_own() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let forged = "evil\nup to date; following\nERROR: forged 1234";
    sandbox.redis.send_command(&["SET", LEASE, forged]);
    let mut process = sandbox
        .program()
        .args(["apply", "--consumer", "one"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let said = lines
        .map(|line| line.expect("UTF-8"))
        .find(|line| line.starts_with("standing by"))
        .expect("said");
    process.kill().expect("ended");
    process.wait().expect("gone");
    assert!(said.contains(r"evil\u{a}up to date"), "{said}");
}
