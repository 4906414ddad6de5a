//! Flow control: what comes faster than it can go on.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    CONTEXT, Host, Sandbox,
    body::{commit, put},
    host_delivery, pour, until,
};

/// What arrives in each of these tests: more than the host may ever hold.
const DELIVERIES: u64 = 3000;
const VALUE_BYTES: usize = 32 * 1024;

/// How much memory the host may take.
const BOUND: u64 = 100 * 1024 * 1024;

fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(id, signal).expect("sent");
}

/// The most that a process has ever held in memory.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .expect("a number");
    kilobytes * 1024
}

/// Pours all and waits for the acknowledgements.
fn flood(host: &mut Host) {
    let filler = "x".repeat(VALUE_BYTES);
    let delivery = |sequence: u64| {
        let value = format!(r#"{{"number":{sequence},"filler":"{filler}"}}"#);
        host_delivery(
            CONTEXT,
            sequence,
            &commit(&[put(&(sequence % 10).to_string(), &value)]),
        )
    };
    for start in (1..=DELIVERIES).step_by(500) {
        let end = (start + 499).min(DELIVERIES);
        pour(host.stdin(), (start..=end).map(delivery));
        host.acknowledged(end);
    }
}

fn await_all(sandbox: &Sandbox) {
    // It is much: as long as some more have come, all is well.
    for part in 1..=10 {
        until("the stream has more", || {
            let length: u64 = redis::cmd("XLEN")
                .arg("idb:events")
                .query(&mut sandbox.redis.connection())
                .expect("a stream");
            length >= DELIVERIES / 10 * part
        });
    }
    let name = sandbox.key("0");
    let newest = format!(r#"{{"number":{DELIVERIES},"#);
    until("Memcached has the newest value", || {
        sandbox
            .memcached
            .get(&name)
            .is_some_and(|value| value.starts_with(&newest))
    });
}

#[test]
fn servers_that_hang_hold_up_no_acknowledgement_and_take_no_memory() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver_as("another", 1, &commit(&[put("\"first\"", "1")]));
    sandbox.await_cached("\"first\"", Some("1"));
    sandbox.redis.await_stream(1);
    let servers = [sandbox.redis.id(), sandbox.memcached.id()];
    for id in servers {
        signal(id, Signal::STOP);
    }
    flood(&mut host);
    let held = peak(host.id());
    for id in servers {
        signal(id, Signal::CONT);
    }
    assert!(held < BOUND, "{held} bytes");
    await_all(&sandbox);
    assert!(peak(host.id()) < BOUND, "{} bytes", peak(host.id()));
}

#[test]
fn servers_that_are_away_hold_up_no_acknowledgement_and_take_no_memory() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.down();
    sandbox.memcached.down();
    let mut host = Host::start(&sandbox);
    flood(&mut host);
    assert!(peak(host.id()) < BOUND, "{} bytes", peak(host.id()));
    sandbox.redis.up();
    sandbox.memcached.up();
    await_all(&sandbox);
    // Nor does what has piled up.
    assert!(peak(host.id()) < BOUND, "{} bytes", peak(host.id()));
}
