//! Several script calls on their way to Redis at a time: each event arrives once and in order, even
//! if one of the calls fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use test_servers::RedisOptions;

use crate::support::{
    CONTEXT, Host, Proxy, Sandbox, assert_stream,
    body::{commit, put},
    host_delivery, pour, status, until,
};

/// Events, each the number of its delivery, long enough that a few thousand fill several calls.
fn pour_events(host: &mut Host, numbers: std::ops::RangeInclusive<u64>) {
    let last = *numbers.end();
    let delivery = |number: u64| {
        let filler = format!("\"{}\"", "x".repeat(1000));
        host_delivery(
            CONTEXT,
            number,
            &commit(&[put("2", &filler), put("1", &number.to_string())]),
        )
    };
    pour(host.stdin(), numbers.map(delivery));
    host.acknowledged(last);
}

/// The numbers that the stream has, once it has so many events.
fn numbers(sandbox: &Sandbox, events: usize) -> Vec<u64> {
    let events = sandbox.redis.await_stream(events);
    events
        .iter()
        .filter_map(|event| event["after"].as_u64())
        .collect()
}

#[test]
fn a_script_that_is_flushed_is_loaded_again_and_no_call_is_lost_or_doubled() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    for round in 0..20 {
        sandbox.redis.send_command(&["SCRIPT", "FLUSH"]);
        pour_events(&mut host, round * 200 + 1..=round * 200 + 200);
        sandbox.redis.send_command(&["SCRIPT", "FLUSH"]);
    }
    assert!(numbers(&sandbox, 8000).iter().copied().eq(1..=4000));
    assert_eq!(
        status(&sandbox)["profiles"][0]["sinks"]["redis"]["state"],
        "running"
    );
}

/// How many calls of a script by its hash Redis has answered, and how many by its text.
fn calls(sandbox: &Sandbox) -> (usize, usize) {
    let text: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut sandbox.redis.connection())
        .expect("statistics");
    let of = |name: &str| -> usize {
        text.lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")))
            .and_then(|line| line.split(',').next())
            .map_or(0, |calls| calls.parse().expect("a number"))
    };
    (of("evalsha"), of("eval"))
}

#[test]
fn a_batch_is_one_script_call() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    let puts: Vec<String> = (0..5000).map(|key: u32| put(&key.to_string(), "1")).collect();
    host.deliver(1, &commit(&puts));
    host.acknowledged(1);
    sandbox.redis.restart();
    sandbox.redis.await_stream(5000);
    let (by_hash, by_text) = calls(&sandbox);
    // The script is not there at first: the first calls under way are refused and made again.
    assert!((1..=60).contains(&by_hash), "{by_hash} calls for 5000 events");
    assert_eq!(
        by_text, 0,
        "the script's text goes over the line once, to be loaded"
    );
}

#[test]
fn a_refusal_of_one_of_several_calls_keeps_the_order() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    pour_events(&mut host, 1..=4000);
    // With room for some of the calls that are on their way, then for some more.
    sandbox
        .redis
        .restart_with(&RedisOptions::default().arguments(&["--maxmemory", "2500000"]));
    let full = || {
        until("redis is full", || {
            status(&sandbox)["profiles"][0]["sinks"]["redis"]["state"] == "out_of_memory"
        });
    };
    full();
    let length = || -> usize {
        redis::cmd("XLEN")
            .arg("idb:events")
            .query(&mut sandbox.redis.connection())
            .expect("a stream")
    };
    let mut before = length();
    assert!(before < 8000, "{before}");
    for megabytes in [4, 5, 6] {
        sandbox
            .redis
            .send_command(&["CONFIG", "SET", "maxmemory", &format!("{megabytes}mb")]);
        until("the stream is longer", || length() > before);
        before = length();
    }
    sandbox.redis.send_command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(numbers(&sandbox, 8000).iter().copied().eq(1..=4000));
}

#[test]
fn a_connection_that_breaks_with_calls_on_their_way_repeats_none() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    for round in 0..20 {
        pour_events(&mut host, round * 100 + 1..=round * 100 + 100);
        sandbox.redis.send_command(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    assert!(numbers(&sandbox, 4000).iter().copied().eq(1..=2000));
}

#[test]
fn what_goes_by_a_slow_line_goes_once() {
    /// For a byte: too long for any of these calls in the time that a short one's answer has.
    const NANOSECONDS: u64 = 800;
    const LENGTHS: [usize; 5] = [1_000_000, 1_000_000, 1_000_000, 1_000_000, 4_000_000];
    let sandbox = Sandbox::new();
    let sent = Arc::new(AtomicUsize::default());
    let counted = Arc::clone(&sent);
    let line = move |_: &Proxy, _, bytes: &[u8]| {
        counted.fetch_add(bytes.len(), Ordering::SeqCst);
        thread::sleep(Duration::from_nanos(NANOSECONDS * bytes.len() as u64));
    };
    let proxy = Proxy::between(sandbox.redis.address(), line, |_| {});
    sandbox.reach_redis_by(proxy.address());
    let mut host = Host::hasty(&sandbox);
    for (sequence, length) in (1..).zip(LENGTHS) {
        let value = format!("\"{}\"", "x".repeat(length));
        host.deliver(sequence, &commit(&[put(&sequence.to_string(), &value)]));
    }
    host.acknowledged(5);
    let events = sandbox.redis.await_stream(LENGTHS.len());
    let lengths = events
        .iter()
        .map(|event| event["after"].as_str().map_or(0, str::len));
    assert!(lengths.eq(LENGTHS));
    let all: usize = LENGTHS.iter().sum();
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < all * 3 / 2, "{sent} bytes for {all}");
}

#[test]
fn the_stream_keeps_about_its_greatest_length() {
    let sandbox = Sandbox::new();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("[redis]", "[redis]\nmax_stream_length = 1000"));
    let mut host = Host::start(&sandbox);
    for sequence in 1..=3000 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged(3000);
    until("all have passed", || {
        status(&sandbox)["profiles"][0]["sinks"]["redis"]["behind"] == 0
    });
    let events = sandbox.redis.stream();
    // Redis trims by whole nodes, of 100 entries unless configured otherwise.
    assert!((1000..1100).contains(&events.len()), "{}", events.len());
    assert_eq!(events.last().expect("events")["after"], 3000);
}

#[test]
fn each_channel_gets_its_store_s_events_in_order() {
    let sandbox = Sandbox::new();
    let mut connection = sandbox.redis.connection();
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe("idb:*").expect("subscribed");
    let mut host = Host::start(&sandbox);
    let stores = ["orders", "orders", "users", "orders", "users", "users"];
    let operations: Vec<String> = stores
        .iter()
        .zip(1..)
        .map(|(store, key)| format!(r#"{{"put":{{"store":"{store}","key":{key},"value":{key}}}}}"#))
        .collect();
    host.deliver(1, &commit(&operations));
    host.acknowledged(1);
    for (store, key) in stores.iter().zip(1..) {
        let message = subscriber.get_message().expect("a message");
        assert!(message.get_channel_name().ends_with(&format!(":shop:{store}")));
        let event: serde_json::Value =
            serde_json::from_str(&message.get_payload::<String>().expect("text")).expect("JSON");
        assert_eq!(
            (&event["source"]["store"], &event["key"]),
            (&(*store).into(), &key.into())
        );
    }
    assert_stream(&sandbox, 1..=6);
}
