//! Items of Memcached that look like signs of life of a host and are none.

use crate::{
    owners::{FIRST, await_state},
    support::{
        Host, Sandbox,
        body::{commit, put},
        until,
    },
};

/// The item that says who owns the usual origin.
const OWNER: &str = "idb-relay-owner:idb:http%3A//localhost%3A8080:{database}:{store}:{key}";

/// A host that has written something.
fn writing(sandbox: &Sandbox) -> Host {
    let mut host = Host::start(sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    await_state(sandbox, FIRST, "running");
    sandbox.await_cached("1", Some("1"));
    host
}

fn goes_on(sandbox: &Sandbox, host: &mut Host) {
    host.deliver(2, &commit(&[put("1", "2")]));
    host.acknowledged(2);
    sandbox.await_cached("1", Some("2"));
    await_state(sandbox, FIRST, "running");
}

/// The server's clock, in seconds.
fn clock(sandbox: &Sandbox) -> u64 {
    sandbox.memcached.statistic("uptime")
}

#[test]
fn sign_that_does_not_end_makes_no_copy_of_the_host() {
    for seconds in [0, 1000] {
        let sandbox = Sandbox::new();
        let mut host = writing(&sandbox);
        let sign = "idb-relay-run:profile-1";
        sandbox.memcached.set_for(sign, "deadbeef", seconds);
        goes_on(&sandbox, &mut host);
        until("the sign is the host's", || {
            sandbox.memcached.get(sign).as_deref() != Some("deadbeef")
        });
    }
}

#[test]
fn foreign_owner_with_a_sign_that_does_not_end_is_followed() {
    for unsettled in [false, true] {
        let sandbox = Sandbox::new();
        let mut host = writing(&sandbox);
        sandbox.memcached.set("idb-relay-run:evil", "deadbeef");
        let owner = format!(r#"{{"profile":"evil","browser":"x","since":1,"unsettled":{unsettled}}}"#);
        sandbox.memcached.set(OWNER, &owner);
        // What another client has written with it does not stay.
        sandbox.memcached.set(&sandbox.key("1"), "\"forged\"");
        sandbox.await_cached("1", Some("1"));
        goes_on(&sandbox, &mut host);
    }
}

#[test]
fn foreign_owner_without_a_sign_is_followed() {
    let sandbox = Sandbox::new();
    let mut host = writing(&sandbox);
    // A host that has just started follows an owner that does not run, as it is.
    let started = clock(&sandbox);
    until("the host has run for a while", || clock(&sandbox) > started + 16);
    sandbox
        .memcached
        .set(OWNER, r#"{"profile":"evil","browser":"x","since":1}"#);
    sandbox.memcached.set(&sandbox.key("1"), "\"forged\"");
    sandbox.await_cached("1", Some("1"));
    goes_on(&sandbox, &mut host);
}
