//! `verify --repair` of a profile that loses its origin to another one meanwhile: a proxy holds the
//! command back until the new owner has written everything.

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::support::verify::{Verified, kinds, verified, verify};
use crate::{
    owners::{FIRST, OWNER, SECOND, await_all_of_second, await_state, both},
    support::{
        Gate, Host, Machine, ORIGIN, Proxy, Sandbox,
        body::{commit, put},
        has, hello_of, output, until,
    },
};

/// The first profile's repair, which reaches Memcached by a proxy.
fn repair(sandbox: &Sandbox, proxy: &Proxy) -> Verified {
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    let path = sandbox.directory.path().join("by-proxy.toml");
    let address = sandbox.memcached.address();
    fs::write(&path, config.replace(&address, proxy.address())).expect("written");
    let mut program = sandbox.program();
    program.env("IDB_RELAY_CONFIG", path);
    program.args(["verify", "--json", "--repair", "--profile", FIRST]);
    verified(output(&mut program))
}

/// A proxy that holds back the first bytes that have this in them, and all that have it until the
/// gate is open.
fn held_back(sandbox: &Sandbox, what: &'static [u8]) -> (Proxy, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let at = Arc::clone(&gate);
    let proxy = Proxy::start(&sandbox.memcached, move |_, _, bytes| {
        if has(bytes, what) {
            at.pass();
        }
    });
    (proxy, gate)
}

/// Lets the second profile own the origin, and waits until it has written everything.
fn hand_over(sandbox: &Sandbox, mut own: Command) {
    let output = output(own.args(["own", "--origin", ORIGIN, "--profile", SECOND]));
    assert!(output.status.success());
    until("the new owner has settled", || {
        sandbox
            .memcached
            .get(OWNER)
            .is_some_and(|owner| owner.contains(SECOND) && owner.contains(r#""unsettled":false"#))
    });
}

#[test]
fn repair_leaves_records_alone_when_origin_changes_hands() {
    let sandbox = Sandbox::new();
    let (_first, _second) = both(&sandbox);
    let (proxy, gate) = held_back(&sandbox, b"mg idb:");
    let found = thread::scope(|scope| {
        let repaired = scope.spawn(|| repair(&sandbox, &proxy));
        gate.await_waiter();
        hand_over(&sandbox, sandbox.program());
        // The former owner has had the new one write all of it once more.
        await_state(&sandbox, FIRST, "not_owner");
        await_state(&sandbox, SECOND, "running");
        await_all_of_second(&sandbox);
        gate.open();
        repaired.join().expect("it ran")
    });
    assert_eq!(found.kinds(), kinds([("1", "held"), ("3", "held")]));
    assert_eq!((found.code, found.compared.repaired), (Some(1), 0));
    assert_eq!(verify(&sandbox, &["--profile", SECOND]).code, Some(0));
    assert_eq!(sandbox.cached("1").as_deref(), Some("\"second\""));
}

#[test]
fn new_owner_writes_again_what_repair_added_too_late() {
    let sandbox = Sandbox::new();
    let (_first, _second) = both(&sandbox);
    sandbox.memcached.delete(&sandbox.key("3"));
    let gate = Arc::new(Gate::default());
    let marked = Arc::new(AtomicBool::new(false));
    let (at, mark) = (Arc::clone(&gate), Arc::clone(&marked));
    let proxy = Proxy::start(&sandbox.memcached, move |_, _, bytes| {
        if has(bytes, b"ms idb:") {
            at.pass();
        }
        if has(bytes, b"ms idb-relay-owner:") && has(bytes, br#""unsettled":true"#) {
            mark.store(true, Ordering::SeqCst);
        }
    });
    let found = thread::scope(|scope| {
        let repaired = scope.spawn(|| repair(&sandbox, &proxy));
        gate.await_waiter();
        hand_over(&sandbox, sandbox.program());
        await_all_of_second(&sandbox);
        gate.open();
        repaired.join().expect("it ran")
    });
    assert_eq!(found.kinds(), kinds([("3", "held")]));
    assert_eq!((found.code, found.compared.repaired), (Some(1), 0));
    assert!(marked.load(Ordering::SeqCst), "the new owner was notified");
    await_all_of_second(&sandbox);
    await_state(&sandbox, SECOND, "running");
    assert_eq!(verify(&sandbox, &["--profile", SECOND]).code, Some(0));
}

#[test]
fn repair_deletes_no_items_of_origin_that_changed_hands() {
    for elsewhere in [false, true] {
        let sandbox = Sandbox::new();
        let machine = Machine::beside(&sandbox);
        let program = || {
            if elsewhere {
                machine.program()
            } else {
                sandbox.program()
            }
        };
        let mut first = Host::start(&sandbox);
        first.deliver(1, &commit(&[put("1", "\"first\""), put("3", "\"only first\"")]));
        first.acknowledged(1);
        await_state(&sandbox, FIRST, "running");
        let mut second = Host::spawn(program());
        second.send(&hello_of(SECOND));
        let _hello = second.receive();
        let long = format!("\"{}\"", "x".repeat(300));
        second.deliver(1, &commit(&[put("2", "\"only second\""), put(&long, "1")]));
        second.acknowledged(1);
        let (proxy, gate) = held_back(&sandbox, b"lru_crawler");
        let found = thread::scope(|scope| {
            let repaired = scope.spawn(|| repair(&sandbox, &proxy));
            gate.await_waiter();
            hand_over(&sandbox, program());
            sandbox.await_cached(&long, Some("1"));
            sandbox.await_cached("1", None);
            gate.open();
            repaired.join().expect("it ran")
        });
        assert_eq!(
            (found.code, found.kinds()),
            (Some(0), BTreeSet::new()),
            "{elsewhere}"
        );
        assert_eq!(sandbox.cached(&long).as_deref(), Some("1"), "{elsewhere}");
        assert_eq!(sandbox.cached("2").as_deref(), Some("\"only second\""));
    }
}
