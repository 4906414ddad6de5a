//! Memcached compared with the mirror, and repaired.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use protocol::wire::inspector::{Compared, DifferenceKind::Missing, Reply};
use serde_json::Value;
use test_servers::MemcachedOptions;

use crate::support::{
    Host, Memcached, ORIGIN, Over, Sandbox,
    body::{clear, commit, delete, put},
    verify::{ask, assert_same, compared, kinds, settled, up_to_date, verify},
};

/// A name by the usual template.
fn name(place: &str, key: &str) -> String {
    format!("idb:http%3A//localhost%3A8080:{place}:{key}")
}

#[test]
fn each_kind_of_difference_is_named_and_put_right() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..600)
        .map(|key| put(&key.to_string(), &format!(r#"{{"n":{key}}}"#)))
        .collect();
    host.deliver(1, &commit(&puts));
    host.deliver(2, &commit(&[delete("7"), put("\"a b\"", "1")]));
    settled(&sandbox, &mut host, 2);
    let mut host = Some(host);
    // With the host running, and without: who repairs is the command in both cases.
    for round in 0..2 {
        assert_same(&sandbox, 600);
        sandbox.memcached.delete(&sandbox.key("3"));
        sandbox.memcached.delete(&sandbox.key("599"));
        sandbox.memcached.set(&sandbox.key("\"a b\""), "2");
        sandbox.memcached.set(&sandbox.key("7"), "gone");
        // Records that the mirror never had, in stores that it knows, and that it does
        // not.
        sandbox.memcached.set(&name("shop:orders", "1000"), "1");
        sandbox.memcached.set(&name("shop:dropped", "1"), "1");
        // Items that `verify` must ignore.
        sandbox.memcached.set("session:1", "1");
        sandbox.memcached.set("idb:http%3A//elsewhere:shop:orders:1", "1");
        let expected = kinds([
            ("3", "missing"),
            ("599", "missing"),
            ("\"a b\"", "stale"),
            ("7", "orphaned"),
            ("1000", "orphaned"),
            ("1", "orphaned"),
        ]);
        let verified = verify(&sandbox, &[]);
        assert_eq!(verified.kinds(), expected, "round {round}");
        assert_eq!(verified.code, Some(1));
        let Compared {
            total,
            compared,
            missing,
            stale,
            orphaned,
            repaired,
            pending,
            refused,
            strangers,
            ..
        } = verified.compared;
        assert_eq!((total, compared, missing, stale, orphaned), (600, 600, 2, 1, 3));
        assert_eq!((repaired, pending, refused, strangers), (0, 0, 0, 1));
        let text = sandbox.run(&["verify"]);
        assert_eq!(text.status.code(), Some(1));
        let text = String::from_utf8(text.stdout).expect("UTF-8");
        assert!(
            text.contains(&format!(
                "missing  {ORIGIN} › shop › orders  3  {}",
                sandbox.key("3")
            )),
            "{text}"
        );
        assert!(text.contains("2 missing, 1 stale, 3 orphaned\n"), "{text}");

        let repaired = verify(&sandbox, &["--repair"]);
        assert_eq!((repaired.kinds(), repaired.compared.repaired), (expected, 6));
        assert_eq!(repaired.code, Some(0));
        assert!(repaired.differences.iter().all(|difference| difference.repaired));
        assert_same(&sandbox, 600);
        assert_eq!(sandbox.cached("3").as_deref(), Some(r#"{"n":3}"#));
        assert_eq!(sandbox.cached("\"a b\"").as_deref(), Some("1"));
        assert_eq!(sandbox.cached("7"), None);
        // The two of others are there still.
        assert_eq!(sandbox.memcached.count_keys(), 602);
        if let Some(host) = host.take() {
            assert!(host.close().success());
        }
    }
}

/// What a command ends with whose reader has had enough after a line.
fn cut_off(sandbox: &Sandbox, arguments: &[&str]) -> Option<i32> {
    let mut child = sandbox
        .program()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    reader.read_line(&mut line).expect("a line");
    assert!(!line.is_empty());
    drop(reader);
    child.wait().expect("a child").code()
}

#[test]
fn closed_output_neither_hides_drift_nor_ends_a_repair() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..3000).map(|key| put(&key.to_string(), "1")).collect();
    host.deliver(1, &commit(&puts));
    settled(&sandbox, &mut host, 1);
    assert!(host.close().success());
    sandbox.memcached.restart();
    assert_eq!(cut_off(&sandbox, &["verify"]), Some(1));
    assert_eq!(cut_off(&sandbox, &["verify", "--json"]), Some(1));
    assert_eq!(cut_off(&sandbox, &["verify", "--repair"]), Some(0));
    assert_same(&sandbox, 3000);
    // What it cannot say for another reason it has not found out.
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux");
    let status = sandbox.program().arg("verify").stdout(full).status();
    assert_eq!(status.expect("it runs").code(), Some(3));
}

#[test]
fn an_item_that_ends_by_itself_is_put_right_too() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    settled(&sandbox, &mut host, 1);
    sandbox.memcached.set_for(&sandbox.key("1"), "1", 1000);
    assert_eq!(verify(&sandbox, &["--repair"]).kinds(), kinds([("1", "stale")]));
    assert_same(&sandbox, 1);
}

#[test]
fn what_is_on_its_way_is_no_difference() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..2000).map(|key| put(&key.to_string(), "0")).collect();
    host.deliver(1, &commit(&puts));
    host.acknowledged(1);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        let ends = Over(over);
        let writer = scope.spawn(move || {
            let mut sequence = 1;
            while !over.load(Ordering::Relaxed) {
                sequence += 1;
                let key = (sequence * 37 % 2000).to_string();
                let busiest = put("\"hot\"", &sequence.to_string());
                let other = if sequence % 3 == 0 {
                    delete(&key)
                } else {
                    put(&key, &sequence.to_string())
                };
                host.deliver(sequence, &commit(&[busiest, other]));
                if sequence % 16 == 0 {
                    host.acknowledged(sequence);
                }
            }
            host
        });
        for _ in 0..5 {
            let verified = verify(&sandbox, &[]);
            assert_eq!(verified.kinds(), BTreeSet::new());
            assert_eq!(verified.code, Some(0));
        }
        drop(ends);
        let host = writer.join().expect("it writes");
        assert!(host.close().success());
    });
    // A change that no host will write is a difference: the host was killed before it wrote it.
    let mut host = Host::start(&sandbox);
    up_to_date(&sandbox);
    sandbox.memcached.delete(&sandbox.key("\"hot\""));
    host.deliver_as("context-2", 1, &commit(&[put("1", "1")]));
    host.acknowledged_as("context-2", 1);
    host.kill();
    assert_eq!(verify(&sandbox, &["--repair"]).code, Some(0));
    assert_eq!(sandbox.cached("1").as_deref(), Some("1"));
}

#[test]
fn repairing_never_goes_back_in_time() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    settled(&sandbox, &mut host, 1);
    let name = sandbox.key("1");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (sandbox, over, name) = (&sandbox, &over, &name);
        let ends = Over(over);
        // One thread keeps deleting the item, another keeps repairing it.
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                sandbox.memcached.delete(name);
            }
        });
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                verify(sandbox, &["--repair"]);
            }
        });
        let watcher = scope.spawn(move || {
            let mut newest = 0;
            while !over.load(Ordering::Relaxed) {
                if let Some(value) = sandbox.memcached.get(name) {
                    let value: u64 = value.parse().expect("a number");
                    assert!(value >= newest, "{value} after {newest}");
                    newest = value;
                }
            }
        });
        for sequence in 2..=1000 {
            host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
            host.acknowledged(sequence);
        }
        drop(ends);
        watcher.join().expect("never older");
    });
    up_to_date(&sandbox);
    assert_eq!(verify(&sandbox, &["--repair"]).code, Some(0));
    assert_eq!(sandbox.cached("1").as_deref(), Some("1000"));
}

#[test]
fn a_value_that_memcached_refuses_is_no_difference() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    // Around the limit of a server with 1 MiB: the values that fit are there, the others are not,
    // and `verify` reports no difference.
    let puts: Vec<_> = (0..24)
        .map(|key| {
            put(
                &format!("\"{key:02}\""),
                &format!("\"{}\"", "x".repeat(1024 * 1024 - 60 - key * 8)),
            )
        })
        .collect();
    host.deliver(1, &commit(&puts));
    host.deliver(
        2,
        &commit(&[
            put("1", &format!("\"{}\"", "x".repeat(2 << 20))),
            put("2", r#"{"$opaque":{"type":"Object","reason":"too large"}}"#),
        ]),
    );
    settled(&sandbox, &mut host, 2);
    let verified = verify(&sandbox, &[]);
    assert_eq!((verified.code, verified.kinds()), (Some(0), BTreeSet::new()));
    let there = u64::try_from(sandbox.memcached.count_keys()).expect("fits");
    assert!((1..24).contains(&there), "the limit is among them: {there}");
    assert_eq!(verified.compared.refused, 26 - there);
    // What is left of it from before is one.
    sandbox.memcached.set(&sandbox.key("1"), "old");
    assert_eq!(verify(&sandbox, &["--repair"]).kinds(), kinds([("1", "stale")]));
    assert_eq!(sandbox.cached("1"), None);
    assert_same(&sandbox, 26);
}

#[test]
fn only_what_is_meant_is_compared() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let elsewhere = commit(&[put("1", "1")]).replace("shop", "other");
    host.deliver(
        1,
        &commit(&[put("1", "1"), put("1", "1").replace("orders", "cart")]),
    );
    host.deliver(2, &elsewhere);
    settled(&sandbox, &mut host, 2);
    for place in ["shop:orders", "shop:cart", "other:orders"] {
        sandbox.memcached.delete(&name(place, "1"));
        sandbox.memcached.set(&name(place, "2"), "2");
    }
    let count = |more: &[&str]| {
        let Compared {
            missing, orphaned, ..
        } = verify(&sandbox, more).compared;
        (missing, orphaned)
    };
    assert_eq!(count(&[]), (3, 3));
    assert_eq!(count(&["--origin", ORIGIN, "--database", "shop"]), (2, 2));
    assert_eq!(
        count(&[
            "--origin",
            ORIGIN,
            "--database",
            "shop",
            "--store",
            "cart",
            "--repair"
        ]),
        (1, 1)
    );
    assert_eq!(count(&["--origin", ORIGIN]), (2, 2));
    let unknown = sandbox.run(&["verify", "--origin", "http://nowhere"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert_eq!(
        sandbox.run(&["verify", "--profile", "profile-2"]).status.code(),
        Some(3)
    );
}

#[test]
fn a_server_that_is_away_is_no_difference_but_an_error() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    settled(&sandbox, &mut host, 1);
    sandbox.memcached.kill();
    for arguments in [&["verify"][..], &["verify", "--json"], &["verify", "--repair"]] {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.stdout, b"");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(
            text.contains(&format!("memcached at {}", sandbox.memcached.address())),
            "{text}"
        );
        assert!(text.contains("fix: Start the server"), "{text}");
    }
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("[memcached]", "[memcached]\nmode = \"off\""));
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(3));
}

#[test]
fn several_servers_each_hold_their_own() {
    let (second, third) = (Memcached::start(), Memcached::start());
    let sandbox = Sandbox::with_config("value = \"typed\"\n");
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    let first = format!("\"{}\"", sandbox.memcached.address());
    let all = format!("{first}, \"{}\", \"{}\"", second.address(), third.address());
    sandbox.write_config(&config.replace(&first, &all));
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..300)
        .map(|key| put(&key.to_string(), r#"{"$set":[1]}"#))
        .collect();
    host.deliver(1, &commit(&puts));
    settled(&sandbox, &mut host, 1);
    let servers = [&sandbox.memcached, &second, &third];
    assert!(servers.iter().all(|server| server.count_keys() > 0));
    assert_same(&sandbox, 300);
    // What lies on a server that is not its key's is never found by a client, but comes back when
    // servers leave.
    let name = sandbox.key("1");
    for server in servers {
        server.set(&name, r#"{"$set":[1]}"#);
    }
    let found = verify(&sandbox, &["--repair"]);
    assert_eq!(found.kinds(), kinds([("1", "orphaned")]));
    assert_eq!((found.compared.orphaned, found.code), (2, Some(0)));
    assert_same(&sandbox, 300);
    assert_eq!(
        servers.iter().map(|server| server.count_keys()).sum::<usize>(),
        300
    );
}

#[test]
fn shortened_names_stay_distinct() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let long = |number: u32| format!("\"{}{number}\"", "x".repeat(300));
    let puts: Vec<_> = (0..50).map(|number| put(&long(number), "1")).collect();
    host.deliver(1, &commit(&puts));
    settled(&sandbox, &mut host, 1);
    assert_same(&sandbox, 50);
    let stranger = sandbox.key(&long(1000));
    sandbox.memcached.set(&stranger, "1");
    sandbox.memcached.delete(&sandbox.key(&long(1)));
    let found = verify(&sandbox, &["--repair"]);
    assert_eq!(
        found.kinds(),
        BTreeSet::from([(long(1), "missing"), (String::new(), "orphaned")])
    );
    assert!(
        found
            .differences
            .iter()
            .any(|difference| difference.memcached_key == stranger)
    );
    assert_same(&sandbox, 50);
    assert_eq!(sandbox.memcached.count_keys(), 50);
}

#[test]
fn server_that_does_not_list_its_items_is_reported() {
    let mut sandbox = Sandbox::new();
    let silent = Memcached::start_with(&MemcachedOptions::default().arguments(&["-o", "no_lru_crawler"]));
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&sandbox.memcached.address(), &silent.address()));
    sandbox.memcached = silent;
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1"), put("2", "2")]));
    host.deliver(2, &commit(&[delete("2")]));
    settled(&sandbox, &mut host, 2);
    sandbox.memcached.set(&sandbox.key("2"), "2");
    sandbox.memcached.set(&sandbox.key("3"), "3");
    // The mirror remembers that there was a record 2; it knows nothing of a record 3.
    let found = verify(&sandbox, &["--repair"]);
    assert_eq!(found.kinds(), kinds([("2", "orphaned")]));
    let [unlisted] = &found.compared.unlisted[..] else {
        panic!("{:?}", found.compared)
    };
    assert!(unlisted.contains("lru crawler disabled"), "{unlisted}");
    assert!(
        sandbox
            .print(&["verify"])
            .contains("not every orphaned item was looked for")
    );
}

#[test]
fn the_inspector_compares_and_repairs() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let puts: Vec<_> = (0..500).map(|key| put(&key.to_string(), "1")).collect();
    host.deliver(1, &commit(&puts));
    settled(&sandbox, &mut host, 1);
    for key in 0..200 {
        sandbox.memcached.delete(&sandbox.key(&key.to_string()));
    }
    ask(&mut host, 1, false);
    // No other message waits for the comparison.
    host.deliver(2, &commit(&[clear().replace("orders", "cart")]));
    host.ask(2, r#"{"stores":{}}"#);
    let found = compared(&mut host, 1);
    assert_eq!((found.compared, found.missing, found.repaired), (500, 200, 0));
    assert_eq!(
        found.differences.len(),
        protocol::wire::inspector::MAX_DIFFERENCES
    );
    let first = &found.differences[0];
    assert_eq!((first.kind, &*first.address.key), (Missing, "0"));
    ask(&mut host, 3, true);
    let found = compared(&mut host, 3);
    assert_eq!((found.missing, found.repaired), (200, 200));
    ask(&mut host, 4, false);
    assert_eq!(compared(&mut host, 4).missing, 0);
    assert_same(&sandbox, 500);

    sandbox.memcached.kill();
    ask(&mut host, 5, false);
    let Reply::Failed(error) = host.answer().reply else {
        panic!("no failure")
    };
    assert!(
        error.message.contains("memcached at 127.0.0.1") && !error.fix.is_empty(),
        "{error:?}"
    );
    assert!(host.close().success());
}

#[test]
fn the_help_and_the_last_line_agree() {
    let sandbox = Sandbox::new();
    let _host = Host::start(&sandbox);
    let help = sandbox.print(&["verify", "--help"]);
    let text = sandbox.print(&["verify", "--json"]);
    let end: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    for name in [
        "done", "total", "compared", "missing", "stale", "orphaned", "repaired",
    ] {
        assert!(
            end.get(name).is_some() && help.contains(&format!("\"{name}\"")),
            "{name}"
        );
    }
}
