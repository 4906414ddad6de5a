//! A stream with the events of two browser profiles that use one site.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use super::{host, sandbox, stream::outstanding};
use crate::support::verify::verify;
use crate::{
    owners::OWNER,
    support::{
        Apply, Host, ORIGIN, Sandbox,
        body::{commit, delete, put},
        hello_of, until,
    },
};

const FIRST: &str = "profile-1";
const SECOND: &str = "profile-2";

fn second(sandbox: &Sandbox) -> Host {
    let mut host = Host::silent(sandbox);
    host.send(&hello_of(SECOND));
    let _hello = host.receive();
    host
}

fn await_all_of_first(sandbox: &Sandbox) {
    sandbox.await_cached("1", Some("\"first\""));
    sandbox.await_cached("2", None);
    sandbox.await_cached("3", Some("\"only first\""));
}

fn await_all_of_second(sandbox: &Sandbox) {
    sandbox.await_cached("1", Some("\"second\""));
    sandbox.await_cached("2", Some("\"only second\""));
    sandbox.await_cached("3", None);
}

#[test]
fn the_first_profile_owns_the_keys_until_they_change_hands() {
    let sandbox = sandbox();
    let mut first = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut first);
    first.deliver(2, &commit(&[put("1", "\"first\""), put("3", "\"only first\"")]));
    first.acknowledged(2);
    await_all_of_first(&sandbox);
    let mut second = second(&sandbox);
    second.deliver(
        1,
        &commit(&[put("1", "\"second\""), put("2", "\"only second\""), delete("3")]),
    );
    second.acknowledged(1);
    let held = apply.says("held");
    assert_eq!(
        (&held["profile"], &held["owner"]),
        (&SECOND.into(), &FIRST.into())
    );
    assert!(
        held["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("idb-relay own"))
    );
    first.deliver(3, &commit(&[put("4", "4")]));
    first.acknowledged(3);
    sandbox.await_cached("4", Some("4"));
    await_all_of_first(&sandbox);
    let found = verify(&sandbox, &["--profile", SECOND]);
    assert_eq!((found.code, found.compared.held), (Some(1), 2));
    assert_eq!(verify(&sandbox, &["--profile", FIRST]).code, Some(0));
    // A server that is emptied gets what the owner has, though the newest events are the other
    // one's.
    second.deliver(2, &commit(&[put("1", "\"second\"")]));
    second.acknowledged(2);
    assert_eq!(sandbox.memcached.send_command("flush_all"), "OK");
    apply.says("filled");
    await_all_of_first(&sandbox);

    sandbox.print(&["own", "--origin", ORIGIN, "--profile", SECOND]);
    await_all_of_second(&sandbox);
    sandbox.await_cached("4", None);
    assert_eq!(apply.says("held")["profile"], FIRST);
    first.deliver(4, &commit(&[put("1", "\"late\"")]));
    first.acknowledged(4);
    second.deliver(3, &commit(&[put("5", "5")]));
    second.acknowledged(3);
    sandbox.await_cached("5", Some("5"));
    await_all_of_second(&sandbox);
    until("nothing differs for the new owner", || {
        verify(&sandbox, &["--profile", SECOND]).code == Some(0)
    });
    assert!(apply.end().success());
}

#[test]
fn servers_are_filled_again_when_the_owner_item_is_lost() {
    let sandbox = sandbox();
    let mut first = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut first);
    first.deliver(2, &commit(&[put("1", "\"first\""), put("3", "\"only first\"")]));
    first.acknowledged(2);
    await_all_of_first(&sandbox);
    apply.ask_to_end();
    assert!(apply.wait().success());
    sandbox.memcached.delete(OWNER);
    let mut second = second(&sandbox);
    second.deliver(1, &commit(&[put("1", "\"second\""), put("2", "\"only second\"")]));
    second.acknowledged(1);
    sandbox.redis.await_stream(5);
    let apply = Apply::start(&sandbox, "two");
    await_all_of_second(&sandbox);
    assert!(apply.end().success());
}

#[test]
fn profiles_with_names_of_their_own_are_both_applied() {
    let sandbox = sandbox();
    sandbox.configure(
        "memcached",
        "key = \"idb:{profile}:{origin}:{database}:{store}:{key}\"",
    );
    let mut first = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut first);
    let mut second = second(&sandbox);
    for (host, sequence, value) in [(&mut first, 2, "1"), (&mut second, 1, "2")] {
        host.deliver(sequence, &commit(&[put("1", value)]));
        host.acknowledged(sequence);
    }
    for (profile, value) in [(FIRST, "1"), (SECOND, "2")] {
        let name = format!("idb:{profile}:http%3A//localhost%3A8080:shop:orders:1");
        until("it is there", || {
            sandbox.memcached.get(&name).as_deref() == Some(value)
        });
    }
    until("nothing differs", || verify(&sandbox, &[]).code == Some(0));
    assert_eq!(apply.said("held"), [] as [serde_json::Value; 0]);
}

/// A process, and a host whose profile owns the keys and that gives a sign.
fn owned_by_first(sandbox: &Sandbox, options: &[&str]) -> (Apply, Host) {
    let mut first = Host::hasty_of(sandbox, FIRST);
    first.deliver(1, &commit(&[put("\"first\"", "0")]));
    first.acknowledged(1);
    sandbox.redis.await_stream(1);
    let mut apply = Apply::hasty(sandbox, "one", options);
    apply.state("applying");
    first.deliver(2, &commit(&[put("1", "\"first\""), put("3", "\"only first\"")]));
    first.acknowledged(2);
    await_all_of_first(sandbox);
    (apply, first)
}

#[test]
fn apply_takes_over_from_owner_whose_host_is_gone() {
    let sandbox = sandbox();
    let (mut apply, first) = owned_by_first(&sandbox, &[]);
    let mut second = Host::hasty_of(&sandbox, SECOND);
    // While both run nothing changes hands.
    second.deliver(1, &commit(&[put("1", "\"second\"")]));
    second.acknowledged(1);
    assert_eq!(apply.says("held")["profile"], SECOND);
    first.kill();
    // Its event is the only one, and it is the former owner's host that is waited for.
    second.deliver(2, &commit(&[put("2", "\"only second\""), delete("3")]));
    second.acknowledged(2);
    let change = apply.says("succeeded");
    assert_eq!(
        (&change["owner"], &change["former"]),
        (&SECOND.into(), &FIRST.into())
    );
    await_all_of_second(&sandbox);
    until("nothing differs for the new owner", || {
        verify(&sandbox, &["--profile", SECOND]).code == Some(0)
    });
    // The former owner comes back: it is held while the other one runs.
    let mut first = Host::hasty_of(&sandbox, FIRST);
    first.deliver(3, &commit(&[put("1", "\"late\"")]));
    first.acknowledged(3);
    assert_eq!(apply.says("held")["profile"], FIRST);
    second.deliver(3, &commit(&[put("5", "5")]));
    second.acknowledged(3);
    sandbox.await_cached("5", Some("5"));
    await_all_of_second(&sandbox);
    assert!(apply.end().success());
}

/// A host delivers a record, again and again, until its profile owns the keys.
fn write_until_it_owns(host: &mut Host, profile: &str, from: u64, apply: &mut Apply) {
    let mut sequence = from;
    until("the living profile owns the keys", || {
        host.deliver(sequence, &commit(&[put("1", "\"latest\"")]));
        host.acknowledged(sequence);
        sequence += 1;
        !apply.said("succeeded").is_empty()
    });
    assert_eq!(apply.says("succeeded")["owner"], profile);
}

#[test]
fn living_profile_follows_owner_when_first_heir_is_gone() {
    let sandbox = sandbox();
    let (mut apply, first) = owned_by_first(&sandbox, &[]);
    let mut second = Host::hasty_of(&sandbox, SECOND);
    second.deliver(1, &commit(&[put("1", "\"second\"")]));
    second.acknowledged(1);
    assert_eq!(apply.says("held")["profile"], SECOND);
    let mut third = Host::hasty_of(&sandbox, "profile-3");
    third.deliver(1, &commit(&[put("1", "\"third\"")]));
    third.acknowledged(1);
    first.kill();
    second.kill();
    write_until_it_owns(&mut third, "profile-3", 2, &mut apply);
    sandbox.await_cached("1", Some("\"latest\""));
    assert!(apply.end().success());
}

#[test]
fn owner_that_starts_again_in_time_keeps_its_keys() {
    let sandbox = sandbox();
    let (mut apply, first) = owned_by_first(&sandbox, &[]);
    let mut second = Host::hasty_of(&sandbox, SECOND);
    first.kill();
    let mut first = Host::hasty_of(&sandbox, FIRST);
    second.deliver(1, &commit(&[put("1", "\"second\"")]));
    second.acknowledged(1);
    assert_eq!(apply.says("held")["owner"], FIRST);
    // Long after the time in which another profile would follow.
    let begun = std::time::Instant::now();
    let mut sequence = 3;
    until("much time has passed", || {
        first.deliver(sequence, &commit(&[put("4", &sequence.to_string())]));
        first.acknowledged(sequence);
        sequence += 1;
        begun.elapsed() > std::time::Duration::from_secs(8)
    });
    await_all_of_first(&sandbox);
    assert_eq!(apply.said("succeeded"), [] as [serde_json::Value; 0]);
}

#[test]
fn apply_that_listens_takes_over_from_owner_whose_host_is_gone() {
    let sandbox = sandbox();
    let (mut apply, first) = owned_by_first(&sandbox, &["--pubsub"]);
    let mut second = Host::hasty_of(&sandbox, SECOND);
    first.kill();
    second.deliver(1, &commit(&[put("1", "\"second\"")]));
    second.acknowledged(1);
    // Events published before it has taken over are not received again.
    assert_eq!(apply.says("succeeded")["owner"], SECOND);
    second.deliver(2, &commit(&[put("2", "\"only second\"")]));
    second.acknowledged(2);
    sandbox.await_cached("2", Some("\"only second\""));
}

/// Adds an event that another client of Redis has made of a real one.
fn forge(sandbox: &Sandbox, event: &serde_json::Value, changes: &[(&str, &str)]) {
    let mut event = event.clone();
    for (field, text) in changes {
        event["source"][field] = (*text).into();
    }
    let text = event.to_string();
    sandbox
        .redis
        .send_command(&["XADD", "idb:events", "*", "event", &text]);
}

#[test]
fn apply_escapes_foreign_text_when_it_holds_events() {
    let sandbox = sandbox();
    let mut first = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut first);
    let event = sandbox.redis.await_stream(1).remove(0);
    for (field, text) in [
        ("origin", "http://a.example --profile x; id #"),
        ("profile", "x; id"),
    ] {
        forge(&sandbox, &event, &[(field, text)]);
        assert!(
            apply.says("unreadable")["problem"]
                .as_str()
                .is_some_and(|problem| problem.contains(text)),
        );
    }
    assert!(apply.end().success());
    forge(
        &sandbox,
        &event,
        &[
            ("profile", SECOND),
            ("browser", "firefox/1)\nup to date; following"),
        ],
    );
    let mut process = sandbox
        .program()
        .args(["apply", "--consumer", "two"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let held = lines
        .map(|line| line.expect("UTF-8"))
        .find(|line| line.starts_with("events of profile"))
        .expect("said");
    process.kill().expect("ended");
    process.wait().expect("gone");
    assert!(held.contains(r"firefox/1)\u{a}up to date; following)"), "{held}");
}

#[test]
fn apply_goes_on_when_gaps_of_any_number_are_forged() {
    let sandbox = sandbox();
    let mut first = host(&sandbox);
    let apply = Apply::after_first_event(&sandbox, &mut first);
    let mut event = sandbox.redis.await_stream(1).remove(0);
    event["op"] = "g".into();
    event["gap"] = u64::MAX.into();
    event["key"] = serde_json::Value::Null;
    event["after"] = serde_json::Value::Null;
    let sequence = event["source"]["sequence"].as_u64().expect("a number");
    for number in [sequence + 3, sequence + 6, u64::MAX - 1, u64::MAX] {
        event["source"]["sequence"] = number.into();
        let text = event.to_string();
        sandbox
            .redis
            .send_command(&["XADD", "idb:events", "*", "event", &text]);
    }
    until("all of the stream is taken", || outstanding(&sandbox) == Some(0));
    assert!(apply.end().success());
}

#[test]
fn apply_refuses_foreign_names_when_it_listens() {
    let sandbox = sandbox();
    let (mut apply, _first) = owned_by_first(&sandbox, &["--pubsub"]);
    let event = sandbox.redis.await_stream(1).remove(0);
    for (field, text) in [("origin", "http://a.example; id #"), ("profile", "x; id")] {
        let mut event = event.clone();
        event["source"][field] = text.into();
        sandbox
            .redis
            .send_command(&["PUBLISH", "idb:forged:shop:orders", &event.to_string()]);
        assert!(
            apply.says("unreadable")["problem"]
                .as_str()
                .is_some_and(|problem| problem.contains(text)),
        );
    }
}

#[test]
fn living_profile_takes_over_when_heir_is_gone_too() {
    let sandbox = sandbox();
    let (mut apply, first) = owned_by_first(&sandbox, &[]);
    let mut heir = Host::hasty_of(&sandbox, SECOND);
    heir.deliver(1, &commit(&[put("1", "\"second\"")]));
    heir.acknowledged(1);
    assert_eq!(apply.says("held")["profile"], SECOND);
    heir.kill();
    first.kill();
    let mut third = Host::hasty_of(&sandbox, "profile-3");
    write_until_it_owns(&mut third, "profile-3", 1, &mut apply);
    sandbox.await_cached("1", Some("\"latest\""));
}
