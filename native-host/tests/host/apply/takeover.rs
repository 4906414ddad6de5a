//! Several processes: they are killed, stopped in their tracks, and go on as if nothing had
//! happened.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use idb_relay::apply::{
    cache::{
        Cache,
        server::{Seen, Server},
    },
    lease::{Lease, Takeover},
};

use super::{LEASE, Watch, host, sandbox, sandbox_without_lease, stream::all_done};
use crate::support::{
    Apply, CONTEXT, Host, Sandbox,
    body::{commit, delete, put},
    host_delivery, plain, pour, until,
};

#[test]
fn one_writes_and_the_others_stand_by_until_it_ends() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let one = Apply::after_first_event(&sandbox, &mut host);
    let mut two = Apply::start(&sandbox, "two");
    let text = two.state("standing_by")["text"].to_string();
    assert!(text.contains("one"), "{text}");
    host.deliver(2, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    assert!(two.said("applied").is_empty());
    assert!(one.end().success());
    // What ended well is not waited out.
    two.state("applying");
    assert!(
        two.said("state")
            .iter()
            .all(|state| state["state"] != "taking_over")
    );
    host.deliver(3, &commit(&[put("1", "2"), delete("2")]));
    sandbox.await_cached("1", Some("2"));
    all_done(&sandbox);
    let consumers = consumers(&sandbox);
    assert!(
        consumers.len() <= 1,
        "those that are gone are not kept: {consumers:?}"
    );
}

fn consumers(sandbox: &Sandbox) -> Vec<String> {
    let consumers: redis::streams::StreamInfoConsumersReply = redis::cmd("XINFO")
        .arg("CONSUMERS")
        .arg("idb:events")
        .arg("memcached")
        .query(&mut sandbox.redis.connection())
        .expect("consumers");
    consumers
        .consumers
        .into_iter()
        .map(|consumer| consumer.name)
        .collect()
}

/// A process that had the lease and was stopped between looking a record up and writing it.
struct Ghost {
    connection: redis::Connection,
    lease: Lease,
    server: Server,
    name: String,
    seen: Seen,
    fence: u32,
}

impl Ghost {
    /// It has seen that the record is not there.
    fn about(sandbox: &Sandbox, key: &str) -> Self {
        let mut connection = sandbox.redis.connection();
        let mut lease = Lease::new(Some("idb:events"), "memcached", "ghost");
        assert_eq!(lease.take(&mut connection).expect("an answer"), Takeover::Unknown);
        let mut server = Server::open(&plain(&sandbox.memcached.address())).expect("a connection");
        let fence = Cache::fence(server.clock().expect("a clock"));
        assert!(lease.keep(&mut connection).expect("an answer"));
        let name = sandbox.key(key);
        let seen = server.look(&[&name], false).expect("an answer").remove(0);
        Self {
            connection,
            lease,
            server,
            name,
            seen,
            fence,
        }
    }

    /// It keeps the lease once more, looks once more, and is stopped there.
    fn go_on(&mut self) {
        self.fence = Cache::fence(self.server.clock().expect("a clock"));
        assert!(self.lease.keep(&mut self.connection).expect("an answer"));
        self.seen = self
            .server
            .look(&[&self.name], false)
            .expect("an answer")
            .remove(0);
    }

    /// It goes on; whether what it writes is there.
    fn write(&mut self, value: &str) -> bool {
        let write = (self.name.as_str(), Some(value.as_bytes()));
        self.server
            .write(&[(write, &self.seen)], self.fence)
            .expect("an answer")
            == [true]
    }
}

/// Record 1 came and went.
fn come_and_gone(sandbox: &Sandbox, host: &mut Host) {
    host.deliver(1, &commit(&[put("1", "1")]));
    host.deliver(2, &commit(&[delete("1")]));
    host.acknowledged(2);
    sandbox.redis.await_stream(2);
}

#[test]
fn a_lease_that_redis_lost_is_waited_out_all_the_same() {
    let sandbox = sandbox_without_lease();
    come_and_gone(&sandbox, &mut host(&sandbox));
    let mut ghost = Ghost::about(&sandbox, "1");
    // Redis no longer shows that a process held the lease.
    sandbox.redis.send_command(&["DEL", LEASE]);
    let _apply = Apply::writing(&sandbox, "one");
    assert!(!ghost.write("1"));
    assert_eq!(sandbox.cached("1"), None);
}

#[test]
fn who_has_stood_by_waits_from_the_last_keeping_on() {
    let sandbox = sandbox_without_lease();
    come_and_gone(&sandbox, &mut host(&sandbox));
    let mut ghost = Ghost::about(&sandbox, "1");
    let mut apply = Apply::start(&sandbox, "one");
    apply.state("standing_by");
    // It keeps the lease while the other looks on, and is stopped for good at a time that has
    // nothing to do with when that looks.
    let stop = Instant::now() + Duration::from_millis(fastrand::u64(1000..2000));
    until("it is stopped", || {
        ghost.go_on();
        Instant::now() > stop
    });
    let stopped = Instant::now();
    apply.state("applying");
    println!("taken over after {} ms", stopped.elapsed().as_millis());
    assert!(!ghost.write("1"));
    assert_eq!(sandbox.cached("1"), None);
}

#[test]
fn who_ends_while_it_waits_does_not_vouch_for_those_before() {
    let sandbox = sandbox_without_lease();
    come_and_gone(&sandbox, &mut host(&sandbox));
    let mut ghost = Ghost::about(&sandbox, "1");
    sandbox.redis.send_command(&["DEL", LEASE]);
    let mut one = Apply::start(&sandbox, "one");
    one.state("taking_over");
    assert!(one.end().success());
    let mut two = Apply::start(&sandbox, "two");
    two.state("taking_over");
    two.state("applying");
    assert!(!ghost.write("1"));
    assert_eq!(sandbox.cached("1"), None);
}

#[test]
fn who_ends_while_there_is_no_stream_gives_the_lease_back() {
    let sandbox = sandbox();
    let mut one = Apply::start(&sandbox, "one");
    // It is tried again and again; the end may be asked for at any point of that.
    one.trouble("no_stream");
    assert!(one.end().success());
    let lease: Option<String> = redis::cmd("GET")
        .arg(LEASE)
        .query(&mut sandbox.redis.connection())
        .expect("an answer");
    assert_eq!(lease.as_deref(), Some("free"));
}

#[test]
fn what_a_killed_process_left_is_done_by_the_next() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut apply = Apply::after_first_event(&sandbox, &mut host);
    let watch = Watch::of(&sandbox, &["1".to_owned()]);
    let mut next = 2;
    for round in 0..2 {
        let standby = Apply::start(&sandbox, &format!("round-{round}"));
        let all = next..next + 1000;
        pour(
            host.stdin(),
            all.clone().map(|sequence| {
                let number = sequence.to_string();
                let own = (1000 + sequence).to_string();
                host_delivery(
                    CONTEXT,
                    sequence,
                    &commit(&[put("1", &number), put(&own, &number)]),
                )
            }),
        );
        // Somewhere in the middle.
        apply.says("applied");
        apply.kill();
        apply = standby;
        apply.state("applying");
        next = all.end;
    }
    let last = next - 1;
    sandbox.await_cached("1", Some(&last.to_string()));
    all_done(&sandbox);
    let prefix = prefix(&sandbox);
    let expected: BTreeMap<String, String> = (2..=last)
        .map(|sequence| (format!("{prefix}{}", 1000 + sequence), sequence.to_string()))
        .collect();
    let names: Vec<String> = expected.keys().cloned().collect();
    assert_eq!(sandbox.memcached.get_all(&names), expected);
    assert!(watch.end() > 0);
}

/// What the Memcached keys of the usual store begin with.
fn prefix(sandbox: &Sandbox) -> String {
    sandbox
        .key("0")
        .strip_suffix('0')
        .expect("the key comes last")
        .to_owned()
}

#[test]
fn a_process_that_wakes_up_late_changes_nothing() {
    let sandbox = sandbox();
    let mut host = host(&sandbox);
    let mut sleeper = Apply::after_first_event(&sandbox, &mut host);
    let keys: Vec<String> = (1..=40).map(|key: u32| key.to_string()).collect();
    let watch = Watch::of(&sandbox, &keys);
    let mut sequence = 1;
    for round in 1..=2_u64 {
        let mut other = Apply::start(&sandbox, "other");
        other.state("standing_by");
        // Stopped while it is at it: with events read, looked up, perhaps half sent.
        for step in 0..30 {
            let value = (round * 100 + step).to_string();
            let puts: Vec<_> = keys.iter().map(|key| put(key, &value)).collect();
            sequence += 1;
            host.deliver(sequence, &commit(&puts));
            if step == 10 {
                sleeper.says("applied");
                sleeper.pause();
            }
        }
        // Half of the records go. Nothing is left of them that could tell a late value that it is
        // late.
        let deletes: Vec<_> = keys.iter().step_by(2).map(|key| delete(key)).collect();
        sequence += 1;
        host.deliver(sequence, &commit(&deletes));
        host.acknowledged(sequence);
        other.state("applying");
        all_done(&sandbox);
        let newest = (round * 100 + 29).to_string();
        let check = || {
            for (index, key) in keys.iter().enumerate() {
                let expected = (index % 2 == 1).then_some(newest.as_str());
                assert_eq!(sandbox.cached(key).as_deref(), expected, "{key}");
            }
        };
        check();
        sleeper.resume();
        sleeper.state("standing_by");
        check();
        assert!(other.end().success());
        sleeper.state("applying");
        check();
    }
    watch.end();
}
