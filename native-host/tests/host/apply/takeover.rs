//! Several processes: they are killed, stopped in their tracks, and go on as if nothing had happened.

use super::{Watch, host, sandbox, stream::all_done};
use crate::support::{
    Apply, CONTEXT,
    body::{commit, delete, put},
    host_delivery, pour,
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

fn consumers(sandbox: &crate::support::Sandbox) -> Vec<String> {
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
    for sequence in 2..=last {
        let own = sandbox
            .memcached
            .get(&format!("{}{}", prefix(&sandbox), 1000 + sequence));
        assert_eq!(own, Some(sequence.to_string()));
    }
    assert!(watch.end() > 0);
}

/// What the Memcached keys of the usual store begin with.
fn prefix(sandbox: &crate::support::Sandbox) -> String {
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
        // Half of the records go. Nothing is left of them that could tell a late value that it is late.
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
