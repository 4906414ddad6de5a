//! Redis servers that remember less than they were sent, and servers that end while nothing
//! happens.

use std::{fs, ops::RangeInclusive};

use test_servers::RedisOptions;

use crate::support::{
    Host, Sandbox, assert_stream,
    body::{commit, commit_in_turn, put},
    status, until,
};

/// Delivers one event for each of these numbers, which is its value and its delivery's number.
fn deliver(host: &mut Host, numbers: RangeInclusive<u64>) {
    for number in numbers.clone() {
        host.deliver(number, &commit_in_turn(&[put("1", &number.to_string())]));
    }
    host.acknowledged(*numbers.end());
}

/// A host whose Redis has just been stopped with five events in the stream less than were passed
/// on: 1 to 5 of 10.
fn set_back(sandbox: &mut Sandbox) -> Host {
    let mut host = Host::start(sandbox);
    deliver(&mut host, 1..=5);
    assert_stream(sandbox, 1..=5);
    await_passed_on(sandbox);
    sandbox.redis.kill();
    let older = sandbox.redis.files();
    sandbox.redis.restart();
    deliver(&mut host, 6..=10);
    assert_stream(sandbox, 1..=10);
    await_passed_on(sandbox);
    sandbox.redis.kill();
    sandbox.redis.restore(&older);
    host
}

fn await_passed_on(sandbox: &Sandbox) {
    until("the host knows that all is passed on", || {
        status(sandbox)["profiles"][0]["sinks"]["redis"]["behind"] == 0
    });
}

fn await_state(sandbox: &Sandbox, state: &str) {
    until(&format!("redis is {state}"), || {
        status(sandbox)["profiles"][0]["sinks"]["redis"]["state"] == state
    });
}

#[test]
fn a_server_that_is_full_gets_no_more_and_loses_nothing() {
    let sandbox = Sandbox::new();
    sandbox.configure("redis", "max_memory_mib = 8");
    let mut host = Host::start(&sandbox);
    let filler = "x".repeat(20_000);
    let mut last = 0;
    until("redis is full", || {
        for _ in 0..50 {
            last += 1;
            host.deliver(
                last,
                &commit(&[put("1", &format!(r#"{{"n":{last},"text":"{filler}"}}"#))]),
            );
        }
        // The journal goes on.
        host.acknowledged(last);
        status(&sandbox)["profiles"][0]["sinks"]["redis"]["state"] == "server_full"
    });
    let full = sandbox.redis.stream_length();
    for _ in 0..100 {
        last += 1;
        host.deliver(
            last,
            &commit(&[put("1", &format!(r#"{{"n":{last},"text":"{filler}"}}"#))]),
        );
    }
    host.acknowledged(last);
    // Memcached does not wait for it.
    until("Memcached has the last one", || {
        sandbox
            .cached("1")
            .is_some_and(|value| value.starts_with(&format!(r#"{{"n":{last},"#)))
    });
    assert_eq!(sandbox.redis.stream_length(), full);
    // A reader that has read all may cut the stream, and misses nothing.
    let number = |event: &serde_json::Value| event["after"]["n"].as_u64().expect("a number");
    let mut numbers: Vec<u64> = sandbox.redis.stream().iter().map(number).collect();
    assert_eq!(numbers.len() as u64, full);
    sandbox.redis.trim_stream();
    until("the rest is there", || {
        sandbox.redis.stream_length() == last - full
    });
    numbers.extend(sandbox.redis.stream().iter().map(number));
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
}

#[test]
fn what_an_older_copy_lacks_is_passed_on_again_without_a_write() {
    let mut sandbox = Sandbox::new();
    let mut host = set_back(&mut sandbox);
    sandbox.redis.restart();
    assert_stream(&sandbox, 1..=10);
    deliver(&mut host, 11..=11);
    assert_stream(&sandbox, 1..=11);
}

#[test]
fn a_refusal_in_the_middle_of_a_repetition_leaves_nothing_out() {
    let mut sandbox = Sandbox::new();
    let mut host = set_back(&mut sandbox);
    sandbox
        .redis
        .restart_with(&RedisOptions::default().arguments(&["--maxmemory", "1"]));
    await_state(&sandbox, "out_of_memory");
    deliver(&mut host, 11..=12);
    sandbox.redis.send_command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_stream(&sandbox, 1..=12);
    await_state(&sandbox, "running");
}

#[test]
fn a_repetition_goes_on_with_the_next_host() {
    let mut sandbox = Sandbox::new();
    let host = set_back(&mut sandbox);
    sandbox
        .redis
        .restart_with(&RedisOptions::default().arguments(&["--maxmemory", "1"]));
    await_state(&sandbox, "out_of_memory");
    assert!(host.close().success());
    sandbox.redis.send_command(&["CONFIG", "SET", "maxmemory", "0"]);
    let _host = Host::start(&sandbox);
    assert_stream(&sandbox, 1..=10);
}

#[test]
fn a_server_that_comes_back_empty_gets_the_stream_again_and_the_channels_nothing_old() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    deliver(&mut host, 1..=1200);
    assert_stream(&sandbox, 1..=1200);
    await_passed_on(&sandbox);
    sandbox.redis.kill();
    sandbox.redis.restore(&[]);
    // It takes nothing before the subscription is there.
    sandbox
        .redis
        .restart_with(&RedisOptions::default().arguments(&["--maxmemory", "1"]));
    let mut connection = sandbox.redis.connection();
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe("idb:*").expect("subscribed");
    sandbox.redis.send_command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_stream(&sandbox, 1..=1200);

    deliver(&mut host, 1201..=1201);
    assert_stream(&sandbox, 1..=1201);
    let message: String = subscriber
        .get_message()
        .expect("a message")
        .get_payload()
        .expect("text");
    assert!(message.contains(r#""after":1201"#), "{message}");
}

#[test]
fn a_server_that_is_emptied_behind_an_open_connection_is_noticed_before_the_next_event() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    for round in 1..=20 {
        deliver(&mut host, round..=round);
        assert_stream(&sandbox, 1..=round);
        sandbox.redis.send_command(&["FLUSHALL"]);
    }
    deliver(&mut host, 21..=21);
    assert_stream(&sandbox, 1..=21);
}

#[test]
fn a_lost_cursor_is_found_again_in_the_stream() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    deliver(&mut host, 1..=10);
    assert_stream(&sandbox, 1..=10);
    await_passed_on(&sandbox);
    // More of another profile than is read at once.
    for _ in 0..40 {
        let event = r#"{"source":{"profile":"profile-2","sequence":1}}"#;
        sandbox
            .redis
            .send_command(&["XADD", "idb:events", "*", "event", event]);
    }
    let cursor = "{idb:events}:cursor:profile-1";
    sandbox.redis.send_command(&["DEL", cursor]);
    until("the cursor is back", || sandbox.redis.exists(cursor));
    deliver(&mut host, 11..=11);
    let after: Vec<u64> = sandbox
        .redis
        .await_stream(51)
        .iter()
        .filter_map(|event| event["after"].as_u64())
        .collect();
    assert!(after.iter().copied().eq(1..=11), "{after:?}");
}

#[test]
fn a_cursor_and_an_offset_that_are_lost_together_double_nothing() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    deliver(&mut host, 1..=10);
    assert_stream(&sandbox, 1..=10);
    await_passed_on(&sandbox);
    host.kill();
    // What a host had passed on and not written down, or not brought to the disk, when it was
    // killed.
    let journal = sandbox.journal_directory().join("profile-1.sqlite");
    let connection = rusqlite::Connection::open(journal).expect("a journal");
    connection
        .execute("UPDATE sink SET number = 0 WHERE name = 'redis'", [])
        .expect("set back");
    drop(connection);
    sandbox
        .redis
        .send_command(&["DEL", "{idb:events}:cursor:profile-1"]);
    let mut host = Host::start(&sandbox);
    deliver(&mut host, 11..=11);
    assert_stream(&sandbox, 1..=11);
}

#[test]
fn a_server_that_goes_while_all_is_quiet_is_named() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    deliver(&mut host, 1..=1);
    assert_stream(&sandbox, 1..=1);
    await_passed_on(&sandbox);
    sandbox.redis.kill();
    await_state(&sandbox, "unreachable");
    let printed = sandbox.print(&["status"]);
    assert!(
        printed.contains(": unreachable, no event waits for it") && printed.contains("Start the server"),
        "{printed}"
    );
    sandbox.redis.restart();
    await_state(&sandbox, "running");
    let printed = sandbox.print(&["status"]);
    let line = printed.lines().find(|line| line.starts_with("  redis at "));
    assert!(
        line.is_some_and(|line| line.contains(": running, up to date")),
        "{printed}"
    );
}

#[test]
fn a_server_that_is_away_before_the_first_event_is_named() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    let _host = Host::start(&sandbox);
    await_state(&sandbox, "unreachable");
}

#[test]
fn a_repetition_that_ends_where_the_host_was_leaves_out_nothing_behind_it() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    deliver(&mut host, 1..=1);
    assert_stream(&sandbox, 1..=1);
    await_passed_on(&sandbox);
    sandbox.redis.kill();
    sandbox.redis.restore(&[]);
    // Too large to travel with the first one, which so is all of the first repetition.
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    host.deliver(2, &commit(&[put("1", &large)]));
    deliver(&mut host, 3..=10);
    sandbox.redis.restart();
    until("the stream has all events", || {
        sandbox.redis.stream_text().len() == 10
    });
}

/// Ten events are in the stream, and the journal is a copy that knows of five.
fn journal_set_back(sandbox: &Sandbox) {
    let mut host = Host::start(sandbox);
    deliver(&mut host, 1..=5);
    assert_stream(sandbox, 1..=5);
    assert!(host.close().success());
    let journal = sandbox.journal_directory();
    let files = |to: Option<&[(std::path::PathBuf, Vec<u8>)]>| -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let Some(files) = to else {
            let entries = fs::read_dir(&journal).expect("a directory");
            let paths = entries.map(|entry| entry.expect("an entry").path());
            return paths
                .filter(|path| path.is_file())
                .map(|path| (path.clone(), fs::read(&path).expect("read")))
                .collect();
        };
        fs::remove_dir_all(&journal).expect("removed");
        fs::create_dir(&journal).expect("made");
        for (path, bytes) in files {
            fs::write(path, bytes).expect("written");
        }
        Vec::new()
    };
    let copy = files(None);
    let mut host = Host::start(sandbox);
    deliver(&mut host, 6..=10);
    assert_stream(sandbox, 1..=10);
    assert!(host.close().success());
    files(Some(&copy));
}

/// Delivers events with these values from a new document.
fn deliver_from_new_document(host: &mut Host, context: &str, values: RangeInclusive<u64>) {
    let mut sequence = 0;
    for value in values {
        sequence += 1;
        host.deliver_as(
            context,
            sequence,
            &commit_in_turn(&[put("1", &value.to_string())]),
        );
    }
    host.acknowledged_as(context, sequence);
}

/// Asserts that the stream has the first ten, then these, under numbers that grow.
fn assert_goes_on(sandbox: &Sandbox, values: RangeInclusive<u64>) {
    let expected: Vec<u64> = (1..=10).chain(values).collect();
    until("the stream goes on", || {
        sandbox.redis.stream().len() >= expected.len()
    });
    let events = sandbox.redis.stream();
    let values: Vec<_> = events
        .iter()
        .filter_map(|event| event["after"].as_u64())
        .collect();
    assert_eq!(values, expected);
    let numbers: Vec<_> = events
        .iter()
        .filter_map(|event| event["source"]["sequence"].as_u64())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    await_passed_on(sandbox);
    await_state(sandbox, "running");
    sandbox.await_cached("1", Some(&expected[expected.len() - 1].to_string()));
}

#[test]
fn a_journal_that_was_set_back_goes_on_behind_what_was_passed_on() {
    let sandbox = Sandbox::new();
    journal_set_back(&sandbox);
    let mut host = Host::start(&sandbox);
    deliver_from_new_document(&mut host, "context-2", 100..=102);
    assert_goes_on(&sandbox, 100..=102);
    let last = &status(&sandbox)["profiles"][0]["sinks"]["redis"]["last_error"];
    assert_eq!(last["state"], "journal_set_back");
    assert!(last["recovered_at"].is_number(), "{last}");
    assert!(host.close().success());
    let mut host = Host::start(&sandbox);
    deliver_from_new_document(&mut host, "context-3", 103..=110);
    assert_goes_on(&sandbox, 100..=110);
}

#[test]
fn what_a_journal_that_was_set_back_has_waiting_is_passed_on() {
    for more in [3, 20] {
        let mut sandbox = Sandbox::new();
        journal_set_back(&sandbox);
        sandbox.redis.kill();
        let mut host = Host::start(&sandbox);
        // Fewer than were passed on before, or more: then their numbers say nothing.
        deliver_from_new_document(&mut host, "context-2", 100..=100 + more);
        sandbox.redis.restart();
        assert_goes_on(&sandbox, 100..=100 + more);
        deliver_from_new_document(&mut host, "context-3", 101 + more..=105 + more);
        assert_goes_on(&sandbox, 100..=105 + more);
    }
}
