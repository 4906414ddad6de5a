//! Upgrades and deleted databases that a tab reports after another tab has written to the new
//! stores.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use protocol::wire::host::FromHost;
use serde_json::json;

use crate::support::{
    Host, Sandbox,
    body::{commit_in_turn, now, put, schema},
    until,
};

const CREATE: &str = r#"{"create_store":{"key_path":null,"auto_increment":false}}"#;

/// Moves the times of a body back.
fn delay_body(body: &str, milliseconds: i64) -> String {
    let mut body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let content = body
        .as_object_mut()
        .and_then(|body| body.values_mut().next())
        .expect("a body");
    for time in ["began_at", "committed_at", "deleted_at"] {
        if let Some(at) = content.get_mut(time) {
            *at = (at.as_i64().expect("a time") - milliseconds).into();
        }
    }
    body.to_string()
}

/// Looks at a record in Memcached all the time, and counts how often it was not there or older.
struct Watch {
    ends: Arc<AtomicBool>,
    looks: thread::JoinHandle<(usize, usize)>,
}

impl Watch {
    fn of(sandbox: &Sandbox, key: &str, value: &'static str) -> Self {
        let name = sandbox.key(key);
        let mut memcached = sandbox.memcached.watcher();
        let ends = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ends);
        let looks = thread::spawn(move || {
            let (mut looks, mut back) = (0, 0);
            while !end.load(Ordering::Relaxed) {
                looks += 1;
                let found = memcached.get(&name);
                back += usize::from(found.as_deref() != Some(value));
            }
            (looks, back)
        });
        Self { ends, looks }
    }

    fn never_went_back(self) {
        self.ends.store(true, Ordering::Relaxed);
        let (looks, back) = self.looks.join().expect("no panic");
        assert!(looks > 10);
        assert_eq!(back, 0, "of {looks} looks");
    }
}

/// The record is there by another tab. The upgrade is reported a minute late, and deletes only
/// older records.
fn keeps_what_is_newer(late: &str) {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver_as("old", 1, &delay_body(&commit_in_turn(&[put("2", "2")]), 600_000));
    host.deliver_as("tab-b", 1, &commit_in_turn(&[put("1", "\"newer\"")]));
    host.acknowledged_as("tab-b", 1);
    sandbox.await_cached("1", Some("\"newer\""));
    sandbox.await_cached("2", Some("2"));
    let watch = Watch::of(&sandbox, "1", "\"newer\"");
    host.deliver_as("tab-a", 1, late);
    sandbox.await_cached("2", None);
    // A record that the upgrade wrote, too, is asked for by itself before that.
    while !matches!(host.request(), FromHost::Snapshot { .. }) {}
    watch.never_went_back();
    let events = sandbox.redis.await_stream(4);
    let of_kept = |event: &&serde_json::Value| event["key"] == 1 && event["source"]["late"] != true;
    let kept: Vec<_> = events.iter().filter(of_kept).map(|event| &event["op"]).collect();
    assert_eq!(kept, ["c"], "a reader that skips late events goes back");
    until("nothing differs", || {
        sandbox.run(&["verify"]).status.code() == Some(0)
    });
}

#[test]
fn late_upgrade_takes_no_newer_record_from_memcached() {
    let upgrade = [schema("orders", CREATE), put("1", "\"older\"")];
    keeps_what_is_newer(&delay_body(&commit_in_turn(&upgrade), 60_000));
}

#[test]
fn late_store_deletion_takes_no_newer_record_from_memcached() {
    let upgrade = [schema("orders", r#"{"delete_store":{}}"#)];
    keeps_what_is_newer(&delay_body(&commit_in_turn(&upgrade), 60_000));
}

#[test]
fn late_database_deletion_takes_no_newer_record_from_memcached() {
    let at = now() - 3_600_000;
    keeps_what_is_newer(&format!(
        r#"{{"deletion":{{"database":"shop","began_at":{0},"deleted_at":{0}}}}}"#,
        at - 60_000
    ));
}

#[test]
fn late_clear_takes_no_newer_record_from_memcached() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver_as("old", 1, &delay_body(&commit_in_turn(&[put("2", "2")]), 600_000));
    host.deliver_as("tab-b", 1, &commit_in_turn(&[put("1", "\"newer\"")]));
    host.acknowledged_as("tab-b", 1);
    sandbox.await_cached("1", Some("\"newer\""));
    let watch = Watch::of(&sandbox, "1", "\"newer\"");
    let clear = commit_in_turn(&[crate::support::body::clear()]);
    host.deliver_as("tab-a", 1, &delay_body(&clear, 60_000));
    sandbox.await_cached("2", None);
    let FromHost::Read { keys, .. } = host.request() else {
        panic!("no question")
    };
    assert_eq!(keys, ["1"]);
    watch.never_went_back();
    let truncate = &sandbox.redis.await_stream(5)[2];
    assert_eq!(
        (&truncate["op"], &truncate["source"]["late"]),
        (&json!("t"), &json!(true))
    );
}
