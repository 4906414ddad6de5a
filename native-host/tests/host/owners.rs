//! Two browser profiles that use one site: who writes its keys in Memcached.

use protocol::wire::inspector::{DifferenceKind, Reply};
use serde_json::Value;

use crate::support::verify::verify;
use crate::support::{
    Host, Machine, ORIGIN, Sandbox,
    body::{commit, commit_in_turn, delete, put},
    hello_of, host_delivery, status, until,
};

pub const FIRST: &str = "profile-1";
pub const SECOND: &str = "profile-2";

/// The host of the second profile.
fn second(sandbox: &Sandbox) -> Host {
    let mut host = Host::silent(sandbox);
    host.send(&hello_of(SECOND));
    let _hello = host.receive();
    host
}

/// What `status` says of a profile's sink.
fn sink(sandbox: &Sandbox, profile: &str, name: &str) -> Value {
    let status = status(sandbox);
    let profiles = status["profiles"].as_array().expect("profiles");
    let found = profiles.iter().find(|found| found["profile"] == profile);
    found.map_or(Value::Null, |found| found["sinks"][name].clone())
}

pub fn await_state(sandbox: &Sandbox, profile: &str, state: &str) {
    until(&format!("{profile} is {state}"), || {
        let sink = sink(sandbox, profile, "memcached");
        sink["state"] == state && sink["behind"] == 0
    });
}

/// The first profile's host owns the keys, and the second one's runs beside it.
pub fn both(sandbox: &Sandbox) -> (Host, Host) {
    let mut first = Host::start(sandbox);
    first.deliver(1, &commit(&[put("1", "\"first\""), put("3", "\"only first\"")]));
    first.acknowledged(1);
    await_state(sandbox, FIRST, "running");
    let mut second = second(sandbox);
    second.deliver(1, &commit(&[put("1", "\"second\""), put("2", "\"only second\"")]));
    second.acknowledged(1);
    await_state(sandbox, SECOND, "not_owner");
    (first, second)
}

fn await_all_of_first(sandbox: &Sandbox) {
    sandbox.await_cached("1", Some("\"first\""));
    sandbox.await_cached("2", None);
    sandbox.await_cached("3", Some("\"only first\""));
}

pub fn await_all_of_second(sandbox: &Sandbox) {
    sandbox.await_cached("1", Some("\"second\""));
    sandbox.await_cached("2", Some("\"only second\""));
    sandbox.await_cached("3", None);
}

/// The item that says who owns the usual origin.
pub const OWNER: &str = "idb-relay-owner:idb:http%3A//localhost%3A8080:{database}:{store}:{key}";

#[test]
fn next_owner_settles_when_the_owner_item_is_lost() {
    let sandbox = Sandbox::new();
    let mut first = Host::start(&sandbox);
    first.deliver(1, &commit(&[put("1", "\"first\""), put("3", "\"only first\"")]));
    first.acknowledged(1);
    await_state(&sandbox, FIRST, "running");
    assert!(first.close().success());
    assert!(sandbox.memcached.get(OWNER).is_some());
    // As by an eviction, or by a restart of the one server of several that it was on.
    sandbox.memcached.delete(OWNER);
    let mut second = second(&sandbox);
    second.deliver(1, &commit(&[put("1", "\"second\""), put("2", "\"only second\"")]));
    second.acknowledged(1);
    await_all_of_second(&sandbox);
    until("the new owner has settled", || {
        sandbox
            .memcached
            .get(OWNER)
            .is_some_and(|owner| owner.contains(SECOND) && owner.contains(r#""unsettled":false"#))
    });
}

#[test]
fn the_first_profile_owns_the_keys_and_the_other_says_so() {
    let sandbox = Sandbox::new();
    let (mut first, mut second) = both(&sandbox);
    await_all_of_first(&sandbox);
    // Everything else goes its way.
    assert_eq!(sandbox.redis.await_stream(4).len(), 4);
    second.deliver(2, &commit(&[delete("1")]));
    second.acknowledged(2);
    await_state(&sandbox, SECOND, "not_owner");
    assert_eq!(sandbox.redis.await_stream(5).len(), 5);
    await_all_of_first(&sandbox);

    let owned = "owned by profile profile-1 (chromium/156)";
    for arguments in [&["status"][..], &["doctor"]] {
        let printed = String::from_utf8(sandbox.run(arguments).stdout).expect("UTF-8");
        assert!(
            printed.contains(owned)
                && printed.contains("idb-relay own --origin http://localhost:8080 --profile profile-2"),
            "{arguments:?}: {printed}"
        );
    }
    let tail = sandbox.print(&["tail", "-n", "100", "--no-follow", "--profile", SECOND]);
    assert!(tail.contains("not written: the keys of"), "{tail}");
    // The messages to the popup's button and to the panel.
    let await_problem = |host: &mut Host| {
        until("the extension is notified", || {
            let mut problems = host.servers().iter();
            problems.any(|problem| problem.message.contains(owned))
        });
    };
    await_problem(&mut second);
    second.ask(1, r#"{"health":{}}"#);
    let Reply::Health(health) = second.answer().reply else {
        panic!("no health");
    };
    let memcached = health
        .sinks
        .iter()
        .find(|sink| sink.name == "memcached")
        .expect("a sink");
    assert!(
        memcached
            .error
            .as_ref()
            .is_some_and(|error| error.contains(owned))
    );
    second.ask(
        2,
        &format!(r#"{{"record":{{"origin":"{ORIGIN}","database":"shop","store":"orders","key":"2"}}}}"#),
    );
    let Reply::Record(record) = second.answer().reply else {
        panic!("no record");
    };
    assert!(
        record
            .trouble
            .is_some_and(|trouble| trouble.message.contains(owned))
    );
    first.ask(1, r#"{"health":{}}"#);
    let Reply::Health(health) = first.answer().reply else {
        panic!("no health");
    };
    assert!(health.sinks.iter().all(|sink| sink.error.is_none()), "{health:?}");
}

#[test]
fn what_another_profile_holds_is_a_class_of_its_own() {
    let sandbox = Sandbox::new();
    let (_first, _second) = both(&sandbox);
    for more in [&[][..], &["--repair"]] {
        let found = verify(&sandbox, &[&["--profile", SECOND], more].concat());
        assert_eq!(found.code, Some(1));
        let kinds: Vec<_> = found
            .differences
            .iter()
            .map(|difference| difference.kind)
            .collect();
        assert_eq!(kinds, [DifferenceKind::Held, DifferenceKind::Held]);
        let compared = &found.compared;
        assert_eq!(
            (
                compared.held,
                compared.missing,
                compared.stale,
                compared.orphaned,
                compared.repaired
            ),
            (2, 0, 0, 0, 0)
        );
        await_all_of_first(&sandbox);
    }
    let found = verify(&sandbox, &["--profile", FIRST]);
    assert_eq!(
        (found.code, found.compared.held, found.compared.compared),
        (Some(0), 0, 2)
    );
    let printed = String::from_utf8(sandbox.run(&["verify", "--profile", SECOND]).stdout).expect("UTF-8");
    assert!(printed.contains("2 records held by another profile"), "{printed}");
    // What the second one once left under the owner's keys is no record of the owner's.
    sandbox.memcached.set(&sandbox.key("2"), "\"only second\"");
    sandbox.memcached.set(&sandbox.key("1"), "\"second\"");
    let found = verify(&sandbox, &["--profile", FIRST, "--repair"]);
    assert_eq!(
        (
            found.code,
            found.compared.stale,
            found.compared.orphaned,
            found.compared.repaired
        ),
        (Some(0), 1, 1, 2)
    );
    await_all_of_first(&sandbox);
}

#[test]
fn keys_change_hands_by_command_and_are_all_written_again() {
    let sandbox = Sandbox::new();
    let (mut first, mut second) = both(&sandbox);
    let several = sandbox.run(&["own", "--origin", ORIGIN]);
    assert_eq!(several.status.code(), Some(1));
    let printed = sandbox.print(&["own", "--origin", ORIGIN, "--profile", SECOND]);
    assert!(printed.contains("profile profile-2"), "{printed}");
    await_state(&sandbox, FIRST, "not_owner");
    await_state(&sandbox, SECOND, "running");
    await_all_of_second(&sandbox);
    first.deliver(2, &commit(&[put("1", "\"late\""), put("4", "\"late\"")]));
    first.acknowledged(2);
    second.deliver(2, &commit(&[put("5", "5")]));
    second.acknowledged(2);
    await_state(&sandbox, FIRST, "not_owner");
    await_state(&sandbox, SECOND, "running");
    await_all_of_second(&sandbox);
    sandbox.await_cached("4", None);
    sandbox.await_cached("5", Some("5"));
    assert_eq!(verify(&sandbox, &["--profile", SECOND]).code, Some(0));
}

#[test]
fn what_the_former_owner_writes_late_does_not_stay() {
    let sandbox = Sandbox::new();
    let (first, _second) = both(&sandbox);
    // It looked after its keys, and does not get to write for a while.
    first.pause();
    sandbox.print(&["own", "--origin", ORIGIN, "--profile", SECOND]);
    await_state(&sandbox, SECOND, "running");
    await_all_of_second(&sandbox);
    // As if that had been on its way.
    sandbox.memcached.set(&sandbox.key("1"), "\"first\"");
    sandbox.memcached.set(&sandbox.key("3"), "\"only first\"");
    first.resume();
    await_state(&sandbox, FIRST, "not_owner");
    await_all_of_second(&sandbox);
}

#[test]
fn an_owner_that_has_gone_is_followed_by_the_host_that_starts() {
    let sandbox = Sandbox::new();
    let (first, second_one) = both(&sandbox);
    assert!(second_one.close().success());
    assert!(first.close().success());
    std::fs::remove_file(sandbox.journal_directory().join("profile-1.sqlite")).expect("removed");
    let _second = second(&sandbox);
    await_state(&sandbox, SECOND, "running");
    await_all_of_second(&sandbox);
    // Who comes back finds that it does not own them any more.
    let mut first = Host::start(&sandbox);
    first.deliver_as("again", 1, &commit_in_turn(&[put("1", "\"first\"")]));
    first.acknowledged_as("again", 1);
    await_state(&sandbox, FIRST, "not_owner");
    await_all_of_second(&sandbox);
}

#[test]
fn an_owner_that_starts_again_or_is_forgotten_stays_the_owner() {
    let sandbox = Sandbox::new();
    let (first, _second) = both(&sandbox);
    first.kill();
    let mut first = Host::start(&sandbox);
    first.deliver_as("again", 1, &commit_in_turn(&[put("6", "6")]));
    first.acknowledged_as("again", 1);
    await_state(&sandbox, FIRST, "running");
    sandbox.await_cached("6", Some("6"));
    assert_eq!(sandbox.memcached.send_command("flush_all"), "OK");
    await_all_of_first(&sandbox);
    sandbox.await_cached("6", Some("6"));
    await_state(&sandbox, SECOND, "not_owner");
}

#[test]
fn profiles_on_two_sites_do_not_concern_each_other() {
    let sandbox = Sandbox::new();
    let mut first = Host::start(&sandbox);
    first.deliver(1, &commit(&[put("1", "1")]));
    first.acknowledged(1);
    await_state(&sandbox, FIRST, "running");
    let mut second = second(&sandbox);
    let elsewhere = "http://localhost:9090";
    second.send(&host_delivery("c", 1, &commit(&[put("1", "2")])).replace(ORIGIN, elsewhere));
    second.acknowledged_as("c", 1);
    await_state(&sandbox, SECOND, "running");
    until("both are there", || {
        sandbox
            .memcached
            .get("idb:http%3A//localhost%3A9090:shop:orders:1")
            .as_deref()
            == Some("2")
    });
    sandbox.await_cached("1", Some("1"));
    assert_eq!(verify(&sandbox, &[]).code, Some(0));
}

#[test]
fn profiles_with_names_of_their_own_both_write() {
    let sandbox = Sandbox::with_config("key = \"idb:{profile}:{origin}:{database}:{store}:{key}\"\n");
    for (mut host, value) in [(Host::start(&sandbox), "1"), (second(&sandbox), "2")] {
        host.deliver(1, &commit(&[put("1", value)]));
        host.acknowledged(1);
        assert!(host.close().success());
    }
    let name = |profile: &str| {
        let place = [
            "--origin",
            ORIGIN,
            "--database",
            "shop",
            "--store",
            "orders",
            "--key",
            "1",
        ];
        let printed = sandbox.print(&[&["key"], &place[..], &["--profile", profile]].concat());
        printed.trim_end().to_owned()
    };
    assert_eq!(
        name(FIRST),
        "idb:profile-1:http%3A//localhost%3A8080:shop:orders:1"
    );
    assert_eq!(sandbox.memcached.get(&name(FIRST)).as_deref(), Some("1"));
    assert_eq!(sandbox.memcached.get(&name(SECOND)).as_deref(), Some("2"));
    let found = verify(&sandbox, &[]);
    assert_eq!(
        (found.code, found.compared.compared, found.compared.held),
        (Some(0), 2, 0)
    );
    sandbox.memcached.set(&name(SECOND), "3");
    sandbox
        .memcached
        .set(&name(FIRST).replace("orders:1", "orders:9"), "3");
    let found = verify(&sandbox, &["--repair"]);
    assert_eq!(
        (
            found.code,
            found.compared.stale,
            found.compared.orphaned,
            found.compared.repaired
        ),
        (Some(0), 1, 1, 2)
    );
}

#[test]
fn hosts_on_two_machines_that_share_memcached_know_of_each_other() {
    let sandbox = Sandbox::new();
    let mut first = Host::start(&sandbox);
    first.deliver(1, &commit(&[put("1", "\"first\"")]));
    first.acknowledged(1);
    await_state(&sandbox, FIRST, "running");
    let machine = Machine::beside(&sandbox);
    let mut second = Host::spawn(machine.program());
    second.send(&hello_of(SECOND));
    let _hello = second.receive();
    second.deliver(1, &commit(&[put("1", "\"second\"")]));
    second.acknowledged(1);
    until("the second one leaves the keys alone", || {
        machine.sink("memcached")["state"] == "not_owner"
    });
    assert_eq!(sandbox.cached("1").as_deref(), Some("\"first\""));
}
