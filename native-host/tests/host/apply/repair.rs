//! `verify` where `apply` feeds Memcached: it compares the same, and is the fix for what the
//! stream has lost.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use protocol::wire::inspector::Reply;

use super::{
    Watch, host, sandbox,
    stream::{all_done, write},
};
use crate::support::verify::{ask, assert_same, compared, kinds, verify};
use crate::support::{
    Apply, Host, Memcached, Over, Sandbox,
    body::{commit, delete, put},
};

/// What `verify` says to people when it can't compare.
fn refusal(sandbox: &Sandbox, more: &[&str]) -> String {
    let output = sandbox.run(&[&["verify"], more].concat());
    assert_eq!(output.status.code(), Some(3));
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn what_apply_feeds_is_compared_and_put_right() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let apply = Apply::after_first_event(&sandbox, &mut host);
    write(&sandbox, &mut host, 2, 0..300);
    host.deliver(3, &commit(&[delete("7")]));
    host.acknowledged(3);
    sandbox.redis.await_stream(302);
    all_done(&sandbox);
    let mut apply = Some(apply);
    // With the process running, and without.
    for _ in 0..2 {
        assert_same(&sandbox, 300);
        sandbox.memcached.delete(&sandbox.key("3"));
        sandbox.memcached.set(&sandbox.key("4"), "2");
        sandbox.memcached.set(&sandbox.key("7"), "gone");
        let expected = kinds([("3", "missing"), ("4", "stale"), ("7", "orphaned")]);
        let verified = verify(&sandbox, &[]);
        assert_eq!((verified.code, verified.kinds()), (Some(1), expected.clone()));
        let repaired = verify(&sandbox, &["--repair"]);
        assert_eq!((repaired.code, repaired.kinds()), (Some(0), expected));
        assert_same(&sandbox, 300);
        assert_eq!(sandbox.cached("7"), None);
        if let Some(apply) = apply.take() {
            assert!(apply.end().success());
        }
    }
    // A change is a difference if no running process writes it. `verify` leaves it to `apply`,
    // which may be about to write an older value.
    host.deliver(4, &commit(&[put("3", "2"), put("1000", "1"), delete("5")]));
    host.acknowledged(4);
    for repair in [&[][..], &["--repair"]] {
        let verified = verify(&sandbox, repair);
        let expected = kinds([("3", "stale"), ("1000", "missing"), ("5", "orphaned")]);
        assert_eq!((verified.code, verified.kinds()), (Some(1), expected));
        assert_eq!((verified.compared.pending, verified.compared.repaired), (0, 0));
    }
    assert_eq!(sandbox.cached("1000"), None);
    assert_eq!(sandbox.cached("5").as_deref(), Some("1"));
    let apply = Apply::writing(&sandbox, "two");
    assert_same(&sandbox, 300);
    drop(apply);
}

#[test]
fn the_inspector_compares_what_apply_feeds() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    // No `apply` feeds Memcached yet.
    ask(&mut host, 1, false);
    let Reply::Failed(error) = host.answer().reply else {
        panic!("it cannot be compared");
    };
    assert!(
        error.message.contains("nothing writes to Memcached"),
        "{}",
        error.message
    );
    let _apply = Apply::after_first_event(&sandbox, &mut host);
    all_done(&sandbox);
    sandbox.memcached.set(&sandbox.key("\"first\""), "2");
    ask(&mut host, 2, true);
    let found = compared(&mut host, 2);
    assert_eq!((found.compared, found.stale, found.repaired), (1, 1, 1));
    assert_eq!(sandbox.cached("\"first\"").as_deref(), Some("0"));
}

#[test]
fn what_the_stream_has_lost_is_put_right() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    write(&sandbox, &mut host, 2, 0..20);
    all_done(&sandbox);
    assert!(apply.end().success());
    // Changed, deleted, new: all of it is cut off before it is read, once with something behind it
    // and once with nothing.
    for (round, behind) in [(1, true), (2, false)] {
        let sequence = if round == 1 { 3 } else { 5 };
        let new = (100 * round).to_string();
        let old = (round * 2).to_string();
        let changed = (round * 2 + 1).to_string();
        let before = sandbox.redis.stream().len();
        host.deliver(
            sequence,
            &commit(&[put(&changed, "2"), delete(&old), put(&new, "1")]),
        );
        host.acknowledged(sequence);
        sandbox.redis.await_stream(before + 3);
        sandbox
            .redis
            .send_command(&["XTRIM", "idb:events", "MAXLEN", "0"]);
        if behind {
            host.deliver(sequence + 1, &commit(&[put("\"behind\"", "1")]));
            host.acknowledged(sequence + 1);
            sandbox.redis.await_stream(1);
        }
        apply = Apply::start(&sandbox, &format!("after-{round}"));
        let gap = apply.says("gap");
        assert_eq!(gap["events"], 3);
        let fix = gap["fix"].as_str().expect("text");
        assert!(fix.contains("`idb-relay verify --repair`"), "{fix}");
        apply.state("applying");
        all_done(&sandbox);
        let expected: BTreeSet<_> = kinds([
            (old.as_str(), "orphaned"),
            (changed.as_str(), "stale"),
            (new.as_str(), "missing"),
        ]);
        let repaired = verify(&sandbox, &["--repair"]);
        assert_eq!((repaired.code, repaired.kinds()), (Some(0), expected));
        assert_eq!(sandbox.cached(&old), None);
        assert_eq!(sandbox.cached(&changed).as_deref(), Some("2"));
        assert_eq!(sandbox.cached(&new).as_deref(), Some("1"));
        assert!(apply.end().success());
    }
    // And it goes on as if nothing had been.
    let apply = Apply::start(&sandbox, "last");
    host.deliver(6, &commit(&[put("5", "5"), delete("6")]));
    sandbox.await_cached("5", Some("5"));
    sandbox.await_cached("6", None);
    assert_eq!(verify(&sandbox, &[]).code, Some(0));
    drop(apply);
}

#[test]
fn comparing_and_repairing_while_apply_is_at_it_turns_nothing_back() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let _apply = Apply::after_first_event(&sandbox, &mut host);
    let keys: Vec<String> = (1..=20).map(|key: u32| key.to_string()).collect();
    let watch = Watch::of(&sandbox, &keys);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        let ends = Over(over);
        let keys = &keys;
        let writer = scope.spawn(move || {
            let mut sequence = 1;
            while !over.load(Ordering::Relaxed) {
                sequence += 1;
                let puts: Vec<_> = keys.iter().map(|key| put(key, &sequence.to_string())).collect();
                host.deliver(sequence, &commit(&puts));
                host.acknowledged(sequence);
            }
            (host, sequence)
        });
        for _ in 0..8 {
            let verified = verify(&sandbox, &["--repair"]);
            assert_eq!((verified.code, verified.kinds()), (Some(0), BTreeSet::new()));
        }
        drop(ends);
        let (host, sequence) = writer.join().expect("it writes");
        sandbox.await_cached("20", Some(&sequence.to_string()));
        all_done(&sandbox);
        assert!(host.close().success());
    });
    assert!(watch.end() > 0);
    assert_same(&sandbox, 21);
}

/// The configuration with another line instead of this.
fn reconfigure(sandbox: &Sandbox, from: &str, to: &str) {
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    assert!(config.contains(from));
    sandbox.write_config(&config.replace(from, to));
}

#[test]
fn what_is_not_fed_from_here_is_named() {
    let mut sandbox = sandbox();
    let mut host: Host = host(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let text = refusal(&sandbox, &[]);
    assert!(
        text.contains("nothing writes to Memcached") && text.contains("Start `idb-relay apply`"),
        "{text}"
    );
    let _apply = Apply::writing(&sandbox, "one");
    assert_same(&sandbox, 1);
    let text = refusal(&sandbox, &["--group", "elsewhere"]);
    assert!(text.contains("no `idb-relay apply` of group elsewhere"), "{text}");
    // The process's configuration is another file, with other servers in it, or names.
    let other = Memcached::start();
    let address = sandbox.memcached.address();
    for (from, to) in [
        (
            format!("servers = [\"{address}\"]"),
            format!("servers = [\"{}\"]", other.address()),
        ),
        (
            "mode = \"off\"".to_owned(),
            "mode = \"off\"\nvalue = \"typed\"".to_owned(),
        ),
        (
            "mode = \"off\"".to_owned(),
            "mode = \"off\"\nkey = \"x:{origin}:{database}:{store}:{key}\"".to_owned(),
        ),
    ] {
        reconfigure(&sandbox, &from, &to);
        let text = refusal(&sandbox, &["--repair"]);
        assert!(
            text.contains("feeds servers") && text.contains(&address),
            "{text}"
        );
        assert!(
            text.contains("config.toml") && text.contains("IDB_RELAY_CONFIG"),
            "{text}"
        );
        reconfigure(&sandbox, &to, &from);
    }
    assert_eq!(other.count_keys(), 0);
    // The same server under another name is the same server.
    let named = address.replace("127.0.0.1", "localhost");
    reconfigure(
        &sandbox,
        &format!("servers = [\"{address}\"]"),
        &format!("servers = [\"{named}\"]"),
    );
    assert_same(&sandbox, 1);
    // A browser of another machine uses the stream: what has no record here may have one there.
    sandbox
        .redis
        .send_command(&["SET", "{idb:events}:cursor:another-profile", "7"]);
    sandbox.memcached.set(&sandbox.key("2"), "theirs");
    let verified = verify(&sandbox, &["--repair"]);
    assert_eq!((verified.code, verified.kinds()), (Some(0), BTreeSet::new()));
    assert!(verified.compared.unlisted[0].contains("other machines"));
    assert_eq!(sandbox.cached("2").as_deref(), Some("theirs"));
    sandbox.redis.kill();
    assert!(refusal(&sandbox, &[]).contains("redis at 127.0.0.1"));
}
