//! Servers that go, come back empty, or refuse.

use std::time::{Duration, Instant};

use redis::Commands as _;

use super::{
    Watch, host, sandbox,
    stream::{all_done, outstanding},
};
use crate::support::{
    Apply, Host, Sandbox,
    body::{commit, delete, put},
    status, until,
};

#[test]
fn a_memcached_that_is_empty_is_filled_without_an_event() {
    let mut sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let keys: Vec<String> = (0..1500).map(|key: u32| key.to_string()).collect();
    for (sequence, value) in [(2, "1"), (3, "2")] {
        let puts: Vec<_> = keys.iter().map(|key| put(key, value)).collect();
        host.deliver(sequence, &commit(&puts));
    }
    host.deliver(4, &commit(&[delete("7")]));
    host.acknowledged(4);
    sandbox.await_cached("7", None);
    sandbox.await_cached("1499", Some("2"));
    let filled = |sandbox: &Sandbox| {
        for key in ["0", "511", "512", "1499"] {
            sandbox.await_cached(key, Some("2"));
        }
        assert_eq!(sandbox.cached("7"), None);
        // The records but one, the first one of all, and what the server remembers of us: the mark
        // and one profile's offset.
        assert_eq!(sandbox.memcached.count_keys(), keys.len() - 1 + 1 + 2);
    };
    // Only ever the newest value of each.
    let watch = Watch::of(&sandbox, &keys[..20]);
    sandbox.memcached.kill();
    apply.trouble("unreachable");
    sandbox.memcached.restart();
    assert_eq!(apply.says("filled")["records"], keys.len() - 1 + 1);
    apply.state("applying");
    filled(&sandbox);
    sandbox.memcached.send_command("flush_all");
    apply.says("filled");
    apply.state("applying");
    filled(&sandbox);
    // `apply` also fills the server after a flush while no process ran.
    assert!(apply.end().success());
    sandbox.memcached.send_command("flush_all");
    let mut apply = Apply::start(&sandbox, "two");
    apply.says("filled");
    apply.state("applying");
    filled(&sandbox);
    watch.end();
}

#[test]
fn what_it_does_and_what_goes_wrong_is_in_its_log() {
    let mut sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    sandbox.memcached.kill();
    let error = apply.trouble("unreachable")["error"].clone();
    sandbox.memcached.restart();
    apply.says("filled");
    assert!(apply.end().success());
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("redis://", "redis://relay:s3cr3t-word@"));
    let mut refused = Apply::start(&sandbox, "two");
    refused.says("trouble");
    // Also without a server.
    assert!(refused.end().success());

    let log = std::fs::read_to_string(sandbox.log("idb-relay-apply.log")).expect("a log");
    let has = |level: &str, words: &[&str]| {
        log.lines()
            .any(|line| line.contains(level) && words.iter().all(|word| line.contains(word)))
    };
    assert!(has("INFO", &["started", "pid=", "\"consumer\":\"one\""]), "{log}");
    assert!(has("INFO", &["state", "\"applying\""]), "{log}");
    assert!(has("WARN", &["trouble", &error.to_string(), "\"fix\""]), "{log}");
    assert!(has("INFO", &["filled", "\"records\":1"]), "{log}");
    assert!(has("WARN", &["trouble", "redis"]), "{log}");
    assert!(!log.contains("s3cr3t"), "{log}");
}

#[test]
fn redis_that_is_away_is_named_and_waited_for() {
    let mut sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    sandbox.redis.kill();
    let trouble = apply.trouble("unreachable");
    assert!(
        trouble["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("Start the server"))
    );
    host.deliver(2, &commit(&[put("1", "1")]));
    host.acknowledged(2);
    sandbox.redis.restart();
    sandbox.await_cached("1", Some("1"));
    apply.state("applying");
}

#[test]
fn redis_that_forgets_does_not_turn_memcached_back() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let keys: Vec<String> = (1..=5).map(|key: u32| key.to_string()).collect();
    let mut sequence = 1;
    let watch = Watch::of(&sandbox, &keys);
    for round in 1..=2_u64 {
        for value in 1..=50 {
            let value = (round * 100 + value).to_string();
            let puts: Vec<_> = keys.iter().map(|key| put(key, &value)).collect();
            sequence += 1;
            host.deliver(sequence, &commit(&puts));
        }
        host.acknowledged(sequence);
        let newest = (round * 100 + 50).to_string();
        sandbox.await_cached("5", Some(&newest));
        all_done(&sandbox);
        // The host passes all of it on again: old events, with new ids.
        sandbox.redis.send_command(&["FLUSHALL"]);
        sequence += 1;
        host.deliver(sequence, &commit(&[put("9", &newest)]));
        sandbox.await_cached("9", Some(&newest));
        if round == 1 {
            // The next one knows as well.
            apply.kill();
            apply = Apply::start(&sandbox, "two");
        }
        apply.state("applying");
        for key in &keys {
            assert_eq!(sandbox.cached(key).as_deref(), Some(newest.as_str()));
        }
    }
    watch.end();
}

#[test]
fn old_events_with_new_ids_change_nothing() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    host.deliver(2, &commit(&[put("1", "1"), put("2", "1")]));
    host.deliver(3, &commit(&[put("1", "2"), delete("2")]));
    host.acknowledged(3);
    let events = sandbox.redis.await_stream(5);
    sandbox.await_cached("1", Some("2"));
    all_done(&sandbox);
    apply.said("applied");
    // What a server that was set back gets again comes piece by piece; this is the first one.
    for event in &events[..3] {
        sandbox
            .redis
            .send_command(&["XADD", "idb:events", "*", "event", &event.to_string()]);
    }
    all_done(&sandbox);
    assert_eq!(sandbox.cached("1").as_deref(), Some("2"));
    assert_eq!(sandbox.cached("2"), None);
}

/// One record, written this often, and a Memcached that holds the last value.
fn written_often(sandbox: &Sandbox, host: &mut Host, times: u64) {
    let apply = Apply::after_first_event(sandbox, host);
    let puts: Vec<_> = (1..=times).map(|value| put("1", &value.to_string())).collect();
    host.deliver(2, &commit(&puts));
    host.acknowledged(2);
    sandbox.await_cached("1", Some(&times.to_string()));
    all_done(sandbox);
    assert!(apply.end().success());
}

#[test]
fn a_server_is_filled_from_the_stream_s_end_wherever_the_group_is() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    written_often(&sandbox, &mut host, 2000);
    let watch = Watch::of(&sandbox, &["1".to_owned()]);
    sandbox.await_cached("1", Some("2000"));
    sandbox.redis.send_command(&["FLUSHALL"]);
    sandbox.redis.await_stream(2001);
    // A process was in the middle of the events that came again, when Memcached was lost, too.
    let events = sandbox
        .redis
        .connection()
        .xrange_count("idb:events", "-", "+", 1000);
    let events: redis::streams::StreamRangeReply = events.expect("a stream");
    sandbox
        .redis
        .send_command(&["XGROUP", "CREATE", "idb:events", "memcached", &events.ids[999].id]);
    sandbox.memcached.send_command("flush_all");
    let mut apply = Apply::start(&sandbox, "two");
    apply.says("filled");
    assert_eq!(sandbox.cached("1").as_deref(), Some("2000"));
    all_done(&sandbox);
    assert!(apply.said("gap").is_empty());
    watch.end();
}

#[test]
fn a_stream_that_is_given_again_what_it_lost_is_waited_for() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    written_often(&sandbox, &mut host, 2000);
    let watch = Watch::of(&sandbox, &["1".to_owned()]);
    sandbox.await_cached("1", Some("2000"));
    sandbox.redis.send_command(&["FLUSHALL"]);
    let events = sandbox.redis.await_stream(2001);
    let last = events[2000]["source"]["sequence"].as_u64().expect("a number");
    let profile = events[0]["source"]["profile"].as_str().expect("text");
    let cursor = format!("{{idb:events}}:cursor:{profile}");
    let again: u64 = sandbox
        .redis
        .connection()
        .get(format!("{cursor}:again"))
        .expect("the cursor was written");
    assert_eq!(again, last);
    // As it was in the middle of that, with a host that was killed there.
    host.kill();
    let halfway: redis::streams::StreamRangeReply = sandbox
        .redis
        .connection()
        .xrange_count("idb:events", "-", "+", 1000)
        .expect("a stream");
    let all = sandbox.redis.connection().xrange_all("idb:events");
    let rest = ids(all.expect("a stream")).split_off(halfway.ids.len());
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    sandbox
        .redis
        .send_command(&[&["XDEL", "idb:events"], &rest[..]].concat());
    sandbox
        .redis
        .send_command(&["SET", &cursor, &(last - 1001).to_string()]);
    sandbox.memcached.send_command("flush_all");
    let mut apply = Apply::start(&sandbox, "two");
    apply.state("waiting");
    assert_eq!(sandbox.cached("1"), None);
    let _host = Host::start(&sandbox);
    apply.says("filled");
    assert_eq!(sandbox.cached("1").as_deref(), Some("2000"));
    all_done(&sandbox);
    watch.end();
}

fn ids(reply: redis::streams::StreamRangeReply) -> Vec<String> {
    reply.ids.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn what_is_not_in_memcached_is_not_acknowledged() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let apply = Apply::after_first_event(&sandbox, &mut host);
    all_done(&sandbox);
    sandbox.memcached.pause();
    host.deliver(2, &commit(&[put("1", "1")]));
    host.acknowledged(2);
    sandbox.redis.await_stream(2);
    // Read or not: as long as nothing can have been written it is owed.
    let began = Instant::now();
    until("it was owed for a while", || {
        assert_eq!(outstanding(&sandbox), Some(1));
        began.elapsed() > Duration::from_secs(2)
    });
    apply.kill();
    assert_eq!(outstanding(&sandbox), Some(1));
    sandbox.memcached.resume();
    let _apply = Apply::start(&sandbox, "two");
    sandbox.await_cached("1", Some("1"));
    all_done(&sandbox);
}

#[test]
fn refusals_are_named_with_their_fixes() {
    let sandbox = sandbox();
    let mut apply = Apply::start(&sandbox, "one");
    let trouble = apply.trouble("no_stream");
    assert!(
        trouble["error"]
            .as_str()
            .is_some_and(|error| error.contains("idb:events"))
    );
    sandbox.redis.send_command(&["SET", "idb:events", "in the way"]);
    apply.trouble("wrong_type");
    sandbox.redis.send_command(&["DEL", "idb:events"]);
    apply.trouble("no_stream");
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    // The group is deleted by hand: what is in the cache already is not applied again, and nothing
    // is left out.
    apply.state("applying");
    sandbox
        .redis
        .send_command(&["XGROUP", "DESTROY", "idb:events", "memcached"]);
    apply.trouble("no_group");
    host.deliver(2, &commit(&[put("2", "2")]));
    sandbox.await_cached("2", Some("2"));
}

#[test]
fn a_password_is_asked_for_and_never_said() {
    let sandbox = sandbox();
    let mut connection = sandbox.redis.connection();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("redis://", "redis://:hunter2@"));
    let require = |connection: &mut redis::Connection, password: &str| {
        let mut command = redis::cmd("CONFIG");
        command
            .arg("SET")
            .arg("requirepass")
            .arg(password)
            .exec(connection)
            .expect("set");
    };
    require(&mut connection, "another");
    let mut apply = Apply::start(&sandbox, "one");
    let trouble = apply.trouble("not_authenticated");
    assert!(!trouble.to_string().contains("hunter2"));
    let started = sandbox.program();
    drop(started);
    require(&mut connection, "hunter2");
    apply.trouble("no_stream");
    // Without a word in the address at all.
    sandbox.write_config(&config);
    let mut apply = Apply::start(&sandbox, "two");
    apply.trouble("not_authenticated");
}

#[test]
fn the_permissions_that_are_asked_for_are_enough() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let user = |rules: &[&str]| {
        let all = [&["ACL", "SETUSER", "apply", "reset", "on", ">secret"], rules].concat();
        sandbox.redis.send_command(&all);
    };
    user(&["~idb:events", "~{idb:events}:*", "&*", "+get"]);
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("redis://", "redis://apply:secret@"));
    let mut apply = Apply::start(&sandbox, "one");
    let trouble = apply.trouble("not_permitted");
    let fix = trouble["fix"].as_str().expect("text");
    let (_, commands) = fix.split_once("for `idb-relay apply`: ").expect("its part");
    let commands: Vec<&str> = commands
        .split(' ')
        .take_while(|word| word.starts_with('+'))
        .collect();
    assert!(commands.len() > 10, "{fix}");
    user(&[&["~idb:events", "~{idb:events}:*", "&*"], &*commands].concat());
    apply.state("applying");
    sandbox.await_cached("1", Some("1"));
    // What was cut off is looked for, what another left is claimed, and a lost server is filled.
    assert!(apply.end().success());
    host.deliver(2, &commit(&[put("2", "1")]));
    host.acknowledged(2);
    sandbox.redis.await_stream(2);
    sandbox
        .redis
        .send_command(&["XTRIM", "idb:events", "MAXLEN", "0"]);
    let mut apply = Apply::start(&sandbox, "two");
    apply.says("gap");
    sandbox.memcached.send_command("flush_all");
    apply.says("filled");
    host.deliver(3, &commit(&[put("3", "1")]));
    sandbox.await_cached("3", Some("1"));
    assert!(apply.said("trouble").is_empty(), "{:?}", apply.said("trouble"));
    assert!(apply.end().success());
    let mut apply = Apply::start_with(&sandbox, "three", &["--pubsub"]);
    apply.state("applying");
    assert!(apply.said("trouble").is_empty());
}

#[test]
fn the_permissions_that_a_host_and_the_commands_beside_it_ask_for_are_enough() {
    let sandbox = sandbox();
    let user = |rules: &[&str]| {
        let all = [&["ACL", "SETUSER", "host", "reset", "on", ">secret"], rules].concat();
        sandbox.redis.send_command(&all);
    };
    let keys = ["~idb:events", "~{idb:events}:*", "&*"];
    // An `apply` process feeds Memcached, with permissions of its own.
    let mut first = host(&sandbox);
    let apply = Apply::after_first_event(&sandbox, &mut first);
    assert!(first.close().success());
    user(&[&keys[..], &["+get"]].concat());
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("redis://", "redis://host:secret@"));
    let mut host = host(&sandbox);
    host.deliver_as("context-2", 1, &commit(&[put("1", "1")]));
    host.acknowledged_as("context-2", 1);
    let sink = || status(&sandbox)["profiles"][0]["sinks"]["redis"].clone();
    until("Redis refuses", || sink()["state"] == "not_permitted");
    let fix = sink()["fix"].as_str().expect("text").to_owned();
    let commands = |before: &str| -> Vec<String> {
        let (_, words) = fix
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before:?} in {fix}"));
        let words = words.split(' ').take_while(|word| word.starts_with('+'));
        words.map(str::to_owned).collect()
    };
    let feeding = || status(&sandbox)["feeding"].to_string();
    // Who may not know who feeds Memcached says so.
    assert!(feeding().contains("is not known"), "{}", feeding());
    let own = commands("for the host: ");
    let rules = |more: &[String]| -> Vec<String> { [&keys.map(str::to_owned)[..], &own, more].concat() };
    let allow = |rules: &[String]| user(&rules.iter().map(String::as_str).collect::<Vec<_>>());
    allow(&rules(&[]));
    sandbox.await_cached("1", Some("1"));
    assert!(feeding().contains("is not known"), "{}", feeding());
    allow(&rules(&commands("`status` and `verify`: ")));
    assert!(feeding().contains("process one"), "{}", feeding());
    let doctor = String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(
        doctor.contains("process one") && !doctor.contains("NOPERM"),
        "{doctor}"
    );
    crate::support::verify::assert_same(&sandbox, 2);
    assert!(apply.end().success());
}

#[test]
fn several_servers_are_fed_and_filled_each_by_itself() {
    let mut sandbox = sandbox();
    let mut second = crate::support::Memcached::start();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    let servers = format!(
        "servers = [\"{}\", \"{}\"]",
        sandbox.memcached.address(),
        second.address()
    );
    let one = format!("servers = [\"{}\"]", sandbox.memcached.address());
    assert!(config.contains(&one));
    sandbox.write_config(&config.replace(&one, &servers));
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let puts: Vec<_> = (0..200).map(|key| put(&key.to_string(), "1")).collect();
    host.deliver(2, &commit(&puts));
    host.acknowledged(2);
    all_done(&sandbox);
    let names: Vec<String> = (0..200)
        .map(|key| sandbox.key("0").replace(":0", &format!(":{key}")))
        .collect();
    let held =
        |server: &crate::support::Memcached| names.iter().filter(|name| server.get(name).is_some()).count();
    let (first, other) = (held(&sandbox.memcached), held(&second));
    assert!(
        first > 20 && other > 20 && first + other == 200,
        "{first} and {other}"
    );
    second.restart();
    apply.says("filled");
    apply.state("applying");
    assert_eq!((held(&sandbox.memcached), held(&second)), (first, other));
    // Another list of servers: records change their places. When a server comes back to the list,
    // it holds no record that belongs to another one.
    assert!(apply.end().success());
    sandbox.write_config(&config);
    let mut apply = Apply::start(&sandbox, "two");
    apply.says("filled");
    apply.state("applying");
    host.deliver(
        3,
        &commit(&[delete("1"), put("2", "2"), put("3", "2"), put("4", "2")]),
    );
    host.acknowledged(3);
    all_done(&sandbox);
    assert!(apply.end().success());
    sandbox.write_config(&config.replace(&one, &servers));
    let mut apply = Apply::start(&sandbox, "three");
    apply.says("filled");
    apply.state("applying");
    let name = |key: u32| sandbox.key(&key.to_string());
    for key in [2, 3, 4] {
        let found = [&sandbox.memcached, &second].map(|server| server.get(&name(key)));
        let ring = idb_relay::memcached::ring::Ring::new(&[sandbox.memcached.address(), second.address()]);
        assert_eq!(
            found[ring.server(name(key).as_bytes())].as_deref(),
            Some("2"),
            "{key}: {found:?}"
        );
    }
    assert_eq!(
        [&sandbox.memcached, &second].map(|server| server.get(&name(1))),
        [None, None]
    );
    sandbox.memcached.kill();
}
